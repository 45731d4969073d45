//! Every event that other projects test with is taken for what it is.

use super::Function;
use callboard_gateways::lambda::Lambda;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Every example by its path below `tests/events`, sorted.
pub(super) fn examples() -> Vec<(String, Vec<u8>)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/events");
    let folders = ["aws_lambda_events", "lambda_http"].map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let files = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let events = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let mut all: Vec<_> =
        events.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())).collect();
    all.sort();
    all
}

/// What an example is, by its name; what no source of ours sends is somebody's own business.
fn source_of(name: &str) -> &'static str {
    let starts = |start: &str| name.starts_with(start);
    match name {
        // Requests to authorizers and streams of other services look like these and are not.
        _ if starts("example-apigw-custom-auth-request.") => "direct",
        // Authorizers are asked in the shape of what they guard.
        _ if starts("example-apigw-custom-auth-request-type-request") => "rest",
        "example-apigw-v2-custom-authorizer-websocket-request.json" => "websocket",
        "example-apigw-v2-custom-authorizer-v1-request.json" => "rest",
        _ if starts("example-apigw-websocket") => "websocket",
        // It is called so, and has the other version.
        "apigw_request_path_with_space.json" => "http",
        // These have no type of what happened, although their sources would send one.
        _ if starts("example-controltower") || starts("example-cloudwatch-cloudtrail") => "direct",
        "example-codedeploy-lifecycle-event.json" => "direct",
        _ if starts("example-cloudwatch-alarm-composite-with") => "eventbridge",
        _ if starts("example-apigw-v2") || starts("apigw_v2") => "http",
        "lambda_function_url_request.json" | "example-apigw-sam-http-request.json" => "http",
        _ if starts("example-apigw") || starts("apigw") => "rest",
        _ if starts("example-alb") || starts("alb") => "alb",
        _ if starts("example-sns-event") || starts("example-cloudwatch-alarm-sns") => "sns",
        "example-sqs-event.json" | "example-sqs-event-obj.json" => "sqs",
        "example-s3-event.json" | "example-s3-event-with-decoded.json" => "s3",
        "example-dynamodb-event.json" | "example-dynamodb-event-null-items.json" => "dynamodb",
        "example-kinesis-event.json" | "example-kinesis-event-encrypted.json" => "kinesis",
        _ if starts("example-eventbridge") || starts("example-autoscaling") => "eventbridge",
        _ if starts("example-codebuild") || starts("example-codedeploy") || starts("example-codepipeline-") => {
            "eventbridge"
        }
        _ if starts("example-ecr-image-scan") => "eventbridge",
        _ => "direct",
    }
}

#[test]
fn every_example_is_taken_for_what_it_is() {
    let examples = examples();
    assert!(examples.len() > 150, "{} examples", examples.len());
    let wrong = examples.iter().filter_map(|(name, event)| {
        let seen = Lambda::source_of(event).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        let wanted = source_of(name);
        (seen != wanted).then(|| format!("{name} is {wanted} and was taken for {seen}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_example_is_answered_or_refused_in_the_form_of_its_source() {
    let function = Function::new(Vec::new(), "").await;
    for (name, event) in examples() {
        let source = source_of(&name);
        match function.send("r", event).await {
            Ok(answer) => {
                let answer: Value = serde_json::from_slice(&answer).unwrap_or_else(|error| panic!("{name}: {error}"));
                match source {
                    "http" | "rest" | "alb" => {
                        assert!(answer["statusCode"].is_u64() && answer["body"].is_string(), "{name}: {answer}")
                    }
                    "sqs" | "kinesis" | "dynamodb" => {
                        assert!(answer["batchItemFailures"][0]["itemIdentifier"].is_string(), "{name}: {answer}");
                    }
                    _ => panic!("{name}: {answer}"),
                }
            }
            Err(fault) => {
                assert_eq!(fault.code, "event.unmapped", "{name}: {fault}");
                assert!(matches!(source, "sns" | "s3" | "eventbridge" | "direct" | "websocket"), "{name}: {fault}");
            }
        }
    }
}
