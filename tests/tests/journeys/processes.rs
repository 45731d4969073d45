//! A function from nothing: written by `new`, run by `up`, changed while it runs, and wrong in every way a beginner gets it wrong.

use crate::channel::{complaint, showrunner};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a build may take that has to begin from nothing.
const BUILD_PATIENCE: Duration = Duration::from_secs(300);

/// A folder of functions that runs.
struct Folder {
    child: Child,
    port: u16,
    lines: mpsc::Receiver<String>,
    shown: String,
    patience: Duration,
}

impl Folder {
    fn up(folder: &Path) -> Self {
        Self::up_within(folder, PATIENCE, &[])
    }

    /// The same with variables of the environment, where a line may take longer.
    fn up_within(folder: &Path, patience: Duration, environment: &[(&str, &str)]) -> Self {
        let mut command = showrunner(&["up", "--listen", "127.0.0.1:0"]);
        command.envs(environment.iter().copied());
        let mut child = command.current_dir(folder).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut folder = Self { child, port: 0, lines, shown: String::new(), patience };
        folder.wait_for("Confined by");
        let address = folder.shown.split("http://localhost:").nth(1).expect("an address");
        folder.port = address.split('/').next().and_then(|port| port.parse().ok()).expect("a port");
        folder
    }

    /// Waits until this is shown.
    fn wait_for(&mut self, part: &str) {
        while !self.shown.contains(part) {
            let line = self.lines.recv_timeout(self.patience).unwrap_or_else(|_| panic!("{}\nno {part}", self.shown));
            self.shown += &line;
            self.shown.push('\n');
        }
    }

    fn get(&self, target: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn new(lang: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = showrunner(&["new", "hello", "--lang", lang]).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

#[test]
fn hello_takes_two_commands_in_python_and_javascript() {
    for lang in ["python", "node"] {
        let begun = Instant::now();
        let folder = new(lang);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "one file");
        let running = Folder::up(folder.path());
        let answer = running.get("/hello?name=Ada");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\"Hello, Ada\""), "{answer}");
        assert!(begun.elapsed() < Duration::from_secs(15), "{lang} took {:?}", begun.elapsed());
        assert!(
            running.shown.contains("called by    anyone") && running.shown.contains("network      nothing"),
            "{}",
            running.shown
        );
    }
}

#[test]
fn hello_takes_two_commands_in_rust() {
    let folder = new("rust");
    // With the versions that the workspace has, which are on this machine.
    let locked = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    std::fs::copy(locked, folder.path().join("Cargo.lock")).unwrap();
    let built = concat!(env!("CARGO_TARGET_TMPDIR"), "/hello-in-rust");
    let environment = [("CARGO_NET_OFFLINE", "true"), ("CARGO_BUILD_BUILD_DIR", built)];
    let running = Folder::up_within(folder.path(), BUILD_PATIENCE, &environment);
    let answer = running.get("/hello?name=Ada");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\"Hello, Ada\""), "{answer}");
}

#[test]
fn what_a_process_answered_is_replayed_in_its_folder() {
    let folder = new("python");
    let file = folder.path().join("hello.py");
    let code = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        code.replace("    return", "    if name == 'nobody':\n        raise ValueError(name)\n    return"),
    )
    .unwrap();
    let mut running = Folder::up(folder.path());
    assert!(running.get("/hello?name=nobody").starts_with("HTTP/1.1 500"));
    let asked = |arguments: &[&str]| {
        let output = showrunner(arguments).current_dir(&folder).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (is_well, said) = asked(&["invocations", "--format", "json", "--fault", "any", "--limit", "1"]);
    assert!(is_well, "{said}");
    let listed: serde_json::Value = serde_json::from_str(&said).unwrap();
    let span = listed[0]["span"].as_str().unwrap();
    let (is_same, said) = asked(&["replay", span]);
    assert!(is_same && said.contains("does what it did: nothing differs."), "{said}");
    std::fs::write(&file, code).unwrap();
    running.wait_for("new code after");
    let (is_same, said) = asked(&["replay", span]);
    assert!(!is_same && said.contains("Hello, nobody"), "{said}");
}

#[test]
fn what_is_saved_runs_and_a_mistake_is_told_where_it_is() {
    let folder = new("python");
    let mut running = Folder::up(folder.path());
    assert!(running.get("/hello").ends_with("\"Hello, world\""));
    let file = folder.path().join("hello.py");
    let code = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, code.replace("Hello", "Good morning")).unwrap();
    running.wait_for("new code after");
    assert!(running.get("/hello").ends_with("\"Good morning, world\""));
    std::fs::write(&file, format!("{code}\ndef broken(:\n")).unwrap();
    let line = code.lines().count() + 2;
    running.wait_for(&format!("hello.py\", line {line}"));
    running.wait_for("\nSyntaxError: invalid syntax");
    let answer = running.get("/hello");
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains("SyntaxError") && answer.contains(&format!("line {line}")), "{answer}");
    std::fs::write(&file, code).unwrap();
    running.wait_for("new code after");
    let begun = Instant::now();
    while !running.get("/hello").ends_with("\"Hello, world\"") {
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[test]
fn what_is_missing_is_named_with_what_to_install() {
    let (folder, nothing) = (new("python"), tempfile::tempdir().unwrap());
    let mut up = showrunner(&["up", "--listen", "127.0.0.1:0"]);
    up.current_dir(&folder).env("PATH", nothing.path());
    let (code, said) = complaint(up);
    assert!(code == Some(1) && said.contains("install `python3`"), "{said}");
    let again = {
        let mut again = showrunner(&["new", "hello", "--lang", "python"]);
        again.current_dir(&folder);
        complaint(again)
    };
    assert!(again.1.contains("hello.py is there already"), "{}", again.1);
}

#[test]
fn two_functions_at_one_address_are_both_named() {
    let folder = new("python");
    std::fs::write(folder.path().join("other.mjs"), "// /// showrunner\n// on = \"GET /hello\"\n// ///\n").unwrap();
    let mut up = showrunner(&["up", "--listen", "127.0.0.1:0"]);
    up.current_dir(&folder);
    let (code, said) = complaint(up);
    assert!(code == Some(1) && said.contains("`hello` and `other` are both bound to GET /hello"), "{said}");
}
