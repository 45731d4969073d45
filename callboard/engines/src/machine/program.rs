//! One run of one program: started with nothing it does not need, bounded, and ended with everything it started.

use super::leftovers::mark;
use super::network::Wrapper;
use super::output;
use callboard::Fault;
use callboard::ports::{Exec, Exited};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

/// Where programs are where nobody says so.
const PATH_DEFAULT: &str = "/usr/local/bin:/usr/bin:/bin";

/// Where a program is.
pub(super) fn find(tool: &'static str) -> Result<PathBuf, Fault> {
    if tool.is_empty() || tool.contains('/') {
        return Err(Fault::bug(format!("`{tool}` is not the name of a program")));
    }
    let is_program = |path: &PathBuf| {
        path.is_absolute() && path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let found = std::env::split_paths(&search_path()).map(|folder| folder.join(tool)).find(is_program);
    found.ok_or_else(|| {
        let with = if tool == "ffprobe" { " (it comes with ffmpeg)" } else { "" };
        let remedy = "run `cargo xtask up`, or install it with your package manager";
        Fault::unavailable("tool.missing", format!("{tool} is not installed; {remedy}{with}"))
    })
}

/// Runs a program to its end.
pub(super) async fn run(
    path: &Path,
    wrapper: Option<&Wrapper>,
    work_folder: &Path,
    mut exec: Exec,
) -> Result<Exited, Fault> {
    let mut running = start(path, wrapper, work_folder, &exec)?;
    let stdout = running.child.stdout.take().expect("standard output is a pipe");
    let stderr = running.child.stderr.take().expect("standard error is a pipe");
    let on_line = exec.on_line.take();
    let ended =
        async { tokio::try_join!(output::read_stdout(stdout, on_line), output::read_tail(stderr), running.wait()) };
    let (stdout, stderr, status) = match tokio::time::timeout(Duration::from_millis(exec.timeout_ms), ended).await {
        Ok(ended) => ended.map_err(|error| not_started(exec.tool, error))?,
        Err(_) => {
            let seconds = exec.timeout_ms.div_ceil(1000);
            let message = format!("{} took longer than {seconds} s and was stopped; try again later", exec.tool);
            return Err(Fault::unavailable("tool.timeout", message));
        }
    };
    if wrapper.is_some() && !status.success() && stderr.starts_with("unshare: ") {
        return Err(not_started(exec.tool, io::Error::other(stderr)));
    }
    tracing::debug!(tool = exec.tool, status = %status, "a program ended");
    Ok(Exited { code: status.code(), stdout, stderr })
}

fn start(path: &Path, wrapper: Option<&Wrapper>, work_folder: &Path, exec: &Exec) -> Result<Running, Fault> {
    let mut command = match wrapper {
        Some(wrapper) => {
            let mut command = Command::new(&wrapper.path);
            command.args(wrapper.args).arg("--").arg(path);
            command
        }
        None => Command::new(path),
    };
    let (marked, with) = mark(work_folder);
    command.args(&exec.args).current_dir(&exec.folder);
    command.env_clear().env("PATH", search_path()).env("LANG", "C.UTF-8").env(marked, with);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let child = command.spawn().map_err(|error| not_started(exec.tool, error))?;
    let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    let running = Running { child, group };
    if let Some(group) = group {
        restrict(group, exec).map_err(|error| not_started(exec.tool, error))?;
    }
    Ok(running)
}

/// A program that runs; dropped, it and its group are killed.
struct Running {
    child: Child,
    /// The process group, which is the program's own. None once it was killed: its number may be somebody else's then.
    group: Option<Pid>,
}

impl Running {
    /// Waits for the end of the program, and ends what it leaves running, which could keep its pipes open.
    async fn wait(&mut self) -> io::Result<ExitStatus> {
        if let Some(group) = self.group
            && exited(group).await.is_ok()
        {
            self.kill();
        }
        let status = self.child.wait().await;
        self.group = None;
        status
    }

    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // It fails only where all of the group have ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until a child has ended without taking its number away from it, so that its group can still be told from others.
async fn exited(child: Pid) -> io::Result<()> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let wait = move || loop {
        match waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(rustix::io::Errno::INTR) => {}
            ended => return ended.map(drop),
        }
    };
    Ok(tokio::task::spawn_blocking(wait).await??)
}

/// Bounds memory, forbids core dumps and lowers the priority. All threads and children of the program inherit it.
fn restrict(group: Pid, exec: &Exec) -> io::Result<()> {
    let restricted = restrict_memory(group, exec.memory_bytes_max)
        .and_then(|()| rustix::process::setpriority_pgrp(Some(group), exec.nice.clamp(0, 19)));
    match restricted {
        // It has already ended.
        Err(rustix::io::Errno::SRCH) => Ok(()),
        restricted => Ok(restricted?),
    }
}

#[cfg(target_os = "linux")]
fn restrict_memory(process: Pid, bytes_max: u64) -> rustix::io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
    let limit = |resource, most: u64| {
        let most = getrlimit(resource).maximum.map_or(most, |ours| ours.min(most));
        prlimit(Some(process), resource, Rlimit { current: Some(most), maximum: Some(most) }).map(drop)
    };
    limit(Resource::Data, bytes_max)?;
    // Address space also counts what is only mapped or reserved: libraries, files, a stack and an arena for each thread.
    limit(Resource::As, bytes_max.saturating_mul(2).saturating_add(1 << 30))?;
    limit(Resource::Core, 0)?;
    // Where memory runs out, it should end before us. Best effort: not every kernel lets us say so.
    drop(std::fs::write(format!("/proc/{}/oom_score_adj", process.as_raw_nonzero()), "500"));
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn restrict_memory(_: Pid, _: u64) -> rustix::io::Result<()> {
    Ok(())
}

fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| PATH_DEFAULT.into())
}

fn not_started(tool: &str, error: io::Error) -> Fault {
    let message = format!("{tool} cannot be run at this moment; try again in a minute");
    Fault::unavailable("tool.unavailable", message).detail(error.to_string())
}
