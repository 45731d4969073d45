//! The clients of AWS as they are: what runs functions in Python and Rust, and what invokes them, boto3 and the command line. The tests install those
//! of Python by themselves, once, below `target`.

use crate::stage::{Lines, Stage, folder, functions, python};
use callboard::{Empty, Fault, Kind, Msg, Reply, Service, Stranger, Tenant, Who};
use callboard_bench::{Bench, Kept};
use callboard_hosts::invoke::{self, Keys};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;
use tokio::net::TcpListener;

const PACKAGES: [&str; 3] = ["awslambdaric==4.2.2", "boto3==1.44.8", "awscli==1.46.3"];

/// A Python with the clients of AWS.
fn python_with_clients() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
        let (program, mark) = (folder.join("bin/python3"), folder.join("installed"));
        // Each test may be a process of its own.
        let alone = std::fs::File::create(folder.with_extension("lock")).expect("a lock");
        alone.lock().expect("the others let go");
        if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == PACKAGES.join(" ")) {
            return program;
        }
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        run(Command::new(&program)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(PACKAGES));
        std::fs::write(mark, PACKAGES.join(" ")).expect("a mark");
        program
    })
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn the_runtime_client_of_python_runs_unmodified() {
    let toml = format!(
        "[[function]]\nname = \"do\"\non = \"POST /do\"\nwho = \"anyone\"\ncommand = [\"{}\", \"-m\", \"awslambdaric\", \"app.handler\"]",
        python_with_clients().display()
    );
    let code = "def handler(event, context):\n    if event['data'] == 'fail':\n        raise ValueError('it was asked to fail')\n    return {'got': event['data'], 'id': context.aws_request_id, 'left': context.get_remaining_time_in_millis() < 1e12}\n";
    let stage = Stage::new(&toml, &[("app.py", code)]).await;
    for number in 0..3 {
        let answer = stage.bench.nobody().post("/do", json!(number)).await.expect("an answer");
        assert_eq!(answer.json(), json!({"got": number, "id": answer.id.to_string(), "left": true}));
    }
    let fault = stage.bench.nobody().post("/do", json!("fail")).await.expect_err("it fails");
    assert!(fault.code == "function.failed" && fault.message.contains("ValueError: it was asked to fail"), "{fault:?}");
    assert_eq!(stage.functions.processes("do"), Some((1, 1)), "one process did all");
}

#[tokio::test]
async fn the_runtime_client_of_rust_runs_unmodified() {
    let program = Path::new(env!("CARGO_BIN_EXE_callboard-sandbox")).with_file_name("examples").join("echo");
    let toml = format!(
        "[[function]]\nname = \"do\"\non = \"POST /do\"\nwho = \"anyone\"\ncommand = [\"{}\"]",
        program.display()
    );
    let stage = Stage::new(&toml, &[]).await;
    for number in 0..3 {
        assert_eq!(stage.bench.nobody().post("/do", json!(number)).await.expect("an answer").json(), json!(number));
    }
    let fault = stage.bench.nobody().post("/do", json!("fail")).await.expect_err("it fails");
    assert!(fault.code == "function.failed" && fault.message.contains("it was asked to fail"), "{fault:?}");
}

async fn hello(_: Msg<Empty>) -> Result<Reply<&'static str>, Fault> {
    Ok(Reply::ok("hello"))
}

async fn full(_: Msg<Empty>) -> Result<Reply, Fault> {
    Err(Fault::too_many("busy", "try again"))
}

const CALLER: &str = r#"
import base64, boto3, datetime, json, sys
from botocore import auth
from botocore.config import Config
from botocore.exceptions import ClientError

def client(key, secret):
    config = Config(retries={"max_attempts": 0})
    return boto3.client("lambda", endpoint_url=sys.argv[1], region_name="eu-central-1", aws_access_key_id=key,
                        aws_secret_access_key=secret, config=config)

ours = client("mine", "0123456789abcdef")

def invoke(by=ours, **arguments):
    try:
        answer = by.invoke(**arguments)
        tail = base64.b64decode(answer.get("LogResult", "")).decode()
        return [answer["StatusCode"], answer.get("FunctionError"), answer["Payload"].read().decode(), tail]
    except ClientError as error:
        return [error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]]

changing = client("mine", "0123456789abcdef")
def change(request, **_):
    request.body = b"5"
changing.meta.events.register("before-send.lambda.Invoke", change)

def aside(minutes):
    now = auth.get_current_datetime
    auth.get_current_datetime = lambda *args, **named: now(*args, **named) + datetime.timedelta(minutes=minutes)
    try:
        return invoke(FunctionName="do", Payload=b"4")
    finally:
        auth.get_current_datetime = now

print(json.dumps({
    "changed": invoke(changing, FunctionName="do", Payload=b"4"),
    "late": aside(-16),
    "soon": aside(14),
    "answer": invoke(FunctionName="do", Payload=b'{"n": 1}', LogType="Tail"),
    "arn": invoke(FunctionName="arn:aws:lambda:eu-central-1:000000000000:function:do", Payload=b'2'),
    "failure": invoke(FunctionName="do", Payload=b'"fail"', LogType="Tail"),
    "native": invoke(FunctionName="hello"),
    "event": invoke(FunctionName="do", Payload=b'"later"', InvocationType="Event"),
    "dry": invoke(FunctionName="do", InvocationType="DryRun"),
    "unknown": invoke(FunctionName="nobody"),
    "throttled": invoke(FunctionName="full"),
    "stranger": invoke(client("theirs", "0123456789abcdef"), FunctionName="do"),
    "wrong": invoke(client("mine", "fedcba9876543210"), FunctionName="do"),
}))
"#;

/// Functions that may be invoked, and where.
struct Endpoint {
    bench: Bench,
    lines: Lines,
    url: String,
    _folder: TempDir,
}

async fn endpoint() -> Endpoint {
    let native = Service::new("native").on(Kind::Get, "/hello", hello, Who::Services, Stranger::NotFound).on(
        Kind::Post,
        "/full",
        full,
        Who::Services,
        Stranger::NotFound,
    );
    let code = "def handler(event, context):\n    print('got', event['data'])\n    if event['data'] == 'fail':\n        raise KeyError('gone')\n    return event['data']\n";
    let (folder, lines) = (folder(&[("do.py", code)]), Lines::default());
    let functions = functions(&python(""), folder.path(), &lines).await.unwrap_or_else(|fault| panic!("{fault:?}"));
    let services = vec![native, functions.service(), invoke::service()];
    // Signatures are of now, and the bench's clock stands at the beginning of its time.
    let bench = Bench::shaped(services, Kept::InMemory, |builder| builder).await;
    let now_ms = std::time::UNIX_EPOCH.elapsed().expect("a time").as_millis() as i64;
    bench.clock().advance(now_ms - callboard_bench::START_MS);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let keys = Keys::parse("mine:0123456789abcdef").expect("keys");
    let options = invoke::Options { keys, tenant: Tenant::new("demo"), tails: functions.tails.clone() };
    tokio::spawn(invoke::serve(bench.host().clone(), options, listener, std::future::pending()));
    Endpoint { bench, lines, url, _folder: folder }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_invokes_functions() {
    let program = python_with_clients();
    let Endpoint { bench, lines, url, _folder } = endpoint().await;
    let said = tokio::task::spawn_blocking(move || {
        run(Command::new(program).args(["-c", CALLER, &url]).env_remove("AWS_PROFILE"))
    });
    let said: Value = serde_json::from_slice(&said.await.expect("it ends")).expect("JSON");
    assert_eq!(said["answer"], json!([200, null, "{\"n\":1}", "got {'n': 1}\n"]));
    assert_eq!(said["arn"], json!([200, null, "2", ""]));
    let failure: Value = serde_json::from_str(said["failure"][2].as_str().expect("a payload")).expect("JSON");
    assert_eq!((&said["failure"][0], &said["failure"][1]), (&json!(200), &json!("Unhandled")));
    assert_eq!((&failure["errorType"], &failure["errorMessage"]), (&json!("KeyError"), &json!("'gone'")));
    assert_eq!(said["failure"][3], "got fail\n");
    assert_eq!(said["native"], json!([200, null, "\"hello\"", ""]));
    assert_eq!(said["event"], json!([202, null, "", ""]));
    assert_eq!(said["dry"], json!([204, null, "", ""]));
    assert_eq!(said["unknown"], json!([404, "ResourceNotFoundException"]));
    assert_eq!(said["throttled"], json!([429, "TooManyRequestsException"]));
    assert_eq!(said["stranger"], json!([403, "UnrecognizedClientException"]));
    for wrong in ["wrong", "changed", "late"] {
        assert_eq!(said[wrong], json!([403, "InvalidSignatureException"]), "{wrong}");
    }
    assert_eq!(said["soon"], json!([200, null, "4", ""]), "clocks may differ by minutes");
    let is_printed = |lines: &Vec<(String, String, String)>| lines.iter().any(|(_, _, line)| line == "got later");
    assert!(!is_printed(&lines.borrow()), "what nobody waits for is queued");
    bench.settle().await;
    lines.subscribe().wait_for(is_printed).await.expect("and delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_of_aws_invokes_functions() {
    let program = python_with_clients().with_file_name("aws");
    let Endpoint { url, lines, bench, _folder } = endpoint().await;
    let aws = async |secret: &str, words: &[&str]| {
        let mut command = Command::new(&program);
        command.args(["lambda", "invoke", "--endpoint-url", &url, "--output", "json"]).args(words).arg("/dev/stderr");
        let settings = [("AWS_ACCESS_KEY_ID", "mine"), ("AWS_SECRET_ACCESS_KEY", secret), ("AWS_MAX_ATTEMPTS", "1")];
        command.envs(settings).env("AWS_DEFAULT_REGION", "eu-central-1").env("AWS_CONFIG_FILE", "/dev/null");
        command.env_remove("AWS_PROFILE").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("it ends");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.success(), said, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let ours = "0123456789abcdef";
    let (is_good, said, body) =
        aws(ours, &["--function-name", "do", "--payload", "{\"n\": 1}", "--log-type", "Tail"]).await;
    assert_eq!((is_good, &said["StatusCode"], &*body), (true, &json!(200), "{\"n\":1}"), "{said}");
    assert_eq!((&said["ExecutedVersion"], &said["LogResult"]), (&json!("$LATEST"), &json!("Z290IHsnbic6IDF9Cg==")));
    let (_, said, body) = aws(ours, &["--function-name", "do", "--payload", "\"fail\""]).await;
    assert!(said["FunctionError"] == "Unhandled" && body.contains("KeyError"), "{said} {body}");
    let (_, said, _) = aws(ours, &["--function-name", "do", "--payload", "1", "--invocation-type", "DryRun"]).await;
    assert_eq!(said["StatusCode"], 204);
    for (secret, function, name) in
        [(ours, "nobody", "ResourceNotFoundException"), ("fedcba9876543210", "do", "InvalidSignatureException")]
    {
        let (is_good, _, told) = aws(secret, &["--function-name", function, "--payload", "1"]).await;
        assert!(!is_good && told.contains(name), "{told}");
    }
    let later = ["--function-name", "do", "--payload", "\"later\"", "--invocation-type", "Event"];
    assert_eq!(aws(ours, &later).await.1["StatusCode"], 202);
    bench.settle().await;
    lines.subscribe().wait_for(|lines| lines.iter().any(|(_, _, line)| line == "got later")).await.expect("a line");
}
