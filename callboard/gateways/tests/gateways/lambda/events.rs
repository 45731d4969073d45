//! Events of every source that ask something of the desk.

use super::desk::Ask;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Where each source leads, for an ask.
pub(crate) fn routes(ask: Ask) -> String {
    let aim = format!("{} {}", ask.method(), ask.uri());
    let sources = [
        "arn:aws:sqs:*:desk",
        "arn:aws:sqs:*:desk.fifo",
        "arn:aws:sns:*:desk",
        "arn:aws:s3:::desk",
        "arn:aws:dynamodb:*:table/desk/stream/*",
        "arn:aws:kinesis:*:stream/desk",
        "arn:aws:events:*:rule/desk",
        "arn:aws:scheduler:*:schedule/default/desk",
        "events:shop:Tea-Asked",
        "websocket:desk",
        "direct",
    ];
    sources.map(|source| format!("{source} {aim}\n")).concat()
}

fn headers() -> Value {
    json!({
        "host": "localhost", "authorization": "Bearer t-viewer", "idempotency-key": "k1", "content-type": "application/json",
    })
}

fn body(ask: Ask) -> Value {
    if ask == Ask::Read { Value::Null } else { json!("{\"text\":\"hello\"}") }
}

pub(crate) fn http_v2(ask: Ask) -> Value {
    v2_of(ask, "a1.execute-api.eu-central-1.amazonaws.com")
}

pub(crate) fn function_url(ask: Ask) -> Value {
    v2_of(ask, "u1.lambda-url.eu-central-1.on.aws")
}

fn v2_of(ask: Ask, domain: &str) -> Value {
    let path = format!("/api{}", ask.uri());
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers(),
        "requestContext": {
            "domainName": domain, "stage": "$default", "requestId": "r1",
            "http": {"method": ask.method(), "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9"},
        },
        "body": body(ask), "isBase64Encoded": false,
    })
}

pub(crate) fn rest(ask: Ask) -> Value {
    let path = format!("/api{}", ask.uri());
    let headers: serde_json::Map<String, Value> =
        headers().as_object().unwrap().iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
    json!({
        "resource": "/{proxy+}", "path": path, "httpMethod": ask.method(), "headers": null, "multiValueHeaders": headers,
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "requestContext": {"path": format!("/prod{path}"), "stage": "prod", "identity": {"sourceIp": "203.0.113.9"}},
        "body": body(ask), "isBase64Encoded": false,
    })
}

pub(crate) fn alb(ask: Ask) -> Value {
    json!({
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/desk/1"}},
        "httpMethod": ask.method(), "path": format!("/api{}", ask.uri()), "queryStringParameters": {}, "headers": headers(),
        "body": body(ask).as_str().unwrap_or_default(), "isBase64Encoded": false,
    })
}

pub(crate) fn socket(ask: Ask) -> Value {
    json!({
        "requestContext": {
            "routeKey": "$default", "eventType": "MESSAGE", "connectionId": "c1", "apiId": "desk", "stage": "prod",
            "domainName": "a1.execute-api.eu-central-1.amazonaws.com", "requestId": "r1",
        },
        "body": body(ask), "isBase64Encoded": false,
    })
}

pub(crate) fn sqs_record(queue: &str, id: &str, body: &str) -> Value {
    json!({
        "messageId": id, "receiptHandle": "h", "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": "g", "SentTimestamp": "1"},
        "messageAttributes": {}, "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:eu-central-1:1:{queue}"), "awsRegion": "eu-central-1",
    })
}

pub(crate) fn sqs(queue: &str) -> Value {
    json!({"Records": [sqs_record(queue, "m1", "{\"text\":\"hello\"}")]})
}

pub(crate) fn sns() -> Value {
    json!({"Records": [{
        "EventVersion": "1.0", "EventSubscriptionArn": "arn:aws:sns:eu-central-1:1:desk:s1", "EventSource": "aws:sns",
        "Sns": {
            "Type": "Notification", "MessageId": "m1", "TopicArn": "arn:aws:sns:eu-central-1:1:desk",
            "Message": "{\"text\":\"hello\"}", "Timestamp": "2026-01-01T00:00:00.000Z",
        },
    }]})
}

pub(crate) fn s3() -> Value {
    json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-central-1", "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": "desk", "arn": "arn:aws:s3:::desk"},
            "object": {"key": "hello", "size": 1024, "eTag": "e", "sequencer": "0A1B2C3D4E5F678901"},
        },
    }]})
}

pub(crate) fn dynamodb() -> Value {
    json!({"Records": [{
        "eventID": "e1", "eventName": "INSERT", "eventSource": "aws:dynamodb",
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:1:table/desk/stream/2026-01-01T00:00:00.000",
        "dynamodb": {"Keys": {"id": {"S": "tea"}}, "NewImage": {"text": {"S": "hello"}}, "SequenceNumber": "111"},
    }]})
}

pub(crate) fn kinesis() -> Value {
    json!({"Records": [{
        "eventID": "shard-1:49", "eventSource": "aws:kinesis", "eventSourceARN": "arn:aws:kinesis:eu-central-1:1:stream/desk",
        "kinesis": {"partitionKey": "p", "sequenceNumber": "49", "data": STANDARD.encode("{\"text\":\"hello\"}")},
    }]})
}

fn bridge(source: &str, kind: &str, resources: Value, detail: Value) -> Value {
    json!({
        "version": "0", "id": "e1", "detail-type": kind, "source": source, "account": "1", "time": "2026-01-01T00:00:00Z",
        "region": "eu-central-1", "resources": resources, "detail": detail,
    })
}

pub(crate) fn eventbridge() -> Value {
    bridge("shop", "Tea Asked", json!([]), json!({"text": "hello"}))
}

pub(crate) fn rule() -> Value {
    let rule = json!(["arn:aws:events:eu-central-1:1:rule/desk"]);
    bridge("aws.events", "Scheduled Event", rule, json!({"text": "hello"}))
}

pub(crate) fn scheduler() -> Value {
    let schedule = json!(["arn:aws:scheduler:eu-central-1:1:schedule/default/desk"]);
    bridge("aws.scheduler", "Scheduled Event", schedule, json!({"text": "hello"}))
}

/// What a task of Step Functions, a schedule with an input of its own and a direct invocation send.
pub(crate) fn direct() -> Value {
    json!({"text": "hello"})
}
