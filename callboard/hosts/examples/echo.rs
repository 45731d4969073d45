//! A function of Rust in a process, with the client of AWS as it is: gives back its data, and fails where it is asked to.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(echo)).await
}

async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let data = event.payload["data"].clone();
    if data == "fail" { Err("it was asked to fail".into()) } else { Ok(data) }
}
