//! Which program runs a handler, and what that program reads to run: found out once.

use callboard::Fault;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

const PYTHON: &str = include_str!("bootstrap.py");
const NODE: &str = include_str!("bootstrap.mjs");

/// A language that has a bootstrap here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Node,
}

/// A command as it is run.
#[derive(Clone, Debug)]
pub(crate) struct Runnable {
    pub(crate) command: Vec<OsString>,
    /// What the program reads of itself.
    pub(crate) reads: Vec<PathBuf>,
}

impl Language {
    /// The language of a file, by its name.
    pub(crate) fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()? {
            "py" => Some(Self::Python),
            "mjs" | "js" | "cjs" => Some(Self::Node),
            _ => None,
        }
    }

    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["python3", "python"],
            Self::Node => &["node", "nodejs"],
        }
    }

    fn install(self) -> &'static str {
        match self {
            Self::Python => "Python 3 is not installed: install `python3`, on Debian with `apt-get install python3`",
            Self::Node => "Node.js is not installed: install `nodejs`, on Debian with `apt-get install nodejs`",
        }
    }

    /// The command that runs a handler.
    ///
    /// # Errors
    /// `function.missing`, saying what to install.
    pub(crate) async fn run(self, handler: &Path, folder: &Path) -> Result<Runnable, Fault> {
        let program = self.programs().iter().find_map(|name| find(name));
        let program = program.ok_or_else(|| Fault::unavailable("function.missing", self.install()))?;
        let mut runnable = resolve(&program, folder).await?;
        let arguments: &[&str] = match self {
            // Without the site packages of the machine's user, which the sandbox does not show.
            Self::Python => &["-s", "-B", "-u", "-c", PYTHON],
            Self::Node => &["--input-type=module", "-e", NODE, "--"],
        };
        runnable.command.extend(arguments.iter().map(OsString::from));
        runnable.command.push(handler.into());
        Ok(runnable)
    }
}

/// The command of a function that speaks the Runtime API itself. A path is below its folder.
///
/// # Errors
/// `function.missing`.
pub(crate) async fn command(words: &[String], folder: &Path) -> Result<Runnable, Fault> {
    let missing = |word: &str| {
        Fault::unavailable("function.missing", format!("`{word}` is not there; install it, or correct `command`"))
    };
    let (first, rest) = words.split_first().ok_or_else(|| missing(""))?;
    let mut runnable = match first.contains('/') {
        true => given(&Some(folder.join(first)).filter(|path| is_program(path)).ok_or_else(|| missing(first))?, folder),
        false => resolve(&find(first).ok_or_else(|| missing(first))?, folder).await?,
    };
    runnable.command.extend(rest.iter().map(OsString::from));
    Ok(runnable)
}

/// What a program of this name is, on the search path.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_absolute() && is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A program of the search path, and what it reads. Interpreters say themselves where they and their libraries are: what is on the path
/// may only lead there. One that comes with the function is not asked: that would run it outside its sandbox.
async fn resolve(program: &Path, folder: &Path) -> Result<Runnable, Fault> {
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    if program.starts_with(folder) || real.starts_with(folder) {
        return Ok(given(program, folder));
    }
    let question: [&str; 2] = if is_called(program, "python") {
        ["-c", "import sys; print(sys.executable, sys.prefix, sys.base_prefix, sep='\\n')"]
    } else if is_called(program, "node") {
        ["-p", "process.execPath"]
    } else {
        return Ok(given(program, folder));
    };
    let mut asked = Command::new(program);
    asked.args(question).stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = asked.output().await.ok().filter(|output| output.status.success());
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let mut lines = said.lines().map(PathBuf::from);
    let executable = lines.next().filter(|path| is_program(path)).ok_or_else(|| {
        let message = format!("`{}` does not run; install it again", program.display());
        Fault::unavailable("function.missing", message)
    })?;
    let mut reads: Vec<PathBuf> = lines.filter(|prefix| prefix.components().count() > 1).collect();
    reads.extend(executable.canonicalize());
    reads.push(executable.clone());
    Ok(Runnable { command: vec![executable.into()], reads })
}

/// A program that is given by its path, which is not run to find out. Python reads what is installed beside it, and its environment.
fn given(program: &Path, folder: &Path) -> Runnable {
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let mut reads = vec![program.to_owned(), real.clone()];
    if is_called(program, "python") && is_called(&real, "python") {
        let environment = prefix(program).filter(|prefix| prefix.join("pyvenv.cfg").is_file());
        // Of the function's folder it reads no more than others do, unless it is an environment in there.
        let found = environment.into_iter().chain(prefix(&real).filter(|prefix| !prefix.starts_with(folder)));
        reads.extend(found.filter(|prefix| !folder.starts_with(prefix)).map(Path::to_owned));
    }
    Runnable { command: vec![program.into()], reads }
}

fn is_called(program: &Path, name: &str) -> bool {
    program.file_name().is_some_and(|file| file.as_encoded_bytes().starts_with(name.as_bytes()))
}

/// Where a program is installed: it is in `bin` there.
fn prefix(program: &Path) -> Option<&Path> {
    program.parent().filter(|folder| folder.ends_with("bin"))?.parent()
}
