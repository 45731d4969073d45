//! Programs of the machine that tests start or look for, and waiting for what happens outside of an answer.

use std::fs;
use std::path::Path;
use std::process::{Child, Output};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Waits for a program; one that takes longer is ended, and its output so far is given.
pub(crate) fn finish(child: Child, most: Duration) -> Output {
    let id = rustix::process::Pid::from_child(&child);
    let (tell, told) = mpsc::channel();
    let waiting = thread::spawn(move || {
        let output = child.wait_with_output().unwrap();
        // Nobody waits any more where it had to be ended.
        let _ = tell.send(());
        output
    });
    if told.recv_timeout(most).is_err() {
        let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
    }
    waiting.join().unwrap()
}

/// Looks again until it is so; fails with what was seen last.
#[track_caller]
pub(crate) fn eventually<T: std::fmt::Debug>(what: &str, look: impl Fn() -> T, is_so: impl Fn(&T) -> bool) -> T {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let seen = look();
        if is_so(&seen) {
            return seen;
        }
        assert!(Instant::now() < until, "never {what}; last seen: {seen:#?}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// Running programs whose command line names a folder, without the server itself.
pub(crate) fn working_in(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(folder) && line.starts_with("ff")).collect()
}
