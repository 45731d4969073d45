//! Programs as they really run on this machine.

use super::*;
use callboard::ports::OnLine;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::future::Future;
use std::os::unix::process::ExitStatusExt;
use tokio::io::{Interest, unix::AsyncFd};
use tokio::sync::mpsc;

struct Site {
    machine: LocalMachine,
    folder: TempDir,
}

fn site() -> Site {
    let folder = tempfile::tempdir().expect("a folder");
    Site { machine: LocalMachine::new(&folder.path().join("work")).expect("a machine"), folder }
}

impl Site {
    fn tool(&self, tool: &'static str, args: &[&str]) -> Exec {
        Exec {
            tool,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            folder: self.folder.path().to_owned(),
            timeout_ms: 60_000,
            memory_bytes_max: 1 << 30,
            nice: 0,
            on_line: None,
        }
    }

    fn script(&self, script: &str) -> Exec {
        self.tool("sh", &["-c", script])
    }

    async fn run(&self, exec: Exec) -> Exited {
        self.machine.exec(exec).await.unwrap_or_else(|fault| panic!("{fault:?}"))
    }

    async fn text(&self, script: &str) -> String {
        let exited = self.run(self.script(script)).await;
        assert_eq!(exited.code, Some(0), "{exited:?}");
        String::from_utf8(exited.stdout).expect("text")
    }
}

/// Hears lines as they come.
fn ear() -> (OnLine, mpsc::UnboundedReceiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Box::new(move |line| drop(sender.send(line.to_owned()))), receiver)
}

/// Waits for the end of any process; it must live when this is called.
fn end_of(process: &str) -> impl Future<Output = ()> + use<> {
    let id = Pid::from_raw(process.parse().expect("a number")).expect("a process");
    let handle = pidfd_open(id, PidfdFlags::empty()).expect("it runs");
    #[expect(deprecated, reason = "its successor is unsafe, and for an owned descriptor there is no difference")]
    let handle = AsyncFd::with_interest(handle, Interest::READABLE).expect("it can be watched");
    async move { drop(handle.readable().await.expect("it ends")) }
}

#[tokio::test]
async fn arguments_arrive_as_they_are_and_no_shell_reads_them() {
    let site = site();
    let exited = site.run(site.tool("printf", &["%s|", "a b", "$HOME", "; rm -rf *", "--version", "ä"])).await;
    assert_eq!(String::from_utf8_lossy(&exited.stdout), "a b|$HOME|; rm -rf *|--version|ä|");
}

#[tokio::test]
async fn output_complaint_and_exit_code_come_back() {
    let site = site();
    let exited = site.run(site.script("echo said; echo wrong >&2; exit 3")).await;
    assert_eq!(exited, Exited { code: Some(3), stdout: b"said\n".to_vec(), stderr: "wrong\n".into() });
    let exited = site.run(site.script("kill -9 $$")).await;
    assert_eq!(exited.code, None);
}

#[tokio::test]
async fn a_program_gets_its_folder_no_input_and_no_environment_of_ours() {
    let site = site();
    assert_eq!(Path::new(site.text("pwd").await.trim_end()), site.folder.path().canonicalize().expect("a path"));
    assert_eq!(site.text("cat").await, "");
    let environment = site.text("env").await;
    let names: Vec<&str> = environment.lines().filter_map(|line| line.split('=').next()).collect();
    let allowed = ["PATH", "LANG", "CALLBOARD_WORK_FOLDER", "PWD", "SHLVL", "_", "OLDPWD"];
    assert!(names.iter().all(|name| allowed.contains(name)), "{environment}");
    assert!(allowed[..3].iter().all(|name| names.contains(name)), "{environment}");
}

#[tokio::test]
async fn lines_are_heard_while_the_program_runs() {
    let site = site();
    let (on_line, mut lines) = ear();
    let fifo = site.folder.path().join("go");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).expect("a pipe");
    let mut exec = site.script("echo out_time_ms=1; read _ < go; echo progress=end");
    exec.on_line = Some(on_line);
    let listen = async {
        assert_eq!(lines.recv().await.as_deref(), Some("out_time_ms=1"));
        tokio::fs::write(&fifo, "\n").await.expect("it listens");
        lines.recv().await
    };
    let (exited, last) = tokio::join!(site.run(exec), listen);
    assert_eq!((exited.code, exited.stdout.len(), last.as_deref()), (Some(0), 0, Some("progress=end")));
}

#[tokio::test]
async fn a_missing_program_is_named_with_the_remedy() {
    let site = site();
    let fault = site.machine.exec(site.tool("no-such-program", &[])).await.expect_err("it is missing");
    assert_eq!(fault.code, "tool.missing");
    assert!(fault.message.contains("no-such-program is not installed; run `cargo xtask up`"), "{}", fault.message);
    let fault = site.machine.exec(site.tool("../bin/sh", &[])).await.expect_err("it is not a name");
    assert_eq!(fault.code, "bug");
}

#[tokio::test]
async fn a_missing_folder_is_not_taken_for_a_missing_program() {
    let site = site();
    let mut exec = site.script("true");
    exec.folder.push("absent");
    assert_eq!(site.machine.exec(exec).await.map_err(|fault| fault.code), Err("tool.unavailable"));
}

#[tokio::test]
async fn a_program_that_hangs_is_stopped_with_all_it_started() {
    let site = site();
    let (on_line, mut lines) = ear();
    let mut exec = site.script("sleep 60 & echo $!; trap '' TERM HUP; sleep 60");
    (exec.on_line, exec.timeout_ms) = (Some(on_line), 1_000);
    let watch = async { end_of(&lines.recv().await.expect("a line")).await };
    let (outcome, ()) = tokio::join!(site.machine.exec(exec), watch);
    assert_eq!(outcome.map_err(|fault| (fault.code, fault.is_retryable())), Err(("tool.timeout", true)));
}

#[tokio::test]
async fn whoever_stops_waiting_stops_the_program_and_all_it_started() {
    let site = site();
    let (on_line, mut lines) = ear();
    let mut exec = site.script("sleep 60 & echo $!; echo $$; sleep 60");
    exec.on_line = Some(on_line);
    let (child, program) = {
        let mut run = site.machine.exec(exec);
        let mut hear = async || lines.recv().await.expect("a line");
        tokio::select! {
            exited = &mut run => panic!("it should not end: {exited:?}"),
            ends = async { (end_of(&hear().await), end_of(&hear().await)) } => ends,
        }
    };
    child.await;
    program.await;
}

#[tokio::test]
async fn what_a_program_leaves_running_ends_with_it() {
    let site = site();
    let (on_line, mut lines) = ear();
    let mut exec = site.script("sleep 60 & echo $!; read _ < go");
    exec.on_line = Some(on_line);
    let fifo = site.folder.path().join("go");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).expect("a pipe");
    let watch = async {
        let end = end_of(&lines.recv().await.expect("a line"));
        tokio::fs::write(&fifo, "\n").await.expect("it listens");
        end.await;
    };
    let (exited, ()) = tokio::join!(site.run(exec), watch);
    assert_eq!(exited.code, Some(0));
}

#[tokio::test]
async fn a_program_that_prints_without_end_takes_bounded_memory() {
    let site = site();
    let exited = site.run(site.script("head -c 20000000 /dev/zero; head -c 1000000 /dev/zero | tr '\\0' x >&2")).await;
    assert_eq!((exited.code, exited.stdout.len(), exited.stderr.len()), (Some(0), 4 << 20, 8 << 10));
}

#[tokio::test]
async fn memory_is_bounded_and_no_core_is_written() {
    let site = site();
    let mut exec = site.script(
        "until [ \"$(ulimit -d)\" = 65536 ] && [ \"$(ulimit -c)\" = 0 ]; do :; done; echo bounded; \
         hoard=$(head -c 200000000 /dev/zero | tr '\\0' x); echo \"kept ${#hoard}\"",
    );
    exec.memory_bytes_max = 64 << 20;
    let exited = site.run(exec).await;
    assert_eq!(String::from_utf8_lossy(&exited.stdout), "bounded\n");
    assert_ne!(exited.code, Some(0));
}

#[tokio::test]
async fn a_program_runs_at_its_priority() {
    let site = site();
    let mut exec = site.script("until [ \"$(nice)\" = 15 ]; do :; done");
    exec.nice = 15;
    assert_eq!(site.run(exec).await.code, Some(0));
}

#[tokio::test]
async fn a_program_has_no_network_where_the_machine_allows_it() {
    let site = site();
    if site.machine.isolation.wrapper().await.is_none() {
        return;
    }
    let devices = site.text("cat /proc/self/net/dev").await;
    let names: Vec<&str> = devices.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim).collect();
    assert_eq!(names, ["lo"]);
    assert_eq!(site.text("touch made && ls made").await, "made\n", "it still writes to its folder as ourselves");
}

#[tokio::test]
async fn heavy_programs_wait_for_their_turn() {
    let mut site = site();
    site.machine.turns = Turns::new(2);
    let script = "mkdir lock || exit 1; at=0; while [ $at -lt 20000 ]; do at=$((at + 1)); done; rmdir lock";
    let runs = (0..4).map(|_| {
        let mut exec = site.script(script);
        exec.nice = 10;
        site.run(exec)
    });
    for exited in futures_util::future::join_all(runs).await {
        assert_eq!(exited.code, Some(0), "two ran at once: {exited:?}");
    }
}

#[tokio::test]
async fn a_scratch_folder_is_private_and_goes_when_dropped() {
    let site = site();
    let (first, second) = (site.machine.folder().expect("a folder"), site.machine.folder().expect("another"));
    assert_ne!(first.path(), second.path());
    assert_eq!(fs::metadata(first.path()).expect("it is there").permissions().mode() & 0o777, 0o700);
    fs::create_dir(first.path().join("deep")).expect("a folder");
    fs::write(first.path().join("deep/file"), "x").expect("a file");
    let path = first.path().to_owned();
    drop(first);
    assert!(!path.exists() && second.path().exists());
}

#[tokio::test]
async fn what_an_earlier_process_left_is_removed_and_its_programs_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let work = folder.path().canonicalize().expect("a path").join("work");
    let left = work.join("step-left");
    fs::create_dir_all(&left).expect("a folder");
    fs::write(left.join("half.mp4"), "x").expect("a file");
    let start = |marked: &Path| {
        let (name, value) = leftovers::mark(marked);
        std::process::Command::new("sleep").arg("60").current_dir(&left).env(name, value).spawn().expect("it starts")
    };
    let (mut ours, mut stranger) = (start(&work), start(&folder.path().join("other")));
    drop(LocalMachine::new(&work).expect("a machine"));
    assert_eq!(ours.wait().expect("it ends").signal(), Some(9));
    assert_eq!(fs::read_dir(&work).expect("a folder").count(), 0);
    assert_eq!(stranger.try_wait().expect("an answer"), None, "programs of another folder are not ours");
    stranger.kill().expect("it runs");
    stranger.wait().expect("it ends");
}

#[test]
fn a_work_folder_that_cannot_be_made_is_said() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let fault = LocalMachine::new(&file.path().join("work")).err().expect("it cannot be made");
    assert_eq!(fault.code, "disk.unavailable");
}
