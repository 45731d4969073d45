//! What runs functions, as small as it can be: the Runtime API for one process at a time, which is stopped whenever it is not
//! invoked; and a queue that takes wake-ups.

use crate::channel::{binary, postgres, schema, showrunner};
use crate::exchange::read_request;
use crate::programs::eventually;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long an invocation may take.
const TIMEOUT_MS: u128 = 30_000;
/// How long the process may let us wait.
const PATIENCE: Duration = Duration::from_secs(40);

/// A function: a process of the binary under test that is frozen between invocations.
pub(crate) struct Function {
    api: TcpListener,
    child: Child,
    connection: Option<BufReader<TcpStream>>,
    folder: tempfile::TempDir,
    number: u32,
}

impl Function {
    /// Starts it with settings such as `("SHOWRUNNER_SERVICES", "payments")`, on the records of a data folder.
    pub(crate) fn start(records: &Path, settings: &[(&str, String)]) -> Self {
        let url =
            postgres().expect("CALLBOARD_BENCH_RECORDS names no PostgreSQL; `cargo xtask test --only tests-postgres`");
        let schema = schema(records);
        let own = [("SHOWRUNNER_RECORDS", url), ("SHOWRUNNER_RECORDS_SCHEMA", schema)];
        Self::begin(&[], own.into_iter().chain(settings.iter().cloned()))
    }

    /// Starts it with these words and no other setting than these.
    pub(crate) fn begin<'s>(words: &[&str], settings: impl Iterator<Item = (&'s str, String)>) -> Self {
        let (api, folder) = (TcpListener::bind("127.0.0.1:0").unwrap(), tempfile::tempdir().unwrap());
        let log = File::create(folder.path().join("log")).unwrap();
        assert!(binary().is_file());
        let mut command = showrunner(words);
        command.env("AWS_LAMBDA_RUNTIME_API", api.local_addr().unwrap().to_string());
        command.env("SHOWRUNNER_DATA", folder.path().join("data")).env("SHOWRUNNER_LOG", "info,callboard=debug");
        command.envs(settings).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap();
        Self { api, child, connection: None, folder, number: 0 }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Invokes it: its answer, or what it says went wrong.
    pub(crate) fn invoke(&mut self, event: &Value) -> Result<Value, Value> {
        self.number += 1;
        let id = format!("request-{}", self.number);
        self.invoke_as(&id, event)
    }

    pub(crate) fn invoke_as(&mut self, id: &str, event: &Value) -> Result<Value, Value> {
        self.signal(Signal::CONT);
        let (head, _) = self.read();
        assert!(head.starts_with("GET /2018-06-01/runtime/invocation/next "), "{head}");
        let deadline_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() + TIMEOUT_MS;
        let headers = format!(
            "lambda-runtime-aws-request-id: {id}\r\nlambda-runtime-deadline-ms: {deadline_ms}\r\nlambda-runtime-invoked-function-arn: arn:aws:lambda:eu-central-1:1:function:showrunner\r\n"
        );
        self.write("200 OK", &headers, &event.to_string());
        let (head, body) = self.read();
        self.write("202 Accepted", "", "{\"status\":\"OK\"}");
        self.freeze();
        let body = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{head}: {error}"));
        match head.split(' ').nth(1) {
            Some(path) if path == format!("/2018-06-01/runtime/invocation/{id}/response") => Ok(body),
            Some(path) if path == format!("/2018-06-01/runtime/invocation/{id}/error") => Err(body),
            _ => panic!("{head}"),
        }
    }

    /// What it says instead of asking for work.
    pub(crate) fn refusal(&mut self) -> Value {
        let (head, body) = self.read();
        assert!(head.starts_with("POST /2018-06-01/runtime/init/error "), "{head}");
        self.write("202 Accepted", "", "{}");
        assert!(!self.child.wait().unwrap().success());
        serde_json::from_slice(&body).unwrap()
    }

    /// Stops it, and waits until it stands still.
    fn freeze(&self) {
        self.signal(Signal::STOP);
        let stat = format!("/proc/{}/stat", self.child.id());
        let look = || fs::read_to_string(&stat).unwrap_or_default();
        eventually("does it stand still", look, |stat| {
            stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T"))
        });
    }

    fn read(&mut self) -> (String, Vec<u8>) {
        if let Some(request) = self.connection.as_mut().and_then(read_request) {
            return request;
        }
        let (stream, _) = self.api.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut connection = BufReader::new(stream);
        let request =
            read_request(&mut connection).unwrap_or_else(|| panic!("it asks for nothing\n{}", self.log_text()));
        self.connection = Some(connection);
        request
    }

    fn write(&mut self, status: &str, headers: &str, body: &str) {
        let stream = self.connection.as_mut().expect("it has asked").get_mut();
        let head = format!(
            "HTTP/1.1 {status}\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
    }

    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("──── what the function said\n{}", self.log_text());
        }
    }
}

/// A queue that takes messages on the wire of SQS; each is given with its delay.
pub(crate) struct Queue {
    pub(crate) address: String,
    sent: mpsc::Receiver<Value>,
}

impl Queue {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/1/wake", listener.local_addr().unwrap());
        let (tell, sent) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut connection = BufReader::new(stream);
                let Some((head, body)) = read_request(&mut connection) else { continue };
                let lower = head.to_ascii_lowercase();
                let is_signed = lower.contains("authorization: aws4-hmac-sha256 credential=akid/")
                    && lower.contains("/eu-central-1/sqs/aws4_request, signedheaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target")
                    && lower.contains("x-amz-target: amazonsqs.sendmessage");
                let answer = if is_signed { "{\"MessageId\":\"m\"}" } else { "{\"__type\":\"InvalidSignature\"}" };
                let status = if is_signed { "200 OK" } else { "403 Forbidden" };
                let text = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
                    answer.len()
                );
                let _ = connection.get_mut().write_all(text.as_bytes());
                if !is_signed || tell.send(serde_json::from_slice(&body).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { address, sent }
    }

    /// What a function needs to reach it.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SHOWRUNNER_LAMBDA_WAKE", self.address.clone()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKID".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_SESSION_TOKEN", "token".to_owned()),
        ]
    }

    /// The next message that was sent; none where nothing was.
    pub(crate) fn take(&self) -> Option<Value> {
        self.sent.try_recv().ok()
    }
}

/// A batch of a queue, as it invokes a function.
pub(crate) fn batch(queue: &str, messages: &[(&str, Value)]) -> Value {
    let record = |(id, body): &(&str, Value)| {
        json!({
            "messageId": id, "receiptHandle": "h", "body": body.to_string(), "attributes": {"ApproximateReceiveCount": "1"},
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "eu-central-1",
            "eventSourceARN": format!("arn:aws:sqs:eu-central-1:1:{queue}"),
        })
    };
    json!({"Records": messages.iter().map(record).collect::<Vec<_>>()})
}
