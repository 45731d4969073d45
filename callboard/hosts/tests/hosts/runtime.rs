//! The Runtime API: what a process is given, and what it may say when.

use crate::wire::Wire;
use callboard_hosts::runtime::{Answered, Begun, Invocation, InvokeError, Limits, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

async fn stage() -> (Runtime, Wire) {
    stage_with(Limits::default()).await
}

async fn stage_with(limits: Limits) -> (Runtime, Wire) {
    let runtime = Runtime::bind(limits).await.expect("a port is free");
    let wire = Wire::connect(&runtime).await;
    (runtime, wire)
}

fn work(id: &str) -> Invocation {
    Invocation { client_context: "{}".into(), ..Invocation::new(id, "{\"n\":1}", 12_345) }
}

#[tokio::test]
async fn a_process_gets_work_with_its_attributes_and_answers_it() {
    let (runtime, mut process) = stage().await;
    let (result, ()) = tokio::join!(runtime.invoke(work("a")), async {
        let next = process.next().await;
        assert_eq!((next.status, &*next.text()), (200, "{\"n\":1}"));
        assert_eq!(next.header("lambda-runtime-aws-request-id"), Some("a"));
        assert_eq!(next.header("lambda-runtime-deadline-ms"), Some("12345"));
        assert_eq!(next.header("lambda-runtime-client-context"), Some("{}"));
        assert_eq!(next.header("lambda-runtime-trace-id"), None, "what is empty is left out");
        assert_eq!(process.answer("a", b"42").await.status, 202);
    });
    assert_eq!(result, Ok(Answered { body: "42".into(), ..Answered::default() }));
}

#[tokio::test]
async fn answers_for_another_twice_or_out_of_order_are_refused() {
    let (runtime, mut process) = stage().await;
    let early = process.answer("a", b"0").await;
    assert_eq!((early.status, early.text().contains("InvalidRequestID")), (400, true));
    let (result, ()) = tokio::join!(runtime.invoke(work("a")), async {
        process.next().await;
        let other = process.answer("b", b"1").await;
        assert_eq!((other.status, other.text().contains("InvalidRequestID")), (400, true));
        let more = process.next().await;
        assert_eq!((more.status, more.text().contains("InvalidStateTransition")), (403, true));
        assert_eq!(process.ask("POST", "init/error", "", b"{}").await.status, 403);
        assert_eq!(process.answer("a", b"2").await.status, 202);
        let twice = process.answer("a", b"3").await;
        assert_eq!((twice.status, twice.text().contains("InvalidStateTransition")), (403, true));
    });
    assert_eq!(result.map(|answered| answered.body), Ok("2".into()), "only the first answer counts");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused_and_the_process_goes_on() {
    let (runtime, mut process) = stage_with(Limits { answer_bytes_max: 10, ..Limits::default() }).await;
    for (id, size, want) in [("a", 10, 202), ("b", 11, 413), ("c", 1, 202)] {
        let (result, ()) = tokio::join!(runtime.invoke(work(id)), async {
            process.next().await;
            let said = process.answer(id, &vec![b'1'; size]).await;
            assert_eq!((said.status, said.text().contains("RequestEntityTooLarge")), (want, want == 413));
        });
        match want {
            413 => assert_eq!(result, Err(InvokeError::ResponseTooLarge { size_bytes: 11 })),
            _ => assert_eq!(result.map(|answered| answered.body.len()), Ok(size)),
        }
    }
}

#[tokio::test]
async fn errors_reach_whoever_asked() {
    let (runtime, mut process) = stage().await;
    let (result, ()) = tokio::join!(runtime.invoke(work("a")), async {
        process.next().await;
        let body = br#"{"errorMessage":"no","errorType":"ValueError","stackTrace":["here"]}"#;
        assert_eq!(process.ask("POST", "invocation/a/error", "", body).await.status, 202);
    });
    let Err(InvokeError::Function(error)) = result else { panic!("{result:?}") };
    assert_eq!((&*error.error_type, &*error.error_message, error.stack_trace.len()), ("ValueError", "no", 1));
}

#[tokio::test]
async fn a_process_that_cannot_start_says_so_and_gets_no_work() {
    let (runtime, mut process) = stage().await;
    let header = "lambda-runtime-function-error-type: Runtime.ImportModuleError\r\n";
    assert_eq!(process.ask("POST", "init/error", header, b"{\"errorMessage\":\"no module\"}").await.status, 202);
    let Err(InvokeError::Init(error)) = runtime.ready().await else { panic!("it is not ready") };
    assert_eq!((&*error.error_type, &*error.error_message), ("Runtime.ImportModuleError", "no module"));
    assert_eq!(process.next().await.status, 403);
}

#[tokio::test]
async fn a_streamed_answer_is_put_together() {
    let (runtime, mut process) = stage().await;
    let (result, ()) = tokio::join!(runtime.invoke(work("a")), async {
        process.next().await;
        let head = "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\
             lambda-runtime-function-response-mode: streaming\r\n\
             content-type: application/vnd.awslambda.http-integration-response\r\n\r\n";
        process.write(head.as_bytes()).await;
        for piece in ["{\"statusCode\":418}", "\0\0\0\0\0", "\0\0\0one, ", "two"] {
            process.write(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await;
        }
        process.write(b"0\r\n\r\n").await;
        assert_eq!(process.read().await.map(|said| said.status), Some(202));
    });
    let answered = result.expect("an answer");
    assert_eq!(
        (answered.prelude.and_then(|prelude| prelude.status_code), &answered.body[..]),
        (Some(418), &b"one, two"[..])
    );
}

const STREAMED: &str = "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\
    lambda-runtime-function-response-mode: streaming\r\n\
    content-type: application/vnd.awslambda.http-integration-response\r\n";

/// Gives out work whose answer is passed on while it comes; the process has begun it with `first`.
async fn streaming(headers: &str) -> (JoinHandle<Result<Answered, InvokeError>>, Begun, Wire) {
    let (runtime, mut process) = stage().await;
    let (live, begun) = oneshot::channel();
    let invoked = tokio::spawn(async move { runtime.invoke_live(work("a"), Some(live)).await });
    process.next().await;
    process.write(format!("{STREAMED}{headers}\r\n").as_bytes()).await;
    for piece in ["{\"statusCode\":418}", "\0\0\0\0\0", "\0\0\0first"] {
        process.chunk(piece).await;
    }
    let mut begun = begun.await.expect("it has begun");
    assert_eq!(begun.prelude.as_ref().and_then(|prelude| prelude.status_code), Some(418));
    assert_eq!(begun.pieces.recv().await.as_deref(), Some(&b"first"[..]), "the last is not even sent");
    (invoked, begun, process)
}

#[tokio::test]
async fn a_streamed_answer_is_passed_on_while_it_comes() {
    let (invoked, mut begun, mut process) = streaming("").await;
    process.chunk("last").await;
    process.write(b"0\r\n\r\n").await;
    assert_eq!(begun.pieces.recv().await.as_deref(), Some(&b"last"[..]));
    assert_eq!(begun.pieces.recv().await, None);
    assert_eq!(invoked.await.expect("it ends"), Ok(Answered::default()));
    assert_eq!(process.read().await.map(|said| said.status), Some(202));
}

#[tokio::test]
async fn a_streamed_answer_may_fail_in_its_middle() {
    let (invoked, mut begun, mut process) =
        streaming("trailer: lambda-runtime-function-error-type, lambda-runtime-function-error-body\r\n").await;
    // {"errorMessage":"no more"}
    let trailers = "lambda-runtime-function-error-type: Error\r\n\
        lambda-runtime-function-error-body: eyJlcnJvck1lc3NhZ2UiOiJubyBtb3JlIn0=\r\n";
    process.write(format!("0\r\n{trailers}\r\n").as_bytes()).await;
    assert_eq!(begun.pieces.recv().await, None);
    let Err(InvokeError::Function(error)) = invoked.await.expect("it ends") else { panic!("it is not whole") };
    assert_eq!((&*error.error_type, &*error.error_message), ("Error", "no more"));
    assert_eq!(process.read().await.map(|said| said.status), Some(202));
}

#[tokio::test]
async fn a_process_hears_that_nobody_takes_the_rest() {
    let (invoked, begun, mut process) = streaming("").await;
    drop(begun);
    assert_eq!(invoked.await.expect("it ends"), Err(InvokeError::Left));
    assert_eq!(process.read().await.map(|said| said.status), Some(410));
}

#[tokio::test]
async fn one_answer_is_read_at_a_time_and_the_others_are_refused_before_they_have_come() {
    let (runtime, mut process) = stage().await;
    let (result, ()) = tokio::join!(runtime.invoke(work("a")), async {
        process.next().await;
        let path = "/2018-06-01/runtime/invocation/a/response";
        process.write(format!("POST {path} HTTP/1.1\r\ncontent-length: 2\r\n\r\n1").as_bytes()).await;
        for _ in 0..8 {
            let mut other = Wire::connect(&runtime).await;
            other.write(format!("POST {path} HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n1").as_bytes()).await;
            let said = other.read().await.expect("it hears so at once");
            assert_eq!((said.status, said.text().contains("InvalidStateTransition")), (403, true));
        }
        process.write(b"2").await;
        assert_eq!(process.read().await.map(|said| said.status), Some(202));
    });
    assert_eq!(result.map(|answered| answered.body), Ok("12".into()));
}

#[tokio::test]
async fn an_error_before_it_begins_is_cut_short() {
    let (runtime, mut process) = stage().await;
    let large = vec![b'x'; 300 << 10];
    assert_eq!(process.ask("POST", "init/error", "", &large).await.status, 202);
    let Err(InvokeError::Init(error)) = runtime.ready().await else { panic!("it cannot start") };
    assert_eq!(error.error_message, "it tells an error of 307200 bytes");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_known_for_broken() {
    let (runtime, mut process) = stage().await;
    let (result, ()) = tokio::join!(runtime.invoke(work("a")), async {
        process.next().await;
        process.write(b"POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\ncontent-length: 9\r\n\r\n12").await;
        drop(process);
    });
    assert_eq!(result, Err(InvokeError::Broken));
}

#[tokio::test]
async fn work_that_nobody_waits_for_any_more_is_not_given_out() {
    let (runtime, mut process) = stage().await;
    let gone = tokio::time::timeout(std::time::Duration::ZERO, runtime.invoke(work("a"))).await;
    assert!(gone.is_err());
    let (result, ()) = tokio::join!(runtime.invoke(work("b")), async {
        assert_eq!(process.next().await.header("lambda-runtime-aws-request-id"), Some("b"));
        process.answer("b", b"1").await;
    });
    assert!(result.is_ok());
}

#[tokio::test]
async fn what_is_no_path_or_method_of_it_is_refused() {
    let (_runtime, mut process) = stage().await;
    for (method, path, status) in [
        ("POST", "invocation/next", 405),
        ("GET", "invocation/a/response", 405),
        ("GET", "invocation/a/b/c", 404),
        ("GET", "", 404),
    ] {
        assert_eq!(process.ask(method, path, "", b"").await.status, status, "{method} {path}");
    }
}
