//! The local gateway: one call from a command line, dispatched without a server and printed.

use crate::intake::{self, Halt, is_opaque};
use bytes::Bytes;
use callboard::{Answer, AnswerBody, Data, Fault, Host, KEY_BYTES_MAX, Kind, Outcome, Principal, Tenant, Uri};
use futures_util::StreamExt;
use hyper::StatusCode;
use std::io::Write;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const USAGE: &str = "write: METHOD URI [--data TEXT|@FILE] [--type MEDIA-TYPE] [--tenant NAME] \
     [--as PERSON[:ROLE,ROLE]] [--header NAME:VALUE]";

/// A call to make.
#[derive(Clone, Debug)]
pub struct Call {
    /// What to do.
    pub kind: Kind,
    /// With which resource or page, without any mount.
    pub uri: Uri,
    /// What it carries.
    pub data: Data,
    /// In which tenant.
    pub tenant: Tenant,
    /// As whom: the operator's own service unless somebody else is named.
    pub principal: Principal,
    /// Transport attributes, lower-case, such as `if-match`.
    pub meta: Vec<(String, String)>,
}

/// Reads the words of a command line: `POST /series --data '{"title":"Night shift"}' --tenant demo`. `PAGE` and `FORM`
/// reach pages. Without `--tenant` the call goes to the tenant that is given.
///
/// # Errors
/// `call.usage` with the word that is wrong; `uri`.
pub fn parse_call(words: &[String], tenant: &Tenant) -> Result<Call, Fault> {
    let mut words = words.iter().map(String::as_str);
    let (Some(method), Some(address)) = (words.next(), words.next()) else {
        return Err(usage("a call needs two words"));
    };
    let kind = kind_of(method).ok_or_else(|| usage(format!("`{method}` is no method")))?;
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut call = Call {
        uri: Uri::from_encoded(path)?,
        data: if query.is_empty() { Data::EMPTY } else { Data::form(query.to_owned()) },
        tenant: tenant.clone(),
        principal: Principal::Service("cli".into()),
        meta: Vec::new(),
        kind,
    };
    while let Some(option) = words.next() {
        let mut value = || words.next().ok_or_else(|| usage(format!("`{option}` needs a value")));
        match option {
            "--data" => call.data = data_of(&call.kind, value()?)?,
            "--type" => call.data.media_type = value()?.to_owned().into(),
            "--tenant" => call.tenant = Tenant::new(value()?),
            "--as" => call.principal = person(value()?),
            "--header" => call.meta.push(header(value()?)?),
            _ => return Err(usage(format!("`{option}` is no option"))),
        }
    }
    if call.kind.is_safe() && !call.data.bytes.is_empty() && query.is_empty() {
        return Err(usage("a call that only reads takes a query, `URI?name=value`, instead of --data"));
    }
    Ok(call)
}

fn usage(problem: impl std::fmt::Display) -> Fault {
    Fault::bad_input("call.usage", format!("{problem}; {USAGE}"))
}

fn kind_of(method: &str) -> Option<Kind> {
    match Kind::from(method.to_ascii_lowercase()) {
        Kind::Event(_) => None,
        kind => Some(kind),
    }
}

fn data_of(kind: &Kind, value: &str) -> Result<Data, Fault> {
    let bytes: Bytes = match value.strip_prefix('@') {
        Some(file) => std::fs::read(file).map_err(|error| usage(format!("`{file}` cannot be read: {error}")))?.into(),
        None => value.to_owned().into(),
    };
    let media_type = if *kind == Kind::Form { "application/x-www-form-urlencoded" } else { "application/json" };
    Ok(Data { media_type: media_type.into(), bytes })
}

fn person(value: &str) -> Principal {
    let (id, roles) = value.split_once(':').unwrap_or((value, ""));
    let roles: Vec<&str> = roles.split(',').filter(|role| !role.is_empty()).collect();
    Principal::person(id, &roles)
}

fn header(value: &str) -> Result<(String, String), Fault> {
    let (name, value) = value.split_once(':').ok_or_else(|| usage(format!("`{value}` is no header")))?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

/// Makes the call and prints status, headers and body. Says whether it succeeded.
///
/// # Errors
/// Where the output cannot be written.
pub async fn run(host: &Host, call: Call, out: &mut (dyn Write + Send)) -> std::io::Result<bool> {
    let mut msg = host.message(call.kind, call.uri, call.tenant);
    let id = msg.id;
    let head = msg.head_mut();
    head.source = "cli".into();
    head.principal = call.principal;
    let key = call.meta.iter().find(|(name, _)| name == "idempotency-key").map(|(_, key)| key.as_str());
    head.idempotency_key = key.filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len())).map(Into::into);
    head.meta = call.meta.into_iter().map(|(name, value)| (name.into(), value)).collect();
    let opaque = is_opaque(&call.data.media_type).then_some(call.data.bytes.clone());
    msg.data = if opaque.is_some() { Data::EMPTY } else { call.data };
    let cause = msg.head.clone();
    let mut result = host.run(msg).await;
    if let Ok(Answer { body: AnswerBody::Intake(intake), .. }) = &result {
        let stop = CancellationToken::new();
        let halt = Halt { stop: &stop, taken_over: &stop, pause: Duration::MAX };
        let mut source = opaque;
        result = match intake::store(host, &cause, intake, &mut source, halt).await {
            Ok(Some(last)) => Ok(last),
            Ok(None) => result.map(|answer| Answer { body: AnswerBody::Nothing, ..answer }),
            Err(fault) => Err(fault),
        };
    }
    match result {
        Ok(answer) => print_answer(host, answer, out).await,
        Err(fault) => {
            let problem = fault.problem(&id.to_string());
            print_head(out, fault.status(), &fault.headers)?;
            writeln!(out, "content-type: application/problem+json\n\n{problem:#}")?;
            if let Some(detail) = &fault.detail {
                writeln!(out, "\n{detail}")?;
            }
            Ok(false)
        }
    }
}

fn print_head(out: &mut (dyn Write + Send), status: u16, headers: &[(&str, String)]) -> std::io::Result<()> {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    writeln!(out, "{status} {reason}")?;
    headers.iter().try_for_each(|(name, value)| writeln!(out, "{name}: {value}"))
}

async fn print_answer(host: &Host, answer: Answer, out: &mut (dyn Write + Send)) -> std::io::Result<bool> {
    print_head(out, answer.status(), &answer.headers)?;
    match &answer.outcome {
        Outcome::Created(uri) | Outcome::Accepted(uri) => writeln!(out, "location: {uri}")?,
        Outcome::SeeOther(path) | Outcome::Moved(path) => writeln!(out, "location: {path}")?,
        Outcome::Ok | Outcome::Changed(_) | Outcome::Deleted(_) | Outcome::Refused(_) => {}
    }
    if let Some(version) = answer.version {
        writeln!(out, "etag: \"v{version}\"")?;
    }
    for cookie in &answer.cookies {
        // Whoever calls by hand wants the session; it is on their own terminal, not in a log.
        writeln!(out, "set-cookie: {}={}; max-age={}", cookie.name, cookie.value, cookie.age_s)?;
    }
    match &answer.body {
        AnswerBody::Nothing | AnswerBody::Intake(_) => {}
        AnswerBody::Bytes { media_type, bytes } => {
            writeln!(out, "content-type: {media_type}\n")?;
            match serde_json::from_slice::<serde_json::Value>(bytes) {
                Ok(value) if media_type.contains("json") => writeln!(out, "{value:#}")?,
                _ => out.write_all(bytes)?,
            }
        }
        AnswerBody::Pieces { media_type, pieces } => {
            writeln!(out, "content-type: {media_type}\n")?;
            let mut source = pieces.take().unwrap_or_else(|| Box::pin(futures_util::stream::empty()));
            while let Some(piece) = source.next().await {
                out.write_all(&piece.map_err(std::io::Error::other)?)?;
            }
        }
        AnswerBody::Blob(blob) => {
            writeln!(out, "content-type: {}\n", blob.media_type)?;
            let mut bytes = host.ports().blobs.read(&blob.key, None).await.map_err(std::io::Error::other)?;
            while let Some(piece) = bytes.next().await {
                out.write_all(&piece.map_err(std::io::Error::other)?)?;
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Call, Fault> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse_call(&words, &Tenant::new("demo"))
    }

    #[test]
    fn a_call_is_read_with_all_its_options() {
        let call = parse(
            "patch /series/7 --data {\"title\":\"x\"} --tenant other --as p1:viewer,editor --header If-Match:\"v3\"",
        )
        .unwrap();
        assert_eq!((call.kind, call.uri.as_str(), call.tenant.as_str()), (Kind::Patch, "/series/7", "other"));
        assert!(call.principal.has_role("editor") && !call.principal.has_role("owner"));
        assert_eq!(call.meta, [("if-match".to_owned(), "\"v3\"".to_owned())]);
        assert_eq!(call.data.read::<serde_json::Value>().unwrap()["title"], "x");
    }

    #[test]
    fn without_options_the_operator_calls_the_given_tenant() {
        let call = parse("GET /series?limit=2").unwrap();
        assert_eq!(call.principal, Principal::Service("cli".into()));
        assert_eq!(call.tenant.as_str(), "demo");
        assert_eq!(&call.data.bytes[..], b"limit=2");
    }

    #[test]
    fn what_cannot_be_a_call_says_why() {
        for (line, part) in [
            ("GET", "two words"),
            ("FETCH /series", "`FETCH` is no method"),
            ("GET /series --verbose 1", "`--verbose` is no option"),
            ("GET /series --verbose", "`--verbose` is no option"),
            ("POST /series --data", "`--data` needs a value"),
            ("GET /series --data {}", "takes a query"),
            ("POST /series --data @/nowhere/at-all", "cannot be read"),
        ] {
            let fault = parse(line).expect_err(line);
            assert_eq!(fault.code, "call.usage", "{line}");
            assert!(fault.message.contains(part), "{} should mention {part}", fault.message);
        }
        assert_eq!(parse("GET /a/../b").expect_err("it climbs").code, "uri");
    }
}
