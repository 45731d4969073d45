//! Answers that functions stream: passed on while they come to whoever asked over HTTP, and put together for everybody else.

use crate::stage::{Stage, released};
use callboard::{Answer, AnswerBody, Data, Fault, HTTP, Kind, Source, Tenant, Uri};
use futures_util::StreamExt;
use std::io::Write;
use std::path::Path;

pub(crate) const TOML: &str =
    "[[function]]\nname = \"do\"\non = \"GET /do\"\nwho = \"anyone\"\ncommand = [\"python3\", \"do.py\"]";

/// Speaks the Runtime API by itself: says `first`, waits until something is written to a pipe, and says `last`, or fails.
pub(crate) const CODE: &str = r#"
import http.client, os
held = os.open("pipes/held", os.O_RDONLY | os.O_NONBLOCK)
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
base = "/2018-06-01/runtime/invocation/"
def chunk(text):
    api.send(b"%x\r\n%s\r\n" % (len(text), text))
while True:
    api.request("GET", base + "next")
    work = api.getresponse()
    work.read()
    api.putrequest("POST", base + work.headers["lambda-runtime-aws-request-id"] + "/response")
    api.putheader("transfer-encoding", "chunked")
    api.putheader("lambda-runtime-function-response-mode", "streaming")
    api.putheader("trailer", "lambda-runtime-function-error-type")
    api.putheader("content-type", "application/vnd.awslambda.http-integration-response")
    api.endheaders()
    chunk(b'{"statusCode":418,"headers":{"content-type":"text/plain"}}' + bytes(8))
    chunk(b"first")
    with open("pipes/go", "rb", buffering=0) as go:
        is_good = go.read(1) == b"+"
    if is_good:
        chunk(b"last")
    api.send(b"0\r\n" + (b"" if is_good else b"lambda-runtime-function-error-type: Lost\r\n") + b"\r\n")
    api.getresponse().read()
"#;

async fn stage() -> Stage {
    with_pipes(TOML, CODE).await
}

/// A function and the pipes that it holds and waits for.
pub(crate) async fn with_pipes(toml: &str, code: &str) -> Stage {
    let stage = Stage::new(toml, &[("do.py", code), ("pipes/none", "")]).await;
    stage.pipe("held");
    stage.pipe("go");
    stage
}

async fn ask(stage: &Stage, source: &'static str) -> Result<Answer, Fault> {
    let host = stage.bench.host();
    let mut msg =
        host.message(Kind::Get, Uri::parse("/do").expect("a URI"), Tenant::new("demo")).with_data(Data::EMPTY);
    msg.head_mut().source = source.into();
    host.dispatch(msg).await
}

/// The answer that has begun, with its first piece taken.
async fn begun(stage: &Stage) -> Source {
    let answer = ask(stage, HTTP).await.expect("an answer");
    assert_eq!(answer.status(), 418);
    let AnswerBody::Pieces { media_type, pieces } = answer.body else { panic!("it comes at once") };
    assert_eq!(media_type, "text/plain");
    let mut source = pieces.take().expect("nobody took it before");
    assert_eq!(next(&mut source).await, Some(Ok("first".into())), "while the function waits");
    source
}

async fn next(source: &mut Source) -> Option<Result<String, &'static str>> {
    let piece = source.next().await?;
    Some(piece.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|fault| fault.code))
}

/// Lets the function go on; it opens the pipe whenever it gets there.
pub(crate) fn go(folder: &Path, how: &[u8]) -> std::fs::File {
    let mut pipe = std::fs::OpenOptions::new().read(true).write(true).open(folder.join("pipes/go")).expect("the pipe");
    pipe.write_all(how).expect("it takes a byte");
    pipe
}

#[tokio::test]
async fn the_first_piece_is_there_while_the_function_holds_back_the_last() {
    let stage = stage().await;
    let mut source = begun(&stage).await;
    let _go = go(stage.folder.path(), b"+");
    assert_eq!(next(&mut source).await, Some(Ok("last".into())));
    assert_eq!(next(&mut source).await, None);
    let mut again = begun(&stage).await;
    drop(go(stage.folder.path(), b"+"));
    assert_eq!(next(&mut again).await, Some(Ok("last".into())));
    assert_eq!(stage.functions.processes("do").map(|(_, started)| started), Some(1), "one process did both");
}

#[tokio::test]
async fn what_fails_in_its_middle_is_cut_short_with_the_reason() {
    let stage = stage().await;
    let mut source = begun(&stage).await;
    let _go = go(stage.folder.path(), b"-");
    assert_eq!(next(&mut source).await, Some(Err("function.failed")));
    assert_eq!(next(&mut source).await, None);
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_process() {
    let stage = stage().await;
    let source = begun(&stage).await;
    drop(source);
    released(&stage.folder.path().join("pipes/held")).await;
}

#[tokio::test]
async fn a_process_that_ends_in_the_middle_cuts_the_answer_short() {
    let toml = format!("{TOML}\ntimeout_ms = 2000");
    let stage = with_pipes(&toml, &CODE.replace("is_good = ", "os._exit(5) # ")).await;
    let mut source = begun(&stage).await;
    let _go = go(stage.folder.path(), b"+");
    assert_eq!(next(&mut source).await, Some(Err("function.exited")));
}

#[tokio::test]
async fn who_does_not_take_pieces_gets_the_whole() {
    let stage = stage().await;
    let _go = go(stage.folder.path(), b"+");
    let answer = ask(&stage, "bench").await.expect("an answer");
    let AnswerBody::Bytes { bytes, .. } = answer.body else { panic!("it is whole") };
    assert_eq!(&bytes[..], b"firstlast");
}

#[tokio::test]
async fn who_answers_again_while_an_answer_is_passed_on_is_not_believed_and_ends_in_time() {
    // Beside the stream, another connection answers the same invocation.
    let again = "other = http.client.HTTPConnection(os.environ[\"AWS_LAMBDA_RUNTIME_API\"])\n    \
        other.request(\"POST\", base + work.headers[\"lambda-runtime-aws-request-id\"] + \"/response\", b'1')\n    \
        print(other.getresponse().status, flush=True)\n    with open(\"pipes/go\"";
    let toml = format!("{TOML}\ntimeout_ms = 1500");
    let stage = with_pipes(&toml, &CODE.replace("with open(\"pipes/go\"", again)).await;
    let mut source = begun(&stage).await;
    let ended = tokio::time::timeout(std::time::Duration::from_secs(6), next(&mut source)).await;
    assert_eq!(ended.expect("its time counts to the last byte"), Some(Err("function.timeout")));
    assert_eq!(stage.printed(1).await, ["403"]);
}
