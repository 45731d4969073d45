//! A channel on a data folder of its own, run by the real binary, which may be started, ended, killed and started again.

use crate::exchange::Visitor;
use crate::programs;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Who owns every channel of these tests.
const OWNER: (&str, &str) = ("owner@channel.example", "lantern fish parade 31");
/// Longest time until the address is told.
const START_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Channel {
    folder: TempDir,
    running: Option<Running>,
}

/// A started server.
pub(crate) struct Running {
    child: Child,
    pub(crate) port: u16,
    /// What it says after its address.
    lines: mpsc::Receiver<String>,
}

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    let beside = || {
        // target/debug/deps/journeys-… → target/debug/showrunner
        let own = std::env::current_exe().unwrap();
        own.parent().and_then(Path::parent).expect("a test is two folders below its profile's").join("showrunner")
    };
    let binary = std::env::var_os("SHOWRUNNER").map_or_else(beside, PathBuf::from);
    assert!(binary.is_file(), "{} is not built; run `cargo build -p showrunner` first", binary.display());
    binary
}

/// A command of the binary that reads no settings but those it is given. Where `CALLBOARD_BENCH_RECORDS` names a PostgreSQL,
/// the records are there, in a schema for each data folder.
pub(crate) fn showrunner(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SHOWRUNNER_")) {
        command.env_remove(name);
    }
    if let Some(url) = postgres()
        && let Some(at) = arguments.iter().position(|word| ["--data", "--data-dir"].contains(word))
    {
        command.env("SHOWRUNNER_RECORDS", url).env("SHOWRUNNER_RECORDS_SCHEMA", schema(Path::new(arguments[at + 1])));
        // What a killed server had in work is taken soon.
        command.env("SHOWRUNNER_RECORDS_LEASE_MS", "1000");
    }
    command
}

/// The PostgreSQL that keeps the records of these tests, where there is one.
pub(crate) fn postgres() -> Option<String> {
    std::env::var("CALLBOARD_BENCH_RECORDS").ok()
}

/// Where the records of a data folder are on PostgreSQL.
pub(crate) fn schema(data: &Path) -> String {
    let mut hash = DefaultHasher::new();
    data.hash(&mut hash);
    format!("journey_{:016x}", hash.finish())
}

impl Channel {
    /// A channel with an owner, running.
    pub(crate) fn open() -> Self {
        let mut channel = Self::closed();
        channel.start();
        channel
    }

    /// A channel with an owner that does not run yet.
    pub(crate) fn closed() -> Self {
        let channel = Self { folder: tempfile::tempdir().unwrap(), running: None };
        channel.make_tenant("demo");
        channel
    }

    /// A data folder for a server that shares the records of another.
    pub(crate) fn without_records() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), running: None }
    }

    /// Makes a tenant with its owner while nothing runs.
    pub(crate) fn make_tenant(&self, name: &str) {
        let data = self.data();
        let data = data.to_str().unwrap();
        succeed(showrunner(&["tenant", name, "--title", "Lantern Street", "--data", data]));
        let (email, password) = OWNER;
        succeed(showrunner(&["owner", email, "--tenant", name, "--password", password, "--data", data]));
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn start(&mut self) {
        self.start_with(&mut self.up());
    }

    /// The command that starts it, on a free port.
    pub(crate) fn up(&self) -> Command {
        self.up_at(0)
    }

    pub(crate) fn up_at(&self, port: u16) -> Command {
        showrunner(&["up", "--listen", &format!("127.0.0.1:{port}"), "--data", self.data().to_str().unwrap()])
    }

    pub(crate) fn start_with(&mut self, command: &mut Command) {
        assert!(self.running.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let running = Running::listening(child);
        self.running = Some(running.unwrap_or_else(|why| panic!("{why}\n{}", self.log_text())));
    }

    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// The lines it says after its address.
    pub(crate) fn greeting(&self, lines: usize) -> String {
        let line = |_| self.running().lines.recv_timeout(START_MAX).expect("it says more");
        (0..lines).map(line).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut running = self.running.take().expect("it runs");
        running.signal(Signal::TERM);
        running.wait()
    }

    /// Takes it away without asking.
    pub(crate) fn kill(&mut self) {
        let mut running = self.running.take().expect("it runs");
        running.signal(Signal::KILL);
        running.wait();
    }

    pub(crate) fn nobody(&self) -> Visitor {
        Visitor { port: self.running().port, cookie: None }
    }

    /// The owner, signed in.
    pub(crate) fn owner(&self) -> Visitor {
        self.signed_in("", OWNER.0, OWNER.1)
    }

    /// The owner of another tenant of this platform, signed in there.
    pub(crate) fn owner_at(&self, mount: &str) -> Visitor {
        self.signed_in(mount, OWNER.0, OWNER.1)
    }

    fn signed_in(&self, mount: &str, email: &str, password: &str) -> Visitor {
        let nobody = self.nobody();
        let answer = nobody.post(&format!("{mount}/api/sessions"), &json!({"email": email, "password": password}));
        with_cookie(nobody, answer.ok().header("set-cookie"))
    }

    /// Somebody who signs up, with a role that the owner gives them.
    pub(crate) fn member(&self, name: &str, role: &str) -> Visitor {
        let nobody = self.nobody();
        let account =
            json!({"email": format!("{name}@people.example"), "password": "quiet harbour wind 7", "name": name});
        let answer = nobody.post("/api/accounts", &account).ok();
        if role != "viewer" {
            let id = answer.json()["id"].as_str().unwrap().to_owned();
            self.owner().put(&format!("/api/members/{id}"), &json!({"role": role})).ok();
        }
        with_cookie(nobody, answer.header("set-cookie"))
    }
}

fn with_cookie(visitor: Visitor, set: Option<&str>) -> Visitor {
    let cookie = set.and_then(|set| set.split(';').next()).expect("a session is given").to_owned();
    Visitor { cookie: Some(cookie), ..visitor }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.signal(Signal::KILL);
            running.wait();
        }
        if thread::panicking() {
            eprintln!("──── what the server said\n{}", self.log_text());
        }
    }
}

impl Running {
    /// Waits until it tells its address.
    fn listening(mut child: Child) -> Result<Self, String> {
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Whoever listened may be gone; the pipe is emptied all the same.
                let _ = tell.send(line);
            }
        });
        let until = Instant::now() + START_MAX;
        loop {
            let Ok(line) = told.recv_timeout(until.saturating_duration_since(Instant::now())) else {
                let _ = child.kill();
                return Err(format!("it did not start: {:?}", child.wait()));
            };
            if let Some((_, port)) = line.rsplit_once("http://localhost:") {
                let port = port.trim().parse().map_err(|_| format!("no port in `{line}`"))?;
                return Ok(Self { child, port, lines: told });
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        // It may have ended by itself.
        let _ = kill_process(id, signal);
    }

    fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

#[track_caller]
fn succeed(mut command: Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a command that is expected to give up, within a time; its exit code and what it complained about.
#[track_caller]
pub(crate) fn complaint(mut command: Command) -> (Option<i32>, String) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let Output { status, stderr, .. } = programs::finish(child, Duration::from_secs(20));
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}
