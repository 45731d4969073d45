//! What functions do through their answers, and that what they did not declare is refused with the line to write.

use crate::stage::{Stage, python};
use callboard::{Empty, Fault, FaultKind, Kind, Msg, Reply, Service, Stranger, Who};
use serde_json::{Value, json};

/// Answers with what it is sent.
const MIRROR: &str = "def handler(event, context):\n    return {'$reply': event['data']}\n";

async fn do_it(stage: &Stage, reply: Value) -> Result<callboard::Answer, Fault> {
    stage.bench.nobody().post("/do", reply).await
}

#[tokio::test]
async fn what_is_declared_is_committed_with_the_answer() {
    let more = "events = [\"created /things/{id}\", \"greeted /people/{id}\"]\nsends = [\"POST /letters\"]\ndocuments = true\n\
        [[function]]\non = [\"POST /letters\", \"greeted /people/{id}\"]\nhandler = \"letters.py\"";
    let letters = "def handler(event, context):\n    print(event['type'], event['uri'], event['data'], event['principal']['kind'])\n";
    let stage = Stage::new(&python(more), &[("do.py", MIRROR), ("letters.py", letters)]).await;
    let reply = json!({
        "body": {"id": 7}, "created": "/things/7",
        "events": [{"on": "greeted /people/7", "data": {"by": "me"}}],
        "sends": [{"on": "POST /letters", "data": {"to": "7"}}],
        "puts": [{"key": "seven", "value": {"n": 7}, "version": 0}],
    });
    let answer = do_it(&stage, reply.clone()).await.expect("an answer");
    assert_eq!((answer.status(), answer.json()), (201, json!({"id": 7})));
    stage.bench.settle().await;
    let kinds: Vec<Value> = stage.bench.messages().await.iter().map(|message| message["type"].clone()).collect();
    assert_eq!(kinds, ["greeted", "created"]);
    let mut lines = stage.printed(2).await;
    lines.sort();
    assert_eq!(lines, ["greeted /people/7 {'by': 'me'} service", "post /letters {'to': '7'} service"]);
    let again = do_it(&stage, reply).await.expect_err("the document is there");
    assert_eq!((again.code, again.kind), ("precondition_failed", FaultKind::Conflict));
    assert_eq!(stage.bench.settle().await, 0, "nothing else of the second was committed");
}

#[tokio::test]
async fn what_is_not_declared_is_a_defect_whose_author_reads_the_line_to_write() {
    let stage = Stage::new(&python(""), &[("do.py", MIRROR)]).await;
    for (reply, advice) in [
        (json!({"created": "/things/7"}), "declare `events = [\"created /things/{id}\"]`"),
        (json!({"events": [{"on": "greeted /people/7/of/b2-c"}]}), "`events = [\"greeted /people/{id}/of/{id_b}\"]`"),
        (
            json!({"events": [{"on": "greeted /people/ada"}]}),
            "`events = [\"greeted /people/ada\"]`, or a pattern such as `greeted /people/{id}`",
        ),
        (json!({"sends": [{"on": "POST /letters"}]}), "`sends = [\"POST /letters\"]`"),
        (json!({"starts": [{"flow": "publish", "key": "k"}]}), "`starts = [\"publish\"]`"),
        (json!({"puts": [{"key": "k", "value": 1}]}), "`documents = true`"),
    ] {
        let fault = do_it(&stage, reply).await.expect_err(advice);
        assert_eq!((fault.code, fault.status()), ("function.undeclared", 500));
        assert!(fault.message.ends_with(advice), "{}\nshould end with {advice}", fault.message);
        assert_eq!(stage.told.borrow().last().map(|(_, _, told)| told), Some(&fault.message));
    }
    assert_eq!(stage.bench.messages().await.len(), 0);
}

#[tokio::test]
async fn what_a_function_refuses_is_told_to_its_caller_alone() {
    let stage = Stage::new(&python(""), &[("do.py", MIRROR)]).await;
    let refused = json!({"fault": {"kind": "not_found", "message": "no such thing"}});
    assert_eq!(do_it(&stage, refused).await.expect_err("it refuses").status(), 404);
    assert!(stage.told.borrow().is_empty());
    do_it(&stage, json!({"bdy": 1})).await.expect_err("that is no answer");
    assert!(stage.told.borrow().iter().any(|(_, _, told)| told.contains("unknown field `bdy`")));
}

async fn secret(_: Msg<Empty>) -> Result<Reply<&'static str>, Fault> {
    Ok(Reply::ok("secret"))
}

fn library() -> Service {
    Service::new("library").on(Kind::Get, "/books/{id}", secret, Who::Anyone, Stranger::Denied).on(
        Kind::Get,
        "/vault/{id}",
        secret,
        Who::Role("owner"),
        Stranger::Denied,
    )
}

#[tokio::test]
async fn it_reads_what_it_declares_with_the_authority_of_whoever_calls() {
    let code = "def handler(event, context):\n    try:\n        return context.read(event['data'])\n    except Exception as error:\n        return [error.status, error.code, str(error)]\n";
    let stage =
        Stage::beside(&python("reads = [\"/books/{id}\", \"/vault/{id}\"]"), &[("do.py", code)], vec![library()]).await;
    assert_eq!(do_it(&stage, json!("/books/1")).await.expect("an answer").json(), "secret");
    assert_eq!(do_it(&stage, json!("/vault/1")).await.expect("an answer").json()[0], 401);
    let owner = stage.bench.owner().post("/do", json!("/vault/1")).await.expect("an answer");
    assert_eq!(owner.json(), "secret");
    let said = do_it(&stage, json!("/people/1")).await.expect("an answer").json();
    assert_eq!((&said[0], &said[1]), (&json!(403), &json!("function.undeclared")));
    assert!(said[2].as_str().is_some_and(|text| text.contains("reads = [\"/people/{id}\"]")), "{said}");
}

#[tokio::test]
async fn documents_have_versions_and_a_token_ends_with_its_invocation() {
    let code = "import os\nfrom urllib import request\nkept = []\n\ndef handler(event, context):\n    if event['data'] == 'token':\n        kept.append(context._token)\n        return None\n    if event['data'] == 'again':\n        asked = request.Request(os.environ['CALLBOARD_URL'] + '/~documents/n', headers={'authorization': 'Bearer ' + kept[0]})\n        try:\n            return request.urlopen(asked, timeout=5).status\n        except Exception as error:\n            return error.code\n    value, version = context.document('n')\n    return {'$reply': {'body': version, 'puts': [{'key': 'n', 'value': (value or 0) + 1, 'version': version}]}}\n";
    let stage = Stage::new(&python("documents = true"), &[("do.py", code)]).await;
    for version in 0..3 {
        assert_eq!(do_it(&stage, json!("count")).await.expect("an answer").json(), json!(version));
    }
    let other = stage.bench.nobody().in_tenant("other").post("/do", json!("count")).await.expect("an answer");
    assert_eq!(other.json(), 0, "another tenant has its own");
    do_it(&stage, json!("token")).await.expect("an answer");
    assert_eq!(do_it(&stage, json!("again")).await.expect("an answer").json(), 403);
}

#[tokio::test]
async fn the_same_policy_and_the_same_faults_as_of_any_function() {
    let stage = Stage::new(&python("").replace("anyone", "role:editor"), &[("do.py", MIRROR)]).await;
    assert_eq!(do_it(&stage, json!({})).await.expect_err("nobody may").code, "not_signed_in");
    assert_eq!(stage.bench.viewer().post("/do", json!({})).await.expect_err("a viewer may not").code, "denied");
    let refused = json!({"fault": {"kind": "not_found", "message": "no such thing", "field": "id"}});
    let fault = stage.bench.editor().post("/do", refused).await.expect_err("it refuses");
    assert_eq!((fault.code, fault.status(), &*fault.message), ("function.refused", 404, "no such thing"));
    let page = json!({"text": "<p>hi</p>", "media_type": "text/html; charset=utf-8", "headers": {"cache-control": "no-store"}});
    let answer = stage.bench.editor().post("/do", page).await.expect("an answer");
    let callboard::AnswerBody::Bytes { media_type, bytes } = answer.body else { panic!("a body") };
    assert_eq!((&*media_type, &bytes[..]), ("text/html; charset=utf-8", &b"<p>hi</p>"[..]));
}
