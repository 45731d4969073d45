//! What comes from outside the application is recorded too, up to a size: answers of other systems, what programs print, and what is
//! read of blobs. A replay has nothing else.

use crate::invocations::Shelf;
use callboard::invocation::Recording;
use callboard::outside::{Origin, Outside, Request, Response};
use callboard::ports::{Exec, next_bytes};
use callboard::{BoxFuture, Data, Empty, Env, Fault, Flow, Kind, Msg, Reply, Service, Step, Stranger, Who};
use callboard_bench::{Bench, Kept};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A mill that delivers as much paper as it is told to.
struct Mill(usize);

impl Outside for Mill {
    fn fetch(&self, _: Origin, _: Request) -> BoxFuture<'_, Result<Response, Fault>> {
        let body = json!({"sheets": "x".repeat(self.0), "token": "paper-token"}).to_string();
        Box::pin(std::future::ready(Ok(Response { status: 200, headers: Vec::new(), body: body.into() })))
    }
}

/// As much of a blob as is asked for.
async fn read(env: &Env, key: &str, chunks: usize) -> Result<String, Fault> {
    let mut stream = env.blobs().read(key, None).await?;
    let mut all = Vec::new();
    for _ in 0..chunks {
        let Some(bytes) = next_bytes(&mut stream).await else { break };
        all.extend_from_slice(&bytes?);
    }
    Ok(String::from_utf8_lossy(&all).into_owned())
}

/// A step that uses all of it.
async fn print(env: Env, _: Msg<Step<Value>>) -> Result<Reply<Value>, Fault> {
    let key = env.secret("press.key")?;
    let sheets = env.fetch(Request::get("mill.url", "/sheets")).await?;
    let paper: Value = serde_json::from_slice(&sheets.body).unwrap_or_default();
    let folder = env.folder()?;
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = lines.clone();
    let hear = move |line: &str| heard.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    let exec = |args: Vec<String>| Exec {
        tool: "printf",
        args,
        folder: folder.path().to_owned(),
        timeout_ms: 10_000,
        memory_bytes_max: 1 << 30,
        nice: 0,
        on_line: None,
    };
    let place = folder.path().display().to_string();
    let printed = env.exec(exec(vec!["%s".into(), "ink".into()])).await?;
    let told = Exec { on_line: Some(Box::new(hear)), ..exec(vec!["%.0sa\\nb\\n".into(), place]) };
    let told = env.exec(told).await?;
    let (plate, signed) = (read(&env, "plate", usize::MAX).await?, read(&env, "signed", usize::MAX).await?);
    let none = read(&env, "none", usize::MAX).await.err().map(|fault| fault.code);
    Ok(Reply::ok(json!({
        "sheets": paper["sheets"], "printed": String::from_utf8_lossy(&printed.stdout), "code": told.code,
        "lines": *lines.lock().unwrap_or_else(PoisonError::into_inner), "plate": plate, "none": none,
        "is_signed": signed.len() > key.expose().len(),
    })))
}

async fn start(env: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().start("press", env.id().to_string(), json!({})))
}

fn press() -> Service {
    Service::new("press")
        .on(Kind::Post, "/prints", start, Who::Anyone, Stranger::Denied)
        .flow(Flow::new("press").step("print", print).no_undo("paper stays printed"))
        .tool("printf")
        .setting("mill.url", "https://mill.example", "where paper comes from")
        .outside("mill.url", "there is no paper")
        .secret("press.key", "what plates are signed with")
}

/// What is recorded of the step, with so much paper and such a plate.
async fn record(sheets: usize, plate: &str) -> Recording {
    let shelf = Arc::new(Shelf::default());
    let settings = [("callboard.capture", "all"), ("press.key", "a-key-of-the-press")];
    let settings: HashMap<String, String> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let recorder = shelf.clone();
    let bench = Bench::shaped(vec![press()], Kept::InMemory, |host| {
        host.settings(settings).recorder(recorder).outside(Arc::new(Mill(sheets)))
    })
    .await;
    let blobs = &bench.host().ports().blobs;
    blobs.put("plate", plate.to_owned().into()).await.expect("stored");
    blobs.put("signed", "signed by a-key-of-the-press".into()).await.expect("stored");
    bench.nobody().send(Kind::Post, "/prints", Data::EMPTY).await.expect("it starts");
    bench.settle().await;
    let found = shelf.all().into_iter().find(|one| one.target == "press flow press/print do");
    found.expect("the step was recorded")
}

/// What differs on a bench that has no mill, no blobs, and no need to run anything.
async fn replay(recording: &Recording) -> Vec<String> {
    Bench::new(vec![press()]).await.replay(&serde_json::to_string(recording).expect("JSON")).await
}

#[tokio::test]
async fn a_step_that_fetches_runs_a_program_and_reads_blobs_is_replayed_on_what_it_got() {
    let recording = record(7, "The Night Shift").await;
    assert_eq!(recording.reply["body"]["json"]["plate"], "The Night Shift", "{:?}", recording.reply);
    assert_eq!(recording.reply["body"]["json"]["lines"], json!(["a", "b"]));
    assert_eq!(recording.reply["body"]["json"]["printed"], "ink");
    assert_eq!(replay(&recording).await, Vec::<String>::new());
    let mut other = recording.clone();
    other.reply["body"]["json"]["plate"] = json!("The Day Shift");
    let differs = r#"body.json.plate: it was "The Day Shift", now it is "The Night Shift""#;
    assert_eq!(replay(&other).await, [differs]);
}

#[tokio::test]
async fn what_is_too_large_is_not_recorded_and_a_replay_says_so() {
    let recording = record(7, &"p".repeat(70_000)).await;
    assert!(!recording.is_cut && recording.reply["body"].is_object(), "the rest is there");
    let told = replay(&recording).await;
    assert!(told.contains(&"not recorded, too large: of blobs read plate".to_owned()), "{told:?}");
    let recording = record(70_000, "").await;
    let told = replay(&recording).await;
    assert!(told.contains(&"not recorded, too large: GET /sheets of mill.url".to_owned()), "{told:?}");
}

#[tokio::test]
async fn secrets_in_what_came_from_outside_are_left_out() {
    let recording = serde_json::to_string(&record(7, "").await).expect("JSON");
    assert!(recording.contains("signed by [secret press.key]"), "{recording}");
    assert!(!recording.contains("a-key-of-the-press") && !recording.contains("paper-token"), "{recording}");
}
