//! How functions begin: in which languages, and what is said where they cannot.

use crate::stage::{Lines, Stage, folder, functions, python, released};
use callboard::invocation::{Trace, Traceparent};
use callboard::{Kind, Uri};
use serde_json::{Value, json};

const ECHO: &str =
    "def handler(event, context):\n    return {'got': event['data'], 'by': event['principal']['kind']}\n";

#[tokio::test]
async fn a_function_of_python_answers_and_its_process_stays() {
    let stage = Stage::new(&python(""), &[("do.py", ECHO)]).await;
    for number in 0..3 {
        let answer = stage.bench.nobody().post("/do", json!({"n": number})).await.expect("an answer");
        assert_eq!(answer.json(), json!({"got": {"n": number}, "by": "nobody"}));
    }
    assert_eq!(stage.functions.processes("do"), Some((1, 1)), "one process did all");
}

#[tokio::test]
async fn a_function_of_javascript_gets_the_query_and_names() {
    let toml = "[[function]]\non = \"GET /people/{id}\"\nhandler = \"people.mjs\"\nwho = \"anyone\"";
    let code = "export const handler = async (event) => ({ id: event.params.id, q: event.query, type: event.type });";
    let stage = Stage::new(toml, &[("people.mjs", code)]).await;
    let answer = stage.bench.viewer().get("/people/7?a=1&a=2&b=x%20y").await.expect("an answer");
    assert_eq!(answer.json(), json!({"id": "7", "q": {"a": ["1", "2"], "b": "x y"}, "type": "get"}));
}

#[tokio::test]
async fn a_trace_reaches_the_process_where_somebody_looks() {
    let code = "import os\ndef handler(event, context):\n    return [event.get('traceparent'), os.environ['_X_AMZN_TRACE_ID'], event['correlation']]\n";
    let script =
        "export const handler = async (event) => [event.traceparent, process.env._X_AMZN_TRACE_ID, event.correlation];";
    for (file, code) in [("do.py", code), ("do.mjs", script)] {
        let stage = Stage::new(&python("").replace("do.py", file), &[(file, code)]).await;
        let answer = stage.bench.nobody().post("/do", json!({})).await.expect("an answer").json();
        assert_eq!([&answer[0], &answer[1]], [&Value::Null, &json!("")], "nobody looks");
        let host = stage.bench.host();
        let mut msg = host.message(Kind::Post, Uri::parse("/do").expect("a URI"), stage.bench.tenant().clone());
        msg.head_mut().principal = stage.bench.owner().principal().clone();
        msg.head_mut().trace = Trace { parent: 7, is_asked: true };
        let answer = host.dispatch(msg).await.expect("an answer").json();
        let traceparent = Traceparent::read(answer[0].as_str().expect("it is carried")).expect("it is well-formed");
        assert_eq!(json!(traceparent.trace), answer[2], "the trace is the correlation");
        assert!(traceparent.is_sampled && traceparent.parent != 7, "its parent is this invocation");
        let root = format!("{:032x}", traceparent.trace.as_u128());
        let want = format!("Root=1-{}-{};Parent={:016x};Sampled=1", &root[..8], &root[8..], traceparent.parent);
        assert_eq!(answer[1], want);
    }
}

#[tokio::test]
async fn a_mistake_in_the_file_is_told_with_its_line() {
    for (file, code, parts) in [
        ("do.py", "x = 1\ndef handler(:\n", ["SyntaxError", "do.py", "line 2"]),
        ("do.mjs", "const x = 1;\nconst = 2;\n", ["SyntaxError", "do.mjs:2", "const = 2"]),
        ("do.py", "import nowhere\n", ["ModuleNotFoundError", "do.py", "line 1"]),
        ("do.py", "def other():\n    pass\n", ["AttributeError", "do.py", "def handler(event, context)"]),
        ("do.py", "def handler(event, context):\n    return 1 / 0\n", ["ZeroDivisionError", "do.py", "line 2"]),
    ] {
        let toml = python("").replace("do.py", file);
        let stage = Stage::new(&toml, &[(file, code)]).await;
        let fault = stage.bench.nobody().post("/do", json!({})).await.expect_err("it does not work");
        for part in parts {
            assert!(fault.message.contains(part), "{}\nshould mention {part}", fault.message);
        }
    }
}

#[tokio::test]
async fn what_is_no_value_is_refused_in_one_line() {
    let stream = "handler returned a generator: answers are values; to stream, use `command` and the Runtime API";
    for (file, code, said) in [
        ("do.py", "def handler(event, context):\n    yield 1\n", stream),
        ("do.py", "async def handler(event, context):\n    yield 1\n", stream),
        ("do.py", "def handler(event, context):\n    return {1, 2}\n", "handler returned a set, which is no JSON"),
        (
            "do.py",
            "def handler(event, context):\n    return [{1, 2}]\n",
            "handler returned a set in its answer, which is no JSON",
        ),
        ("do.mjs", "export async function* handler() {\n  yield 1;\n}\n", stream),
        ("do.mjs", "export function* handler() {\n  yield 1;\n}\n", stream),
        ("do.mjs", "export const handler = () => new Set([1]);\n", "handler returned a Set, which is no JSON"),
        ("do.mjs", "export const handler = () => Symbol();\n", "handler returned a symbol, which is no JSON"),
        (
            "do.mjs",
            "export const handler = () => ({ all: [new Map()] });\n",
            "handler returned a Map in its answer, which is no JSON",
        ),
    ] {
        let stage = Stage::new(&python("").replace("do.py", file), &[(file, code)]).await;
        let fault = stage.bench.nobody().post("/do", json!({})).await.expect_err("that is no value");
        assert_eq!((fault.code, &*fault.message), ("function.failed", &*format!("do: TypeError: {said}")), "{code}");
    }
}

#[tokio::test]
async fn a_mistake_is_told_once_until_it_is_another_or_a_file_is_saved() {
    let code = "def handler(event, context):\n    if event['data']:\n        raise ValueError(event['data'])\n";
    let stage = Stage::new(&python(""), &[("do.py", code)]).await;
    let told = async |words: &str| {
        drop(stage.bench.nobody().post("/do", json!(words)).await);
        stage.told.borrow().len()
    };
    assert_eq!((told("torn").await, told("torn").await), (1, 1));
    assert_eq!((told("lost").await, told("lost").await), (2, 2));
    assert_eq!((told("").await, told("lost").await), (2, 3), "it has worked meanwhile");
    let file = stage.folder.path().join("do.py");
    std::fs::write(&file, "raise ValueError('lost')\n").expect("a file");
    assert_eq!(stage.functions.changed(&[file.canonicalize().expect("a path")]).await.len(), 1);
    assert_eq!((told("").await, told("").await), (4, 4));
    std::fs::write(&file, "\nraise ValueError('lost')\n").expect("a file");
    assert_eq!(stage.functions.changed(&[file.canonicalize().expect("a path")]).await.len(), 1);
    assert_eq!(told("").await, 5);
}

#[tokio::test]
async fn what_does_not_begin_is_tried_again_only_after_a_pause() {
    let stage = Stage::new(&python(""), &[("do.py", "import sys\nsys.exit(3)\n")]).await;
    let first = stage.bench.nobody().post("/do", json!({})).await.expect_err("it does not begin");
    assert_eq!((first.code, first.headers.len()), ("function.init", 0));
    let second = stage.bench.nobody().post("/do", json!({})).await.expect_err("it is paused");
    assert_eq!((second.code, second.headers[0].0), ("function.init", "retry-after"));
    std::fs::write(stage.folder.path().join("do.py"), ECHO).expect("a file");
    let faults = stage.functions.changed(&[stage.folder.path().canonicalize().expect("a folder").join("do.py")]).await;
    assert_eq!(faults.len(), 0, "{faults:?}");
    assert!(stage.bench.nobody().post("/do", json!({})).await.is_ok());
}

#[tokio::test]
async fn what_begins_late_begins_anew_in_the_time_of_the_invocation_that_waits() {
    let code =
        "import time\ntime.sleep(2)\ndef handler(event, context):\n    return context.deadline_ms - event['time_ms']\n";
    let stage = Stage::new(&python("init_timeout_ms = 400\ntimeout_ms = 60000"), &[("do.py", code)]).await;
    let answer = stage.bench.nobody().post("/do", json!({})).await.expect("an answer").json();
    let left_ms = answer.as_i64().expect("milliseconds");
    assert!((60_400..62_000).contains(&left_ms), "the second beginning is part of the time: {left_ms} ms");
    assert_eq!(stage.functions.processes("do"), Some((1, 1)));
}

#[tokio::test]
async fn what_is_missing_or_collides_is_named_at_start() {
    let two = "[[function]]\non = \"GET /a/{id}\"\nhandler = \"a.py\"\n[[function]]\non = \"GET /a/{name}\"\nhandler = \"b.py\"\n";
    for (toml, code, parts) in [
        (python("").as_str(), "function.missing", ["do.py", "is not there"]),
        (two, "space.invalid", ["`a` and `b`", "GET /a/{name}"]),
        (
            "[[function]]\non = \"GET /a\"\ncommand = [\"nobody-has-this\"]\nname = \"a\"",
            "function.missing",
            ["nobody-has-this", "install"],
        ),
        ("[[function]]\non = \"GET\"\nhandler = \"a.py\"", "space.invalid", ["a.py: a: on: ", "`GET`"]),
        ("[[function]]\non = \"GET /a\"\nhandler = \"../b.py\"", "function.missing", ["b.py", "is not there"]),
        ("[[function]]\non = \"GET /a\"\nhandler = \"a.py\"\nwho = \"everyone\"", "space.invalid", ["who", "everyone"]),
        (
            "[[function]]\non = \"GET /a\"\nhandler = \"a.py\"\ntimeout_ms = 0",
            "space.invalid",
            ["timeout_ms", "900000"],
        ),
    ] {
        let folder = folder(&[("a.py", ECHO), ("b.py", ECHO)]);
        let fault = functions(toml, folder.path(), &Lines::default()).await.err().expect(toml);
        assert_eq!(fault.code, code, "{fault}");
        parts.iter().for_each(|part| assert!(fault.message.contains(part), "{fault}\nshould mention {part}"));
    }
}

#[tokio::test]
async fn as_many_processes_as_work_and_none_when_there_is_none() {
    let code = "import os\nheld = os.open('pipes/held', os.O_RDONLY | os.O_NONBLOCK)\n\
        def handler(event, context):\n    return event['data']\n";
    let toml = python("processes_max = 2\nidle_ms = 50\ntimeout_ms = 5000");
    let stage = Stage::new(&toml, &[("do.py", code), ("pipes/none", "")]).await;
    let held = stage.pipe("held");
    let nobody = stage.bench.nobody();
    let (one, two, three) =
        tokio::join!(nobody.post("/do", json!(1)), nobody.post("/do", json!(2)), nobody.post("/do", json!(3)));
    assert_eq!([one, two, three].map(|answer| answer.expect("an answer").json()), [json!(1), json!(2), json!(3)]);
    assert_eq!(stage.functions.processes("do").map(|(_, started)| started), Some(2), "the third waited for one of two");
    released(&held).await;
    assert_eq!(stage.functions.processes("do"), Some((0, 2)), "they end when nobody calls");
    assert!(nobody.post("/do", json!(4)).await.is_ok());
}
