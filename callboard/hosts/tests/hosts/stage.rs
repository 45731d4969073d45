//! Functions on the test bench, in real processes.

use callboard::{Fault, Service};
use callboard_bench::{Bench, Kept};
use callboard_hosts::{Declared, Functions, OnLine, Options};
use rustix::fs::Mode;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::Interest;
use tokio::net::unix::pipe;
use tokio::sync::watch;

/// A folder with functions, and the application that they make.
pub(crate) struct Stage {
    pub(crate) bench: Bench,
    pub(crate) functions: Functions,
    pub(crate) folder: TempDir,
    pub(crate) lines: Lines,
    /// What their author was told of faults.
    pub(crate) told: Lines,
}

/// What functions printed: the function, the invocation, the line. Whoever waits for a line hears of each.
pub(crate) type Lines = Arc<watch::Sender<Vec<(String, String, String)>>>;

/// Makes a folder of files.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().expect("it is in the folder")).expect("a folder");
        std::fs::write(file, text).expect("a file");
    }
    folder
}

/// Reads functions as `space.toml` has them.
pub(crate) fn declared(toml: &str) -> Vec<Declared> {
    #[derive(serde::Deserialize)]
    struct Space {
        function: Vec<Declared>,
    }
    toml::from_str::<Space>(toml).expect("functions").function
}

pub(crate) async fn functions(toml: &str, folder: &Path, lines: &Lines) -> Result<Functions, Fault> {
    functions_that_tell(toml, folder, lines, &Lines::default()).await
}

async fn functions_that_tell(toml: &str, folder: &Path, lines: &Lines, told: &Lines) -> Result<Functions, Fault> {
    let options = Options {
        program: Some(env!("CARGO_BIN_EXE_callboard-sandbox").into()),
        is_open: true,
        on_line: Some(into(lines)),
        on_fault: Some(into(told)),
        ..Options::default()
    };
    Functions::new("things", declared(toml), folder, options).await
}

fn into(lines: &Lines) -> OnLine {
    let lines = lines.clone();
    Arc::new(move |function, invocation, line| {
        let line = (function.to_owned(), invocation.to_owned(), line.to_owned());
        lines.send_modify(|lines| lines.push(line));
    })
}

impl Stage {
    pub(crate) async fn new(toml: &str, files: &[(&str, &str)]) -> Self {
        Self::beside(toml, files, Vec::new()).await
    }

    /// With other services in the same application.
    pub(crate) async fn beside(toml: &str, files: &[(&str, &str)], mut services: Vec<Service>) -> Self {
        let (folder, lines, told) = (folder(files), Lines::default(), Lines::default());
        let functions = functions_that_tell(toml, folder.path(), &lines, &told).await;
        let functions = functions.unwrap_or_else(|fault| panic!("{fault:?}"));
        services.push(functions.service());
        let bench = Bench::shaped(services, Kept::InMemory, |builder| builder).await;
        Self { bench, functions, folder, lines, told }
    }

    /// The same folder with its functions looked at anew.
    pub(crate) async fn of(functions: Functions, before: Self) -> Self {
        let bench = Bench::shaped(vec![functions.service()], Kept::InMemory, |builder| builder).await;
        Self { bench, functions, ..before }
    }

    /// The first lines that were printed, once so many were.
    pub(crate) async fn printed(&self, count: usize) -> Vec<String> {
        let mut lines = self.lines.subscribe();
        let lines = lines.wait_for(|lines| lines.len() >= count).await.expect("the stage stands");
        lines.iter().map(|(_, _, line)| line.clone()).collect()
    }

    /// Makes a pipe that functions read as `pipes/{name}`; there must be a file in `pipes` before.
    pub(crate) fn pipe(&self, name: &str) -> PathBuf {
        let pipe = self.folder.path().join("pipes").join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR | Mode::WUSR).expect("a pipe");
        pipe
    }
}

/// Waits until no process has the pipe open for reading any more.
pub(crate) async fn released(pipe: &Path) {
    match pipe::OpenOptions::new().open_sender(pipe) {
        Ok(sender) => drop(sender.ready(Interest::ERROR).await.expect("a state")),
        // Nobody has it open already.
        Err(error) => assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NXIO.raw_os_error()), "{error}"),
    }
}

/// One function of Python at `POST /do`, with further declarations.
pub(crate) fn python(more: &str) -> String {
    format!("[[function]]\non = \"POST /do\"\nhandler = \"do.py\"\nwho = \"anyone\"\n{more}\n")
}
