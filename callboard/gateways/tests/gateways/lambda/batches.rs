//! What a source hears of a batch: which of it comes again, and what follows a failure where order counts.

use super::desk::{self, Ask};
use super::{Function, events};
use callboard::Kind;
use serde_json::{Value, json};

const SOURCES: &str = "arn:aws:sqs:*:desk* post /notes/{queue}/count; arn:aws:sqs:*:notes* own /notes;
    arn:aws:kinesis:*:stream/desk own /notes; arn:aws:sns:*:asked note /asked/{topic}; direct own /notes";

async fn function() -> Function {
    Function::new(vec![desk::service(Ask::Count)], SOURCES).await
}

/// A note in our own form.
fn own(id: &str, subject: &str, data: Value) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "test", "type": "post", "subject": subject, "data": data,
           "principal": "service", "tenant": "other", "hops": 0})
}

fn batch(queue: &str, bodies: &[Value]) -> Value {
    let record = |(at, body): (usize, &Value)| events::sqs_record(queue, &format!("m{at}"), &body.to_string());
    json!({"Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>()})
}

fn failures(answer: &Value) -> Vec<&str> {
    let failed = answer["batchItemFailures"].as_array().unwrap();
    failed.iter().map(|one| one["itemIdentifier"].as_str().unwrap()).collect()
}

async fn notes(function: &Function) -> Vec<String> {
    function.bench.inspect("SELECT tenant || ' ' || id FROM note ORDER BY id").await
}

#[tokio::test]
async fn only_what_failed_comes_again() {
    let function = function().await;
    let text = || json!({"text": "x"});
    let bodies =
        [own("1", "/notes/a", text()), own("2", "/elsewhere", text()), own("3", "/notes/b", text()), json!("no")];
    let answer = function.invoke(&batch("notes", &bodies)).await.unwrap();
    assert_eq!(failures(&answer), ["m1", "m3"]);
    assert_eq!(
        notes(&function).await,
        ["demo a", "demo b"],
        "the channel is the deployment's, whatever the message says"
    );
    let again = function.invoke(&batch("notes", &bodies)).await.unwrap();
    assert_eq!(failures(&again), ["m1", "m3"]);
}

#[tokio::test]
async fn where_order_counts_what_follows_a_failure_comes_again_too() {
    let function = function().await;
    let text = || json!({"text": "x"});
    let bodies = [own("1", "/notes/a", text()), json!(7), own("3", "/notes/b", text())];
    let answer = function.invoke(&batch("notes.fifo", &bodies)).await.unwrap();
    assert_eq!(failures(&answer), ["m1", "m2"]);
    assert_eq!(notes(&function).await, ["demo a"]);
}

#[tokio::test]
async fn a_stream_goes_on_at_the_first_failure() {
    let function = function().await;
    let record = |number: &str, body: &Value| {
        let mut event = events::kinesis();
        let record = &mut event["Records"][0];
        record["kinesis"]["sequenceNumber"] = number.into();
        record["kinesis"]["data"] = base64_of(&body.to_string()).into();
        record.take()
    };
    let note = own("1", "/notes/a", json!({"text": "x"}));
    let records = json!({"Records": [record("1", &note), record("2", &json!(7)), record("3", &json!(8))]});
    assert_eq!(failures(&function.invoke(&records).await.unwrap()), ["2"]);
    assert_eq!(notes(&function).await, ["demo a"]);
}

fn base64_of(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test]
async fn the_same_message_twice_in_a_batch_is_done_once_and_an_empty_batch_is_nothing() {
    let function = function().await;
    let one = events::sqs_record("desk", "m1", "{}");
    assert_eq!(failures(&function.invoke(&json!({"Records": [one, one]})).await.unwrap()), Vec::<&str>::new());
    assert_eq!(function.bench.inspect("SELECT CAST(count AS TEXT) FROM tally").await, ["1"]);
    assert_eq!(failures(&function.invoke(&json!({"Records": []})).await.unwrap()), Vec::<&str>::new());
}

#[tokio::test]
async fn a_batch_of_which_nobody_could_say_what_failed_is_not_begun() {
    let function = function().await;
    let mut event = json!({"Records": [events::sqs_record("desk", "m1", "{}"), events::sqs_record("desk", "", "{}")]});
    assert_eq!(function.invoke(&event).await.unwrap_err().code, "event.invalid");
    event["Records"][1]["messageId"] = Value::Null;
    assert_eq!(function.invoke(&event).await.unwrap_err().code, "event.invalid");
    event["Records"][1] = events::sns()["Records"][0].clone();
    assert_eq!(function.invoke(&event).await.unwrap_err().code, "event.invalid");
    assert!(function.bench.inspect("SELECT id FROM tally").await.is_empty());
}

#[tokio::test]
async fn what_a_topic_tells_a_queue_is_the_message_inside() {
    let function = function().await;
    let inside = json!({
        "Type": "Notification", "MessageId": "n1", "TopicArn": "arn:aws:sns:eu-central-1:1:t", "Timestamp": "t",
        "Message": own("1", "/notes/a", json!({"text": "inside"})).to_string(),
    });
    assert_eq!(failures(&function.invoke(&batch("notes", &[inside])).await.unwrap()), Vec::<&str>::new());
    assert_eq!(function.bench.inspect("SELECT text FROM note").await, ["inside"]);
}

#[tokio::test]
async fn an_event_reaches_whoever_listens_once_for_each_message() {
    let function = function().await;
    let mut event = events::sns();
    event["Records"][0]["Sns"]["TopicArn"] = "arn:aws:sns:eu-central-1:1:asked".into();
    for _ in 0..2 {
        assert_eq!(function.invoke(&event).await.unwrap(), Value::Null);
    }
    function.bench.settle().await;
    assert_eq!(notes(&function).await, ["demo asked"]);
    let log = function.bench.messages().await;
    let told: Vec<&Value> = log.iter().filter(|event| event["type"] == "note").collect();
    assert_eq!((told.len(), told[0]["source"].as_str()), (1, Some("aws:sns")));
    assert_eq!(told[0]["principal"], json!({"service": "aws:sns"}));
}

#[tokio::test]
async fn an_invocation_that_is_tried_again_is_done_once_and_hears_the_same() {
    let function = function().await;
    let event = own("1", "/notes/a/count", json!({}));
    let invoke = || function.invoke_as("the-same", &event);
    let first = invoke().await.unwrap();
    assert_eq!((first, invoke().await.unwrap()), (json!({"count": 1}), json!({"count": 1})));
    let away = function.invoke(&own("2", "/elsewhere", json!({}))).await.unwrap_err();
    assert_eq!(away.code, "event.address");
    let kind = Kind::from("post".to_owned());
    assert!(function.bench.viewer().send(kind, "/notes/a/count", callboard::Data::EMPTY).await.is_ok());
}
