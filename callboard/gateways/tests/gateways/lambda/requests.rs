//! The traps of the HTTP shapes: cookies, queries, base64, stages, hosts, binary and large answers.

use super::Function;
use super::desk::Ask;
use super::events::{alb, http_v2, rest};
use crate::hall::{self, Doors};
use serde_json::{Value, json};

async fn hall() -> Function {
    Function::new(vec![hall::service(&Doors::new())], "").await
}

fn get(path: &str) -> Value {
    let mut event = http_v2(Ask::Read);
    event["rawPath"] = path.into();
    event["headers"].as_object_mut().unwrap().remove("idempotency-key");
    event
}

async fn seen(function: &Function, event: &Value) -> Value {
    let answer = function.invoke(event).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn the_raw_query_counts_and_not_the_joined_one() {
    let function = hall().await;
    let mut event = get("/api/seen");
    event["rawQueryString"] = "a=1&a=2,3&b=%26+x".into();
    event["queryStringParameters"] = json!({"a": "1,2,3", "b": "& x"});
    assert_eq!(seen(&function, &event).await["body"], "a=1&a=2,3&b=%26+x");
    let mut event = rest(Ask::Read);
    event["path"] = "/api/seen".into();
    event["multiValueQueryStringParameters"] = json!({"a": ["1", "2,3"], "b": ["& x"]});
    assert_eq!(seen(&function, &event).await["body"], "a=1&a=2%2C3&b=%26%20x");
    let mut event = alb(Ask::Read);
    event["path"] = "/api/seen".into();
    event["queryStringParameters"] = json!({"b": "%26+x"});
    assert_eq!(seen(&function, &event).await["body"], "b=%26+x");
}

#[tokio::test]
async fn cookies_come_in_a_list_and_go_in_a_list() {
    let function = hall().await;
    let mut event = get("/api/seen");
    event["headers"].as_object_mut().unwrap().remove("authorization");
    event["headers"]["cookie"] = "theme=dark; __Host-session=t-viewer".into();
    event["cookies"] = json!(["theme=dark", "__Host-session=t-viewer"]);
    assert_eq!(seen(&function, &event).await["principal"]["person"]["id"], "p1");
    let mut sign_in = http_v2(Ask::Count);
    sign_in["rawPath"] = "/api/sessions".into();
    let answer = function.invoke(&sign_in).await.unwrap();
    assert!(answer["cookies"][0].as_str().unwrap().starts_with("__Host-session=t-viewer; "), "{answer}");
    assert!(answer["headers"].get("set-cookie").is_none(), "{answer}");
    let mut sign_in = rest(Ask::Count);
    sign_in["path"] = "/api/sessions".into();
    let answer = function.invoke(&sign_in).await.unwrap();
    assert!(answer["multiValueHeaders"]["set-cookie"][0].as_str().unwrap().starts_with("__Host-session="), "{answer}");
    let mut sign_in = alb(Ask::Count);
    sign_in["path"] = "/api/sessions".into();
    let answer = function.invoke(&sign_in).await.unwrap();
    assert_eq!(answer["statusDescription"], "200 OK");
    assert!(
        answer["headers"]["set-cookie"].as_str().unwrap().starts_with("session="),
        "it came over plain HTTP: {answer}"
    );
}

#[tokio::test]
async fn bodies_may_be_base64_and_bytes_are_answered_so() {
    let function = hall().await;
    let mut event = http_v2(Ask::Count);
    event["rawPath"] = "/api/seen".into();
    event["body"] = "eyJhIjoxfQ==".into();
    event["isBase64Encoded"] = true.into();
    assert_eq!(seen(&function, &event).await["body"], "{\"a\":1}");
    event["body"] = "no base64!".into();
    assert_eq!(function.invoke(&event).await.unwrap_err().code, "event.invalid");
    function.bench.host().ports().blobs.put("files/raw", vec![0, 255, 128, 7].into()).await.unwrap();
    let answer = function.invoke(&get("/api/files/raw")).await.unwrap();
    assert_eq!((&answer["body"], &answer["isBase64Encoded"]), (&json!("AP+ABw=="), &json!(true)));
    assert_eq!(answer["headers"]["content-type"], "text/plain");
}

#[tokio::test]
async fn a_stage_stands_before_every_path_and_is_no_part_of_it() {
    let function = hall().await;
    let mut event = http_v2(Ask::Count);
    event["rawPath"] = "/prod/api/things".into();
    event["requestContext"]["stage"] = "prod".into();
    event["body"] = "{\"title\":\"x\"}".into();
    let answer = function.invoke(&event).await.unwrap();
    assert_eq!((&answer["statusCode"], &answer["headers"]["location"]), (&json!(201), &json!("/prod/api/things/x")));
    let mut event = rest(Ask::Count);
    event["path"] = "/api/things".into();
    event["requestContext"]["path"] = "/prod/api/things".into();
    event["body"] = "{\"title\":\"x\"}".into();
    let answer = function.invoke(&event).await.unwrap();
    assert_eq!(answer["multiValueHeaders"]["location"], json!(["/prod/api/things/x"]), "{answer}");
}

#[tokio::test]
async fn what_is_too_large_for_a_function_is_sent_elsewhere_or_refused() {
    let media = |mut options: callboard_gateways::lambda::LambdaOptions| {
        options.media_origin = Some("https://media.example.org".to_owned());
        options
    };
    let (plain, sent) = (hall().await, Function::shaped(vec![hall::service(&Doors::new())], "", media).await);
    for function in [&plain, &sent] {
        let blobs = &function.bench.host().ports().blobs;
        blobs.put("files/film", vec![255; 7 << 20].into()).await.unwrap();
        // Four bytes for three: it fits only as long as nobody has to encode it.
        blobs.put("files/tight", vec![255; 5 << 20].into()).await.unwrap();
        blobs.put("media/demo/a1/full/film.mp4", vec![255; 7 << 20].into()).await.unwrap();
        blobs.put("public/demo/a1/full", vec![1].into()).await.unwrap();
        for name in ["film", "tight"] {
            let answer = function.invoke(&get(&format!("/api/files/{name}"))).await.unwrap();
            assert_eq!(answer["statusCode"], 413, "{}", answer["statusCode"]);
            assert!(answer["body"].as_str().unwrap().contains("answer.too_large"), "{answer}");
        }
        let mut part = get("/api/files/film");
        part["headers"]["range"] = "bytes=0-9".into();
        assert_eq!(function.invoke(&part).await.unwrap()["statusCode"], 206);
    }
    let answer = sent.invoke(&get("/media/a1/full/film.mp4")).await.unwrap();
    assert_eq!(
        (&answer["statusCode"], &answer["headers"]["location"]),
        (&json!(307), &json!("https://media.example.org/media/a1/full/film.mp4"))
    );
    let answer = plain.invoke(&get("/media/a1/full/film.mp4")).await.unwrap();
    assert_eq!(answer["statusCode"], 413);
}

#[tokio::test]
async fn an_event_stream_is_refused_and_strange_requests_are_answered() {
    let function = hall().await;
    let mut stream = get("/api/rooms/1");
    stream["headers"]["accept"] = "text/event-stream".into();
    let answer = function.invoke(&stream).await.unwrap();
    assert_eq!(answer["statusCode"], 413, "{answer}");
    for (path, status) in
        [("/api/../things", 400), ("/api/a b", 404), ("/api/hello/", 400), ("/api/%ff", 400), ("", 200)]
    {
        let answer = function.invoke(&get(path)).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{path}: {answer}");
    }
    let mut strange = get("/api/hello");
    strange["requestContext"]["http"]["method"] = "BREW".into();
    assert_eq!(function.invoke(&strange).await.unwrap()["statusCode"], 405);
    let mut nowhere = get("/api/hello");
    nowhere["headers"]["host"] = "nobody.example".into();
    assert_eq!(function.invoke(&nowhere).await.unwrap()["statusCode"], 404);
}

#[tokio::test]
async fn nobody_says_from_outside_who_they_are() {
    let function = hall().await;
    let mut event = get("/api/seen");
    event["headers"] = json!({
        "host": "localhost", "x-tenant": "other", "x-forwarded-host": "other.example", "principal": "service",
        "x-callboard-hops": "9",
    });
    event["requestContext"]["authorizer"] = json!({"lambda": {"principal": "owner"}});
    let seen = seen(&function, &event).await;
    assert_eq!((&seen["tenant"], &seen["principal"]), (&json!("demo"), &json!("nobody")));
    let meta: Vec<&String> = seen["meta"].as_object().unwrap().keys().collect();
    assert_eq!(meta, ["origin"]);
}
