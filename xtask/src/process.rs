//! Running other programs: shown to the person or logged to a file, always with a limit, never with an input to wait for.

use std::env;
use std::fs::{self, File};
use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// No single program of ours needs longer; one that does hangs.
const LIMIT: Duration = Duration::from_secs(45 * 60);

/// Variables that `cargo run` sets for this program and that would make other cargo calls build again.
const CARGO_RUN: &[&str] = &["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"];

/// Where a program's output goes.
#[derive(Clone)]
pub(crate) enum Output {
    /// To the person.
    Shown,
    /// To the end of this file.
    Logged(PathBuf),
}

/// A program to run in `folder`.
pub(crate) fn command(program: impl AsRef<Path>, folder: &Path) -> Command {
    let mut command = Command::new(program.as_ref());
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        if CARGO_RUN.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// A program given as one line of words.
pub(crate) fn command_line(line: &str, folder: &Path) -> Command {
    let mut words = line.split_whitespace();
    let mut command = command(words.next().unwrap_or_default(), folder);
    command.args(words);
    command
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started, fails, or is stopped at the limit.
pub(crate) fn run(command: &mut Command, output: &Output) -> Result<(), String> {
    run_within(command, output, LIMIT)
}

fn run_within(command: &mut Command, output: &Output, limit: Duration) -> Result<(), String> {
    let line = line_of(command);
    if let Output::Logged(path) = output {
        let log = open_log(path, &line)?;
        let other = log.try_clone().map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        command.stdout(log).stderr(other);
    }
    // At a terminal an interrupt reaches the whole group by itself; elsewhere a group of its own can be stopped whole.
    let is_own_group = !std::io::stdin().is_terminal();
    if is_own_group {
        command.process_group(0);
    }
    let child = command.spawn().map_err(|error| format!("cannot start `{line}`: {error}"))?;
    let (status, is_stopped) = wait(child, is_own_group, limit).map_err(|error| format!("lost `{line}`: {error}"))?;
    match status {
        _ if is_stopped => Err(format!("`{line}` was stopped after {} s", limit.as_secs())),
        status if status.success() => Ok(()),
        status => Err(format!("`{line}` failed ({status})")),
    }
}

/// What a program prints, if it runs and succeeds.
pub(crate) fn read(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_string())
}

/// The program of this name on the search path.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

/// Can the file be run?
pub(crate) fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// The program and its arguments as one would type them.
pub(crate) fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn open_log(path: &Path, line: &str) -> Result<File, String> {
    use std::io::Write;
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut log = File::options().create(true).append(true).open(path).map_err(failed)?;
    writeln!(log, "$ {line}").map_err(failed)?;
    Ok(log)
}

/// Waits for the end, and stops the child at the limit; says which it was.
fn wait(mut child: Child, is_own_group: bool, limit: Duration) -> std::io::Result<(ExitStatus, bool)> {
    let target = if is_own_group { format!("-{}", child.id()) } else { child.id().to_string() };
    let (ended, end) = mpsc::channel::<()>();
    let guard = thread::spawn(move || {
        let is_late = matches!(end.recv_timeout(limit), Err(mpsc::RecvTimeoutError::Timeout));
        if is_late {
            // A child that ended this very moment is gone already; then there is nothing to stop.
            let _ =
                Command::new("sh").args(["-c", &format!("kill -s KILL -- {target}")]).stderr(Stdio::null()).status();
        }
        is_late
    });
    let status = child.wait();
    drop(ended);
    let is_stopped = guard.join().unwrap_or(false);
    Ok((status?, is_stopped))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> (Result<(), String>, String) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("logs").join("x.log");
        let mut command = command("sh", folder.path());
        let outcome = run_within(command.args(["-c", script]), &Output::Logged(log.clone()), limit);
        (outcome, fs::read_to_string(log).unwrap())
    }

    #[test]
    fn both_outputs_are_logged_in_order() {
        let (outcome, log) = shell("echo one; echo two >&2; cat", LIMIT);
        assert_eq!((outcome, log.as_str()), (Ok(()), "$ sh -c echo one; echo two >&2; cat\none\ntwo\n"));
    }

    #[test]
    fn a_failure_names_the_command() {
        let (outcome, _) = shell("exit 3", LIMIT);
        assert_eq!(outcome, Err("`sh -c exit 3` failed (exit status: 3)".to_string()));
        let mut missing = command("there-is-no-such-program", Path::new("."));
        assert!(run(&mut missing, &Output::Shown).unwrap_err().starts_with("cannot start `there-is-no-such-program`"));
    }

    #[test]
    fn a_program_that_hangs_is_stopped() {
        let (outcome, _) = shell("exec sleep 60", Duration::ZERO);
        assert_eq!(outcome, Err("`sh -c exec sleep 60` was stopped after 0 s".to_string()));
    }

    #[test]
    fn programs_are_found_on_the_search_path() {
        assert!(find("sh").is_some_and(|file| is_executable(&file)));
        assert_eq!(find("there-is-no-such-program"), None);
    }
}
