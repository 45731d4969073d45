//! What all tokens that somebody puts into a request have in common: they are taken from it, and where one proves nothing, whoever
//! needs to be signed in hears why.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard::{Answer, BoxFuture, Fault, FaultKind, Host, Msg, Next, Principal, Secret};
use serde::de::DeserializeOwned;

/// What a token proves.
pub(crate) enum Proof {
    /// Who acts.
    Of(Principal),
    /// Nothing, and why.
    Nothing(&'static str),
}

/// Takes the credential of a message from nobody, where it looks like one's own.
pub(crate) fn take(msg: &mut Msg, is_ours: impl Fn(&str) -> bool) -> Option<Secret<String>> {
    let is_there = msg.credential.as_ref().is_some_and(|token| is_ours(token.expose()));
    if !is_there || msg.principal != Principal::Nobody {
        return None;
    }
    msg.head_mut().credential.take()
}

/// Goes on as whoever was proved, or as nobody.
pub(crate) fn go_on<'a>(
    host: &'a Host,
    mut msg: Msg,
    next: Next<'a>,
    proof: Proof,
) -> BoxFuture<'a, Result<Answer, Fault>> {
    match proof {
        Proof::Of(principal) => {
            msg.head_mut().principal = principal;
            next.run(host, msg)
        }
        Proof::Nothing(why) => Box::pin(async move {
            next.run(host, msg).await.map_err(|mut fault| {
                if fault.kind == FaultKind::NotSignedIn {
                    fault.message = format!("the token proves nothing: {why}; get a new one");
                    let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{why}\"");
                    return fault.header("www-authenticate", challenge);
                }
                fault
            })
        }),
    }
}

/// Reads a part of a token: JSON in base64url.
pub(crate) fn read_part<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
