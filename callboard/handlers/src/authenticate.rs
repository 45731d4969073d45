//! Who sends a message: a token becomes a person by asking the space. It keeps nothing, so a session that ends has ended.

use callboard::{Answer, BoxFuture, Cookie, Data, Fault, FaultKind, Handler, Host, Kind, Msg, Next, Principal, Uri};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Turns the credential of a message into its principal: asks `GET /sessions/resolve?hash=` with the hexadecimal SHA-256
/// of the token. A token that proves nothing leaves nobody signed in, and its cookie is taken back.
#[derive(Debug)]
pub struct Authenticate {
    resolve: Uri,
}

/// What the space says of a session, or of a key, which has none.
#[derive(Deserialize)]
struct Session {
    person: Arc<str>,
    roles: Arc<[Arc<str>]>,
    #[serde(default)]
    session: Option<Arc<str>>,
}

impl Authenticate {
    /// The handler.
    pub fn new() -> Self {
        Self { resolve: Uri::parse("/sessions/resolve").expect("it is a URI") }
    }
}

/// Asks the space who a token is of; none where nobody is.
pub(crate) async fn resolve(host: &Host, at: &Uri, msg: &Msg, token: &str) -> Result<Option<Principal>, Fault> {
    let hash = Sha256::digest(token.as_bytes());
    let query = format!("hash={hash:x}");
    let mut ask = host.message(Kind::Get, at.clone(), msg.tenant.clone()).with_data(Data::form(query));
    let head = ask.head_mut();
    head.source = "authenticate".into();
    head.principal = Principal::Service("authenticate".into());
    head.correlation = msg.correlation;
    head.causation = Some(msg.id);
    head.deadline_ms = msg.deadline_ms;
    let answer = match host.run(ask).await {
        Ok(answer) => answer,
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let callboard::AnswerBody::Bytes { bytes, .. } = &answer.body else { return Ok(None) };
    let Session { person, roles, session } = serde_json::from_slice(bytes)
        .map_err(|error| Fault::bug(format!("the answer of {at} is no session: {error}")))?;
    Ok(Some(Principal::Person { id: person, roles, session }))
}

impl Default for Authenticate {
    fn default() -> Self {
        Self::new()
    }
}

impl Handler for Authenticate {
    fn handle<'a>(&'a self, host: &'a Host, mut msg: Msg, next: Next<'a>) -> BoxFuture<'a, Result<Answer, Fault>> {
        // What proves nothing needs no future of its own around the rest.
        if msg.credential.is_none() || msg.principal != Principal::Nobody {
            return next.run(host, msg);
        }
        Box::pin(async move {
            let token = msg.head_mut().credential.take().expect("it was there a moment ago");
            if let Some(principal) = resolve(host, &self.resolve, &msg, token.expose()).await? {
                msg.head_mut().principal = principal;
                return next.run(host, msg).await;
            }
            take_back(next.run(host, msg).await)
        })
    }
}

/// Removes the cookie, unless the answer sets a new one. A fault says so in a header that the gateway translates.
fn take_back(result: Result<Answer, Fault>) -> Result<Answer, Fault> {
    match result {
        Ok(mut answer) => {
            if !answer.cookies.iter().any(|cookie| cookie.name == "session") {
                answer.cookies.push(Cookie { name: "session", value: String::new(), age_s: 0 });
            }
            Ok(answer)
        }
        Err(fault) => Err(fault.header("clear-cookie", "session")),
    }
}
