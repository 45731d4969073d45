//! The program started as a sandbox: an outer process that keeps watch, and an inner one that confines itself and becomes the
//! command.

use super::{Network, Policy, WORD, confine, loopback, mounts, probe};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::thread::UnshareFlags;
use serde_json::json;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, Stdio};

/// Exit code of a sandbox that does not come about; the reason is on standard error.
const FAILED: u8 = 126;

/// Does what a sandbox does, where the program was started as one; none where it was not. Call it first in `main`.
pub fn enter() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next()? != WORD {
        return None;
    }
    let stage = words.next().unwrap_or_default();
    let result = match stage.to_str() {
        Some("probe") => tell(&json!(probe::try_all()).to_string()),
        Some("outer") => outer(words.collect()),
        Some("inner") => inner(words.collect()).map(|never| match never {}),
        _ => Err(format!("`{WORD}` is for the program itself")),
    };
    Some(result.unwrap_or_else(|error| {
        // Where standard error is closed, there is nobody left to tell.
        drop(writeln!(io::stderr(), "the sandbox does not come about: {error}"));
        ExitCode::from(FAILED)
    }))
}

fn tell(text: &str) -> Result<ExitCode, String> {
    io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// The policy is a line of standard input: it may be longer than arguments are, and it is nobody else's.
fn policy(input: impl io::Read) -> Result<(String, Policy), String> {
    let mut line = String::new();
    let read = io::BufReader::new(input).read_line(&mut line).map_err(|error| error.to_string());
    let policy = read.and_then(|_| serde_json::from_str(&line).map_err(|error| error.to_string()));
    policy.map(|policy| (line, policy)).map_err(|error| format!("its policy cannot be read: {error}"))
}

/// Leaves the namespaces of the machine. Inside, the user has the id 1000 and no privileges once it becomes a command.
#[expect(deprecated, reason = "the crate forbids unsafe code; this process has one thread and shares nothing by then")]
pub(super) fn leave_namespaces(with_network: bool) -> io::Result<()> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mut flags = UnshareFlags::NEWUSER | UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWNS;
    if with_network {
        flags |= UnshareFlags::NEWNET;
    }
    rustix::thread::unshare(flags)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("1000 {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("1000 {group} 1"))
}

/// Makes the surroundings, starts the inner process, and ends everything when it ends or nobody wants it any more.
fn outer(words: Vec<OsString>) -> Result<ExitCode, String> {
    let control = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let mut control = control.map_err(|error| format!("there is nobody to report to: {error}"))?;
    let (line, policy) = policy(&control)?;
    let is_alone = policy.network == Network::Own;
    if policy.has_namespaces {
        leave_namespaces(is_alone).map_err(|error| format!("it gets no namespaces: {error}"))?;
    } else {
        // Processes that lose their parent become ours, to be ended with the rest.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(|error| error.to_string())?;
    }
    if policy.has_mounts {
        mounts::lay(&policy).map_err(|error| format!("it gets no folder of its own: {error}"))?;
    }
    let listener = match is_alone {
        true => Some(loopback::listen().map_err(|error| format!("it has no loopback: {error}"))?),
        false => None,
    };
    let address = listener.as_ref().and_then(|listener| listener.local_addr().ok()).map(|address| address.to_string());
    let mut command = Command::new("/proc/self/exe");
    command.args([WORD, "inner"]).args(&words).stdin(Stdio::piped()).process_group(0);
    if let Some(address) = &address {
        command.env("AWS_LAMBDA_RUNTIME_API", address).env("CALLBOARD_URL", format!("http://{address}"));
    }
    let mut child = command.spawn().map_err(|error| format!("it cannot start itself: {error}"))?;
    if let Some(mut input) = child.stdin.take() {
        // It fails only where the inner process has ended, which is heard of below.
        drop(input.write_all(line.as_bytes()));
    }
    let rights = listener.as_ref().map(AsFd::as_fd);
    report(&control, rights).map_err(|error| format!("it cannot report: {error}"))?;
    drop(listener);
    let is_wanted = wait(&control, child.id());
    if !is_wanted {
        end(child.id());
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    end_rest();
    let ended = json!({"code": status.code(), "signal": status.signal()});
    // Whoever started it may have ended.
    drop(control.write_all(ended.to_string().as_bytes()));
    Ok(ExitCode::SUCCESS)
}

/// Hands out the listener, with one byte.
fn report(control: &UnixStream, listener: Option<std::os::fd::BorrowedFd<'_>>) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    let handed: Vec<_> = listener.into_iter().collect();
    if !handed.is_empty() {
        rights.push(SendAncillaryMessage::ScmRights(&handed));
    }
    rustix::net::sendmsg(control, &[IoSlice::new(b".")], &mut rights, SendFlags::empty()).map(drop)
}

/// Waits until the process ends, or nobody wants it any more; says whether it is still wanted. No thread can do this: there is none
/// behind a namespace for processes.
fn wait(control: &UnixStream, process: u32) -> bool {
    let Some(process) = process_of(process).and_then(|id| pidfd_open(id, PidfdFlags::empty()).ok()) else {
        return true;
    };
    loop {
        // Nothing more is written to the socket: it can be read when its other end is closed.
        let mut ends = [PollFd::new(&process, PollFlags::IN), PollFd::new(control, PollFlags::IN)];
        match poll(&mut ends, None) {
            Ok(_) if !ends[1].revents().is_empty() => return false,
            Ok(_) if !ends[0].revents().is_empty() => return true,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn process_of(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

fn end(process: u32) {
    // It fails only where it has ended.
    let _ = process_of(process).map(|process| kill_process(process, Signal::KILL));
}

/// Ends every process that descends from this one, however it tried to get away.
fn end_rest() {
    for _ in 0..100 {
        let children = children();
        if children.is_empty() {
            return;
        }
        for child in children {
            let _ = kill_process(child, Signal::KILL);
        }
        while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
    }
}

fn children() -> Vec<Pid> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect::<Vec<_>>())
        .collect()
}

enum Never {}

/// Confines itself and becomes the command.
fn inner(words: Vec<OsString>) -> Result<Never, String> {
    let (_, policy) = policy(io::stdin())?;
    let command = words.get(1..).filter(|command| !command.is_empty()).ok_or("it has no command")?;
    let nothing = File::open("/dev/null").map_err(|error| format!("/dev/null: {error}"))?;
    rustix::stdio::dup2_stdin(nothing).map_err(|error| format!("its input cannot be closed: {error}"))?;
    // What whoever started the server left open is nobody's here.
    close_fds::set_fds_cloexec(3, &[]);
    confine::confine(&policy)?;
    let error = Command::new(&command[0]).args(&command[1..]).exec();
    Err(format!("`{}` cannot be run: {error}", command[0].to_string_lossy()))
}
