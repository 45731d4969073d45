//! Keys of several tenants at one Invoke endpoint: what each sees, changes and queues, and what is refused to whoever has none.

use crate::stage::{Lines, folder, functions};
use crate::wire::{Said, Wire};
use callboard::operator;
use callboard::policy::{Policy, Question, Refusal, Tables};
use callboard::{Empty, Fault, Kind, Msg, Reply, Service, Stranger, Uri, Who};
use callboard_bench::{Bench, Kept};
use callboard_hosts::invoke::{self, Keys};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpListener;

const KEYS: &str =
    "harbour-crew:lantern/fish+parade=31@harbour,valley-crew:quiet/harbour+wind=7@valley,desk:night/ferry+leaves=6";
/// Id and secret of whoever belongs to one tenant, to another, and of the operator.
const HARBOUR: (&str, &str) = ("harbour-crew", "lantern/fish+parade=31");
const VALLEY: (&str, &str) = ("valley-crew", "quiet/harbour+wind=7");
const DESK: (&str, &str) = ("desk", "night/ferry+leaves=6");

/// When the bench's clock stands.
const NOW: &str = "20260101T000000Z";

/// Keeps what it is sent and tells it; sent nothing, it shows what is kept, and for whom it runs.
const NOTES: &str = r#"
def handler(event, context):
    note, _ = context.document('note')
    if event['data'] is None:
        return [event['tenant'], event['principal']['id'], note]
    print(event['tenant'], 'keeps', event['data'])
    told = [{'on': 'noted /notes/1', 'data': event['data']}]
    return {'$reply': {'puts': [{'key': 'note', 'value': event['data']}], 'events': told}}
"#;
/// Reads and sends whatever it is told to.
const CLERK: &str = r#"
def handler(event, context):
    try:
        found = context.read('/registry')
    except Exception as error:
        found = error.code
    return {'$reply': {'body': found, 'sends': [{'on': 'POST /registry', 'data': {}}] if event['data'] else []}}
"#;
const NOTES_DECLARED: &str = "[[function]]\non = \"POST /clerk\"\nhandler = \"clerk.py\"\nreads = [\"/registry\"]\nsends = [\"POST /registry\"]\n\
    [[function]]\non = \"POST /notes\"\nhandler = \"notes.py\"\ndocuments = true\nevents = [\"noted /notes/{id}\"]";

/// The tables, and nothing at all in one tenant.
struct Closed(&'static str);

impl Policy for Closed {
    fn decide(&self, question: &Question<'_>) -> Result<(), Box<Refusal>> {
        let refusal = || Refusal { rule: format!("{} is closed", self.0), changes: Vec::new(), instead: None };
        if question.tenant.as_str() == self.0 { Err(Box::new(refusal())) } else { Tables.decide(question) }
    }
}

async fn add(_: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().emit(callboard::event("added"), Uri::parse("/registry").expect("a URI"), json!(null)))
}

async fn list_all(_: Msg<Empty>) -> Result<Reply<[&'static str; 2]>, Fault> {
    Ok(Reply::ok(["harbour", "valley"]))
}

/// An endpoint for several tenants.
struct Endpoint {
    bench: Bench,
    address: SocketAddr,
    lines: Lines,
    _folder: TempDir,
}

impl Endpoint {
    async fn new() -> Self {
        Self::decided_by(Tables).await
    }

    async fn decided_by(policy: impl Policy + 'static) -> Self {
        let (folder, lines) = (folder(&[("notes.py", NOTES), ("clerk.py", CLERK)]), Lines::default());
        let functions = functions(NOTES_DECLARED, folder.path(), &lines).await.expect("functions");
        let registry = Service::new("registry")
            .on(Kind::Get, "/registry", list_all, Who::Services, Stranger::NotFound)
            .on(Kind::Post, "/registry", add, Who::Services, Stranger::NotFound)
            .shared_tables(&["registry"])
            .migration("0001_registry", "CREATE TABLE registry (name TEXT PRIMARY KEY)");
        let services = vec![functions.service(), registry, operator::service(), invoke::service()];
        let bench = Bench::shaped(services, Kept::InMemory, |builder| builder.policy(Arc::new(policy))).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let keys = Keys::parse(KEYS).expect("keys");
        let options = invoke::Options { keys, tenant: bench.tenant().clone(), tails: functions.tails.clone() };
        tokio::spawn(invoke::serve(bench.host().clone(), options, listener, std::future::pending()));
        Self { bench, address, lines, _folder: folder }
    }

    /// Invokes with a key and waits for the answer.
    async fn invoke(&self, key: (&str, &str), name: &str, data: Value) -> Said {
        self.invoke_as("RequestResponse", key, name, data).await
    }

    async fn invoke_as(&self, how: &str, key: (&str, &str), name: &str, data: Value) -> Said {
        let name = name.replace(':', "%3A");
        let (path, body) = (format!("/2015-03-31/functions/{name}/invocations"), data.to_string());
        let by = signed(key, how, &self.address.to_string(), &path, &body);
        self.post(&path, &format!("x-amz-invocation-type: {how}\r\nauthorization: {by}\r\n"), &body).await
    }

    async fn post(&self, path: &str, headers: &str, body: &str) -> Said {
        let mut wire = Wire::to(self.address).await;
        let (host, length) = (self.address, body.len());
        let head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\nx-amz-date: {NOW}\r\ncontent-length: {length}\r\n");
        wire.write(format!("{head}{headers}\r\n{body}").as_bytes()).await;
        wire.read().await.expect("the endpoint answers")
    }

    /// What somebody is shown: for which tenant and whom it ran, and what is kept there.
    async fn shown(&self, key: (&str, &str)) -> Value {
        let said = self.invoke(key, "notes", Value::Null).await;
        assert_eq!((said.status, said.header("x-amz-function-error")), (200, None), "{}", said.text());
        serde_json::from_slice(&said.body).expect("JSON")
    }
}

/// The `authorization` of a request, as clients of AWS sign it.
fn signed((id, secret): (&str, &str), how: &str, host: &str, path: &str, body: &str) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let sign = |key: &[u8], text: &str| {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("any length");
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let (names, path) = ("host;x-amz-date;x-amz-invocation-type", path.replace('%', "%25"));
    let digest = hex(&Sha256::digest(body));
    let headers = format!("host:{host}\nx-amz-date:{NOW}\nx-amz-invocation-type:{how}\n");
    let request = format!("POST\n{path}\n\n{headers}\n{names}\n{digest}");
    let scope = [&NOW[..8], "eu-central-1", "lambda", "aws4_request"];
    let key = scope.iter().fold(format!("AWS4{secret}").into_bytes(), |key, part| sign(&key, part));
    let scope = scope.join("/");
    let text = format!("AWS4-HMAC-SHA256\n{NOW}\n{scope}\n{}", hex(&Sha256::digest(request)));
    let signature = hex(&sign(&key, &text));
    format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}")
}

#[tokio::test]
async fn a_key_sees_and_changes_only_what_is_of_its_tenant() {
    let endpoint = Endpoint::new().await;
    let kept = endpoint.invoke(HARBOUR, "notes", json!("six boats")).await;
    assert_eq!((kept.status, kept.header("x-amz-function-error")), (200, None), "{}", kept.text());
    assert_eq!(endpoint.shown(VALLEY).await, json!(["valley", "invoke/valley-crew", null]));
    assert_eq!(
        endpoint.shown(DESK).await,
        json!(["demo", "invoke/desk", null]),
        "a key of none is of the server's own"
    );
    endpoint.invoke(VALLEY, "notes", json!("two barns")).await;
    assert_eq!(endpoint.shown(HARBOUR).await, json!(["harbour", "invoke/harbour-crew", "six boats"]));
    assert_eq!(endpoint.shown(VALLEY).await, json!(["valley", "invoke/valley-crew", "two barns"]));
    endpoint.bench.settle().await;
    let told = endpoint.bench.messages().await;
    let told: Vec<_> = told.iter().map(|event| [&event["type"], &event["tenant"], &event["data"]]).collect();
    assert_eq!(told, [["noted", "harbour", "six boats"], ["noted", "valley", "two barns"]]);
    let theirs = endpoint.bench.service().get("/-/invocations?tenant=harbour").await.expect("what ran").json();
    assert_eq!(theirs["invocations"].as_array().map(Vec::len), Some(2), "{theirs}");
}

#[tokio::test]
async fn nobody_and_strangers_invoke_nothing() {
    let endpoint = Endpoint::new().await;
    endpoint.invoke(HARBOUR, "notes", json!("six boats")).await;
    let path = "/2015-03-31/functions/notes/invocations";
    let nobody = endpoint.post(path, "", "\"mine\"").await;
    assert_eq!((nobody.status, nobody.header("x-amzn-errortype")), (403, Some("MissingAuthenticationTokenException")));
    for (key, error) in [
        (("stranger", HARBOUR.1), "UnrecognizedClientException"),
        (("harbour-crew@harbour", HARBOUR.1), "UnrecognizedClientException"),
        ((HARBOUR.0, VALLEY.1), "InvalidSignatureException"),
        ((HARBOUR.0, "lantern/fish+parade=31@harbour"), "InvalidSignatureException"),
    ] {
        for how in ["RequestResponse", "Event", "DryRun"] {
            let said = endpoint.invoke_as(how, key, "notes", json!("mine")).await;
            assert_eq!((said.status, said.header("x-amzn-errortype")), (403, Some(error)), "{key:?} {how}");
        }
    }
    endpoint.bench.settle().await;
    assert_eq!(endpoint.shown(HARBOUR).await[2], "six boats");
    // Nothing of a long payload is waited for: it never comes.
    for head in ["", "authorization: AWS4-HMAC-SHA256 Credential=stranger/a/b/lambda/aws4_request\r\n"] {
        let mut wire = Wire::to(endpoint.address).await;
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: a\r\nx-amz-date: {NOW}\r\n{head}content-length: 5000000\r\n\r\n");
        wire.write(head.as_bytes()).await;
        assert_eq!(wire.read().await.expect("an answer").status, 403);
    }
}

#[tokio::test]
async fn what_was_signed_is_not_sent_again_as_another_kind_of_invocation() {
    let endpoint = Endpoint::new().await;
    let (path, body) = ("/2015-03-31/functions/notes/invocations", "\"six boats\"");
    let by = signed(HARBOUR, "DryRun", &endpoint.address.to_string(), path, body);
    for how in ["Event", "RequestResponse"] {
        let said = endpoint.post(path, &format!("x-amz-invocation-type: {how}\r\nauthorization: {by}\r\n"), body).await;
        assert_eq!((said.status, said.header("x-amzn-errortype")), (403, Some("InvalidSignatureException")), "{how}");
    }
    let more = format!("x-amz-invocation-type: DryRun\r\nx-amz-log-type: Tail\r\nauthorization: {by}\r\n");
    let said = endpoint.post(path, &more, body).await;
    assert!(said.status == 403 && said.text().contains("sign every header"), "{}", said.text());
    assert_eq!(endpoint.shown(HARBOUR).await[2], json!(null), "nothing was kept");
}

#[tokio::test]
async fn what_nobody_waits_for_is_done_in_the_tenant_of_its_key() {
    let endpoint = Endpoint::new().await;
    let later = endpoint.invoke_as("Event", HARBOUR, "notes", json!("six boats")).await;
    assert_eq!((later.status, later.text()), (202, String::new()));
    assert_eq!(endpoint.shown(HARBOUR).await[2], json!(null), "it is queued");
    endpoint.bench.settle().await;
    assert_eq!(
        endpoint.lines.borrow().iter().map(|(_, _, line)| line.as_str()).collect::<Vec<_>>(),
        ["harbour keeps six boats"]
    );
    assert_eq!(endpoint.shown(HARBOUR).await[2], "six boats");
    assert_eq!((&endpoint.shown(VALLEY).await[2], &endpoint.shown(DESK).await[2]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn a_dry_run_is_well_with_every_key_and_does_nothing() {
    let endpoint = Endpoint::new().await;
    for key in [HARBOUR, VALLEY, DESK] {
        assert_eq!(endpoint.invoke_as("DryRun", key, "notes", json!("six boats")).await.status, 204, "{key:?}");
    }
    assert_eq!(endpoint.bench.settle().await, 0);
    assert_eq!(endpoint.shown(HARBOUR).await[2], json!(null));
}

#[tokio::test]
async fn what_is_of_all_tenants_is_for_keys_of_none() {
    let endpoint = Endpoint::new().await;
    endpoint.invoke(HARBOUR, "notes", json!("six boats")).await;
    // The queue would pass on whatever it is sent, also to the operator's functions.
    let through_the_queue = json!({"kind": "get", "uri": "/-/invocations", "data": null});
    for (name, data) in [
        ("invocations::list", json!({"tenant": "harbour"})),
        ("dead::discard", json!({"all": true})),
        ("list_all", json!(null)),
        ("queue", through_the_queue),
    ] {
        for how in ["RequestResponse", "Event", "DryRun"] {
            let refused = endpoint.invoke_as(how, VALLEY, name, data.clone()).await;
            let error = refused.header("x-amzn-errortype");
            assert_eq!((refused.status, error), (403, Some("AccessDeniedException")), "{name} {how}");
            let message = "this function is of all tenants and your key only of `valley`; invoke it with a key that is of no tenant";
            assert!(refused.text().contains(message), "{}", refused.text());
        }
        let ours = endpoint.invoke(DESK, name, data).await;
        assert_eq!((ours.status, ours.header("x-amz-function-error")), (200, None), "{name}: {}", ours.text());
    }
    let unknown = endpoint.invoke(VALLEY, "nothing", json!(null)).await;
    assert_eq!((unknown.status, unknown.header("x-amzn-errortype")), (404, Some("ResourceNotFoundException")));
}

#[tokio::test]
async fn what_is_of_all_tenants_is_not_reached_through_a_function_either() {
    let endpoint = Endpoint::new().await;
    let read = endpoint.invoke(VALLEY, "clerk", json!(false)).await;
    assert_eq!(read.text(), "\"no_such_uri\"", "read through a function");
    let sent = endpoint.invoke(VALLEY, "clerk", json!(true)).await;
    assert_eq!(sent.header("x-amz-function-error"), Some("Unhandled"), "sent through a function: {}", sent.text());
    endpoint.bench.settle().await;
    assert!(endpoint.bench.messages().await.iter().all(|event| event["type"] != "added"));
    assert_eq!(endpoint.invoke(DESK, "clerk", json!(true)).await.text(), r#"["harbour","valley"]"#);
}

#[tokio::test]
async fn the_policy_decides_for_the_tenant_of_the_key() {
    let endpoint = Endpoint::decided_by(Closed("valley")).await;
    let refused = endpoint.invoke(VALLEY, "notes", json!("two barns")).await;
    assert_eq!((refused.status, refused.header("x-amz-function-error")), (200, Some("Unhandled")));
    assert_eq!(endpoint.invoke(HARBOUR, "notes", json!("six boats")).await.header("x-amz-function-error"), None);
    assert_eq!(endpoint.shown(HARBOUR).await[2], "six boats");
}
