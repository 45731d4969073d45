//! Changes under a condition (RFC 9110, 13): `If-Match` and `If-None-Match: *` are held against the version that the resource has
//! now, whether or not its function looks. Functions that also check in their commit hold against others at the same moment.

use callboard::{Answer, BoxFuture, Data, Fault, Handler, Host, Kind, Msg, Next};

/// Reads the resource before it is changed, as whoever changes it, and refuses the change where the condition does not hold. What
/// cannot be read, or has no version, is left to its function. A message with an idempotency key is too: where it came before, the
/// version is another one because of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions;

/// A condition of a message.
enum Condition {
    /// It is there.
    Exists,
    /// It is not there.
    New,
    /// It has one of these tags.
    Is(Vec<String>),
}

impl Handler for Conditions {
    fn handle<'a>(&'a self, host: &'a Host, msg: Msg, next: Next<'a>) -> BoxFuture<'a, Result<Answer, Fault>> {
        if msg.kind.is_safe() || msg.idempotency_key.is_some() {
            return next.run(host, msg);
        }
        match read(msg.meta("if-match"), msg.meta("if-none-match")) {
            Ok(None) => next.run(host, msg),
            Ok(Some(condition)) => Box::pin(async move {
                check(host, &msg, &condition).await?;
                next.run(host, msg).await
            }),
            Err(fault) => Box::pin(std::future::ready(Err(fault))),
        }
    }
}

fn read(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Option<Condition>, Fault> {
    match (if_match.map(str::trim), if_none_match.map(str::trim)) {
        (Some("*"), _) => Ok(Some(Condition::Exists)),
        (Some(tags), _) => {
            let tags: Vec<&str> = tags.split(',').map(str::trim).collect();
            let is_tag = |tag: &&str| {
                let text = tag.strip_prefix("W/").unwrap_or(tag);
                text.len() >= 2 && text.starts_with('"') && text.ends_with('"')
            };
            match tags.iter().find(|tag| !is_tag(tag)) {
                Some(_) => {
                    let message = "write `If-Match` as the `ETag` of an answer, with its quotes, or as `*`";
                    Err(Fault::bad_input("if_match", message))
                }
                None => Ok(Some(Condition::Is(tags.into_iter().map(str::to_owned).collect()))),
            }
        }
        (None, Some("*")) => Ok(Some(Condition::New)),
        (None, _) => Ok(None),
    }
}

async fn check(host: &Host, msg: &Msg, condition: &Condition) -> Result<(), Fault> {
    if host.space().binding_for(&Kind::Get, &msg.uri).is_none() {
        return Ok(());
    }
    let mut ask = host.message(Kind::Get, msg.uri.clone(), msg.tenant.clone()).with_data(Data::EMPTY);
    let head = ask.head_mut();
    head.source = "conditions".into();
    head.principal = msg.principal.clone();
    head.correlation = msg.correlation;
    head.causation = Some(msg.id);
    head.deadline_ms = msg.deadline_ms;
    let now = host.run(ask).await;
    let holds = match (condition, &now) {
        (Condition::New, now) => now.is_err(),
        (Condition::Exists, Ok(_)) => true,
        (Condition::Exists, Err(fault)) => fault.status() != 404,
        (Condition::Is(tags), Ok(Answer { version: Some(version), .. })) => {
            // A weak tag never matches here: two versions may share it.
            let tag = format!("\"v{version}\"");
            tags.contains(&tag)
        }
        (Condition::Is(_), _) => true,
    };
    if holds {
        return Ok(());
    }
    let fault = Fault::conflict("precondition_failed", "somebody else has changed this meanwhile; read it again");
    let version = now.ok().and_then(|answer| answer.version);
    Err(version.into_iter().fold(fault, |fault, version| fault.header("etag", format!("\"v{version}\""))))
}
