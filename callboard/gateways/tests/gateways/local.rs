//! The local gateway: a command line's words become a call, its answer becomes lines.

use crate::hall::{self, Doors};
use callboard::Tenant;
use callboard_bench::Bench;
use callboard_gateways::local;

async fn call(bench: &Bench, words: &[&str]) -> (bool, String) {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let mut out = Vec::new();
    let call = local::parse_call(&words, &Tenant::new("demo")).unwrap();
    let is_done = local::run(bench.host(), call, &mut out).await.unwrap();
    (is_done, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn a_call_prints_status_headers_and_body() {
    let bench = Bench::new(vec![hall::service(&Doors::new())]).await;
    let (is_done, text) = call(&bench, &["POST", "/things", "--data", r#"{"title":"x"}"#]).await;
    assert!(is_done);
    assert_eq!(text, "201 Created\nlocation: /things/x\ncontent-type: application/json\n\n{\n  \"title\": \"x\"\n}\n");
    let (_, text) = call(&bench, &["GET", "/things/7"]).await;
    assert!(text.starts_with("200 OK\netag: \"v3\"\n"), "{text}");
}

#[tokio::test]
async fn a_fault_is_printed_as_the_problem_it_is() {
    let bench = Bench::new(vec![hall::service(&Doors::new())]).await;
    let (is_done, text) = call(&bench, &["DELETE", "/hello"]).await;
    assert!(!is_done);
    assert!(text.starts_with("405 Method Not Allowed\nallow: GET\n"), "{text}");
    assert!(text.contains("\"code\": \"method_not_allowed\""), "{text}");
}

#[tokio::test]
async fn the_caller_is_the_operator_unless_somebody_else_is_named() {
    let bench = Bench::new(vec![hall::service(&Doors::new())]).await;
    let (_, text) = call(&bench, &["GET", "/seen"]).await;
    assert!(text.contains("\"service\": \"cli\""), "{text}");
    let (is_done, _) = call(&bench, &["DELETE", "/things/7", "--as", "p1:viewer"]).await;
    assert!(!is_done);
    let (is_done, text) = call(&bench, &["DELETE", "/things/7", "--as", "p1:viewer,editor"]).await;
    assert!(is_done && text.starts_with("204 No Content\n"), "{text}");
}

#[tokio::test]
async fn bytes_are_stored_as_over_http() {
    let bench = Bench::new(vec![hall::service(&Doors::new())]).await;
    call(&bench, &["POST", "/uploads/1", "--header", "upload-length: 5"]).await;
    let words = ["PATCH", "/uploads/1", "--header", "upload-offset: 0", "--data", "12345"];
    let (is_done, text) = call(&bench, &[&words[..], &["--type", "application/octet-stream"]].concat()).await;
    assert!(is_done && text.contains("upload-offset: 5"), "{text}");
    assert_eq!(bench.host().ports().blobs.list("uploads/demo/1").await.unwrap().len(), 1);
}
