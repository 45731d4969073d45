//! Processes that misbehave: each is ended with everything it started, its caller hears why, and the next call is served.

use crate::stage::{Stage, python, released};
use callboard::Fault;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const HEAD: &str = "import os, subprocess, sys, time\nfrom urllib import request\n\ndef handler(event, context):\n    what = event['data']\n    if what == 'well':\n        return 'well'\n";

/// A function that does this where it is asked to, and answers well otherwise.
async fn stage(body: &str, more: &str) -> Stage {
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    Stage::new(&python(more), &[("do.py", &format!("{HEAD}{body}"))]).await
}

async fn ask(stage: &Stage, what: &str) -> Result<Value, Fault> {
    stage.bench.nobody().post("/do", json!(what)).await.map(|answer| answer.json())
}

async fn refused(stage: &Stage, code: &str, part: &str) {
    let fault = ask(stage, "badly").await.expect_err(code);
    assert_eq!(fault.code, code, "{fault:?}");
    assert!(fault.message.contains(part), "{}\nshould mention {part}", fault.message);
    assert_eq!(ask(stage, "well").await.expect("the next is served"), "well");
}

#[tokio::test]
async fn who_sleeps_past_the_deadline_is_ended() {
    let stage = stage("time.sleep(100)", "timeout_ms = 300").await;
    ask(&stage, "well").await.expect("it works");
    let begun = Instant::now();
    refused(&stage, "function.timeout", "Task timed out after 0.30 seconds").await;
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn who_takes_memory_without_end_is_ended() {
    let stage = stage(
        "kept = []\nwhile True:\n    kept.append(bytearray(4 << 20))\n    time.sleep(0.002)",
        "memory_mb_max = 96",
    )
    .await;
    refused(&stage, "function.memory", "96 MB").await;
}

#[tokio::test]
async fn who_takes_memory_before_it_begins_is_ended_too() {
    let file = "import time\nkept = []\nwhile True:\n    kept.append(bytearray(4 << 20))\n    time.sleep(0.002)\n";
    let stage = Stage::new(&python("memory_mb_max = 96"), &[("do.py", file)]).await;
    let fault = ask(&stage, "well").await.expect_err("it never begins");
    assert_eq!(fault.code, "function.memory", "{fault:?}");
}

#[tokio::test]
async fn who_multiplies_is_ended() {
    let stage = stage(
        "while True:\n    try:\n        subprocess.Popen(['/bin/sleep', '4712'])\n    except OSError:\n        time.sleep(0.01)",
        "timeout_ms = 5000",
    )
    .await;
    let fault = ask(&stage, "badly").await.expect_err("it multiplies");
    let is_limited = stage.functions.protections.limits_processes;
    // Where the system refuses more, it may try until its time is over.
    assert_eq!(fault.code, if is_limited { "function.timeout" } else { "function.processes" }, "{fault:?}");
    assert_eq!(ask(&stage, "well").await.expect("the next is served"), "well");
}

#[tokio::test]
async fn who_hides_memory_behind_a_thread_that_has_ended_is_ended() {
    let body = "import ctypes, threading\n\
        if os.fork() == 0:\n\
        \x20   def grow():\n\
        \x20       kept = []\n\
        \x20       while True:\n\
        \x20           kept.append(bytearray(4 << 20))\n\
        \x20           time.sleep(0.002)\n\
        \x20   threading.Thread(target=grow).start()\n\
        \x20   ctypes.CDLL(None).syscall({exit}, 0)\n\
        time.sleep(100)";
    let body = body.replace("{exit}", &libc::SYS_exit.to_string());
    refused(&stage(&body, "memory_mb_max = 96").await, "function.memory", "96 MB").await;
}

#[tokio::test]
async fn who_starts_too_many_threads_is_ended_or_gets_no_more() {
    let body = "import threading\n\
        try:\n\
        \x20   for _ in range(200): threading.Thread(target=time.sleep, args=(100,), daemon=True).start()\n\
        except RuntimeError:\n\
        \x20   raise ValueError('no more')\n\
        time.sleep(100)";
    let stage = stage(body, "").await;
    let is_limited = stage.functions.protections.limits_processes;
    let (code, part) = if is_limited { ("function.failed", "no more") } else { ("function.processes", "64") };
    refused(&stage, code, part).await;
}

#[tokio::test]
async fn who_exits_is_replaced() {
    let stage = stage("os._exit(7)", "").await;
    refused(&stage, "function.exited", "exit status 7").await;
    let stage = self::stage("os.kill(os.getpid(), 9)\nimport ctypes\nctypes.string_at(0)", "").await;
    refused(&stage, "function.exited", "signal").await;
}

#[tokio::test]
async fn who_answers_twice_or_for_another_is_not_believed() {
    let stage = stage(
        "base = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'\n\
         said = []\n\
         for id in ['another', context.aws_request_id, context.aws_request_id]:\n\
         \x20   try:\n\
         \x20       said.append(request.urlopen(request.Request(base + id + '/response', b'\"first\"'), timeout=5).status)\n\
         \x20   except Exception as error:\n\
         \x20       said.append(error.code)\n\
         print(said)\n\
         return 'second'",
        "",
    )
    .await;
    assert_eq!(ask(&stage, "badly").await.expect("the first answer counts"), "first");
    assert_eq!(ask(&stage, "well").await.expect("the next is served"), "well");
    let lines = stage.lines.borrow();
    assert!(lines.iter().any(|(_, _, line)| line == "[400, 202, 403]"), "{lines:?}");
}

#[tokio::test]
async fn who_prints_without_end_is_cut_short_and_fills_nothing() {
    let stage = stage(
        "print('begin')\nfor number in range(20000):\n    print('x' * 100)\nprint('y' * 100000)\nreturn 'done'",
        "timeout_ms = 30000",
    )
    .await;
    assert_eq!(ask(&stage, "badly").await.expect("an answer"), "done");
    let lines = stage.lines.borrow();
    assert!(lines.len() < 4_000, "{} lines", lines.len());
    assert!(lines.iter().all(|(_, _, line)| line.len() <= 8 * 1024));
    let (function, invocation, _) = lines.iter().find(|(_, _, line)| line == "begin").expect("the first line");
    assert_eq!((&**function, invocation.len()), ("do", 36), "lines carry the id of their invocation");
}

#[tokio::test]
async fn what_it_leaves_behind_ends_with_it() {
    let left = "held = os.open('pipes/held', os.O_RDONLY | os.O_NONBLOCK)\n\
        subprocess.Popen(['/bin/sh', '-c', 'sleep 4711.5 & sleep 4711.5'], start_new_session=True, pass_fds=[held])\nos._exit(0)";
    let body: String = left.lines().map(|line| format!("    {line}\n")).collect();
    let stage = Stage::new(&python(""), &[("do.py", &format!("{HEAD}{body}")), ("pipes/none", "")]).await;
    let held = stage.pipe("held");
    refused(&stage, "function.exited", "exit status 0").await;
    released(&held).await;
}

#[tokio::test]
async fn who_never_asks_for_work_is_ended_in_time() {
    let stage =
        Stage::new(&python("init_timeout_ms = 400\ntimeout_ms = 500"), &[("do.py", "import time\ntime.sleep(100)\n")])
            .await;
    let fault = ask(&stage, "well").await.expect_err("it never asks");
    assert_eq!(fault.code, "function.init");
    assert!(fault.message.contains("did not ask for work in time"), "{}", fault.message);
}

#[tokio::test]
async fn an_answer_that_is_none_or_too_large_is_said() {
    for (body, part) in [
        ("return 'x' * (7 << 20)", "bytes"),
        ("return {'$reply': {'bdy': 1}}", "unknown field `bdy`"),
        ("return {'$reply': {'created': 'no path'}}", "`$reply`"),
        ("return {'$reply': {'body': 1, 'text': 'x'}}", "choose one"),
        ("return {'$reply': {'headers': {'set-cookie': 'a=b'}}}", "set-cookie"),
    ] {
        let stage = stage(body, "").await;
        let fault = ask(&stage, "badly").await.expect_err(body);
        assert_eq!(fault.code, "function.answer", "{fault:?}");
        assert!(fault.message.contains(part) || part == "`$reply`", "{}", fault.message);
        assert_eq!(ask(&stage, "well").await.expect("the next is served"), "well");
    }
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_work() {
    let stage = stage("time.sleep(100)", "processes_max = 1\ntimeout_ms = 60000").await;
    ask(&stage, "well").await.expect("it works");
    let left = tokio::time::timeout(Duration::from_millis(100), ask(&stage, "badly")).await;
    assert!(left.is_err(), "the caller left");
    assert_eq!(ask(&stage, "well").await.expect("the only place is free again"), "well");
}

#[tokio::test]
async fn who_takes_memory_after_the_answer_is_ended_too() {
    let body = "held = os.open('pipes/held', os.O_RDONLY | os.O_NONBLOCK)\n\
        if os.fork() == 0:\n\
        \x20   kept = bytearray(200 << 20)\n\
        \x20   for at in range(0, len(kept), 4096): kept[at] = 1\n\
        \x20   while True: time.sleep(100)\n\
        return 'done'";
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    let files = [("do.py", &*format!("{HEAD}{body}")), ("pipes/none", "")];
    let stage = Stage::new(&python("memory_mb_max = 96\nidle_ms = 600000"), &files).await;
    let held = stage.pipe("held");
    assert_eq!(ask(&stage, "badly").await.expect("an answer"), "done");
    // It is ended while nobody calls.
    released(&held).await;
}
