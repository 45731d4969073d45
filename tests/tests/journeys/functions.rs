//! The binary as a function: frozen between invocations, on records that others share, with every source answered in its way.

use crate::bank::Bank;
use crate::channel::Channel;
use crate::runtime::{Function, Queue, batch};
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

/// The services of the first of two functions; the other has the rest.
const SITE: &str = "tenants,identity,access,catalogue,watching,site,studio,media";
const SOURCES: &str = "arn:aws:sqs:*:series post /series; arn:aws:sns:*:series post /series;
    arn:aws:s3:::removals delete /series/{key}; arn:aws:sqs:*:wake due";

/// A request as an HTTP API sends it, from somebody with a session's cookie.
pub(crate) fn request(method: &str, path: &str, cookie: &str, data: &Value) -> Value {
    let cookies: Vec<&str> = [cookie].into_iter().filter(|cookie| !cookie.is_empty()).collect();
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "cookies": cookies,
        "headers": {"host": "localhost", "content-type": "application/json", "sec-fetch-site": "same-origin"},
        "requestContext": {
            "domainName": "localhost", "stage": "$default",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9"},
        },
        "body": if data.is_null() { Value::Null } else { data.to_string().into() }, "isBase64Encoded": false,
    })
}

/// Its answer with this status, read.
#[track_caller]
fn asked(function: &mut Function, status: u16, event: &Value) -> Value {
    let answer = function.invoke(event).unwrap();
    assert_eq!(answer["statusCode"], status, "{answer}");
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap_or(Value::Null)
}

/// Signs the owner in; the cookie as a browser sends it back.
fn sign_in(function: &mut Function) -> String {
    let who = json!({"email": "owner@channel.example", "password": "lantern fish parade 31"});
    let answer = function.invoke(&request("POST", "/api/sessions", "", &who)).unwrap();
    let cookie = answer["cookies"][0].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert!(cookie.starts_with("__Host-session=") && cookie.contains("; Secure"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

fn titles(function: &mut Function) -> Vec<String> {
    let list = asked(function, 200, &request("GET", "/api/series", "", &Value::Null));
    let mut titles: Vec<String> =
        list["items"].as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    titles
}

fn site(channel: &Channel) -> Function {
    let settings = [("SHOWRUNNER_SERVICES", SITE.to_owned()), ("SHOWRUNNER_LAMBDA_SOURCES", SOURCES.to_owned())];
    Function::start(&channel.data(), &settings)
}

#[test]
fn an_http_request_is_answered_by_a_function_that_was_frozen_before() {
    let channel = Channel::closed();
    let mut function = site(&channel);
    let cookie = sign_in(&mut function);
    let made = asked(&mut function, 201, &request("POST", "/api/series", &cookie, &json!({"title": "Night ferry"})));
    let id = made["id"].as_str().unwrap();
    let read = asked(&mut function, 200, &request("GET", &format!("/api/series/{id}"), "", &Value::Null));
    assert_eq!(read["title"], "Night ferry");
    let refused = asked(&mut function, 401, &request("POST", "/api/series", "", &json!({"title": "Day ferry"})));
    assert_eq!(refused["code"], "not_signed_in");
    let page = function.invoke(&request("GET", "/", "", &Value::Null)).unwrap();
    assert!(page["body"].as_str().unwrap().contains("<h1 class=\"visually-hidden\">Lantern Street</h1>"), "{page}");
    // Payments are another function's.
    let tips = asked(&mut function, 404, &request("GET", "/api/tips", &cookie, &Value::Null));
    assert_eq!(tips["code"], "no_such_uri");
}

#[test]
fn a_poison_in_a_batch_comes_again_alone_and_what_comes_again_is_done_once() {
    let channel = Channel::closed();
    let mut function = site(&channel);
    let series = |title: Value| json!({"title": title});
    let all = batch("series", &[("m1", series("One".into())), ("m2", series(7.into())), ("m3", series("Two".into()))]);
    for _ in 0..2 {
        let answer = function.invoke(&all).unwrap();
        assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "m2"}]}));
    }
    assert_eq!(titles(&mut function), ["One", "Two"]);
    assert!(function.log_text().contains("`title` is not what is expected"), "{}", function.log_text());
}

#[test]
fn a_notification_that_comes_twice_and_an_object_take_effect_once() {
    let channel = Channel::closed();
    let mut function = site(&channel);
    let told = json!({"Records": [{"EventVersion": "1.0", "EventSource": "aws:sns", "EventSubscriptionArn": "s", "Sns": {
        "Type": "Notification", "MessageId": "n1", "TopicArn": "arn:aws:sns:eu-central-1:1:series",
        "Message": "{\"title\":\"Told\"}", "Timestamp": "2026-01-01T00:00:00.000Z",
    }}]});
    assert_eq!(function.invoke(&told), Ok(Value::Null));
    assert_eq!(function.invoke(&told), Ok(Value::Null));
    assert_eq!(titles(&mut function), ["Told"]);
    let list = asked(&mut function, 200, &request("GET", "/api/series", "", &Value::Null));
    let created = |key: &str| {
        json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {
            "bucket": {"name": "removals", "arn": "arn:aws:s3:::removals"},
            "object": {"key": key, "size": 1, "sequencer": "01"},
        }}]})
    };
    let object = created(list["items"][0]["id"].as_str().unwrap());
    assert_eq!(function.invoke(&object), Ok(Value::Null));
    assert_eq!(function.invoke(&object), Ok(Value::Null));
    assert_eq!(titles(&mut function), Vec::<String>::new());
    let unknown = function.invoke(&created("nobody")).unwrap_err();
    assert_eq!(unknown["errorType"], "series.not_found");
    let elsewhere = json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {
        "bucket": {"name": "other"}, "object": {"key": "x"},
    }}]});
    let unmapped = function.invoke(&elsewhere).unwrap_err();
    assert_eq!(unmapped["errorType"], "event.unmapped");
    assert!(unmapped["errorMessage"].as_str().unwrap().contains("add `arn:aws:s3:::other post /uri`"), "{unmapped}");
}

/// Invokes the function for every wake-up that was sent, as its queue would, until none is left. Gives how many there were.
fn follow(function: &mut Function, queue: &Queue) -> u32 {
    let mut woken = 0;
    while let Some(message) = queue.take() {
        assert!(woken < 50, "it never ends");
        let delay_s = message["DelaySeconds"].as_u64().unwrap();
        assert_eq!(message["QueueUrl"], queue.address);
        thread::park_timeout(Duration::from_secs(delay_s.min(5)));
        let body: Value = serde_json::from_str(message["MessageBody"].as_str().unwrap()).unwrap();
        woken += 1;
        let answer = function.invoke(&batch("wake", &[(&format!("w{woken}"), body)])).unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }
    woken
}

#[test]
fn a_tip_is_received_although_every_process_is_frozen_between_invocations() {
    let (channel, bank, queue) = (Channel::closed(), Bank::open(), Queue::open());
    let mut site = site(&channel);
    let mut settings = vec![
        ("SHOWRUNNER_SERVICES", "payments".to_owned()),
        ("SHOWRUNNER_LAMBDA_SOURCES", "arn:aws:sqs:*:wake due".to_owned()),
        ("SHOWRUNNER_PAYMENTS_STRIPE_URL", format!("http://127.0.0.1:{}", bank.told.port)),
        ("SHOWRUNNER_PAYMENTS_STRIPE_KEY", "sk_test_simulator".to_owned()),
        ("SHOWRUNNER_PAYMENTS_STRIPE_WEBHOOK_SECRET", "whsec_simulator".to_owned()),
        ("SHOWRUNNER_PAYMENTS_TEST_CARDS", "yes".to_owned()),
    ];
    settings.extend(queue.settings());
    let mut payments = Function::start(&channel.data(), &settings);
    let cookie = sign_in(&mut site);
    let made = asked(&mut site, 201, &request("POST", "/api/series", &cookie, &json!({"title": "Night ferry"})));
    let order = json!({"series": made["id"], "amount": 500, "card": "pm_card_visa", "key": "one"});
    let tip = asked(&mut payments, 202, &request("POST", "/api/tips", &cookie, &order));
    let place = format!("/api/tips/{}", tip["id"].as_str().unwrap());
    let state =
        |payments: &mut Function| asked(payments, 200, &request("GET", &place, &cookie, &Value::Null))["state"].clone();
    assert_eq!(state(&mut payments), "pending");
    let woken = follow(&mut payments, &queue);
    assert_eq!(state(&mut payments), "received", "woken {woken} times");
    assert!(woken >= 1, "somebody was told that something waits");
    assert_eq!(bank.book()["charges"].as_array().map(Vec::len), Some(1));
    // Where a wake-up is lost, whoever looks every minute finds what is due.
    let lost = json!({"series": made["id"], "amount": 700, "card": "pm_card_visa", "key": "two"});
    let tip = asked(&mut payments, 202, &request("POST", "/api/tips", &cookie, &lost));
    while queue.take().is_some() {}
    assert_eq!(payments.invoke(&json!({"showrunner": "due"})), Ok(Value::Null));
    follow(&mut payments, &queue);
    let place = format!("/api/tips/{}", tip["id"].as_str().unwrap());
    let seen = asked(&mut payments, 200, &request("GET", &place, &cookie, &Value::Null));
    assert_eq!(seen["state"], "received");
}
