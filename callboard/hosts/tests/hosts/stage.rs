//! Functions on the test bench, in real processes.

use callboard::{Fault, Service};
use callboard_bench::{Bench, Kept};
use callboard_hosts::{Declared, Functions, Options};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// A folder with functions, and the application that they make.
pub(crate) struct Stage {
    pub(crate) bench: Bench,
    pub(crate) functions: Functions,
    pub(crate) folder: TempDir,
    pub(crate) lines: Lines,
}

/// What functions printed: the function, the invocation, the line.
pub(crate) type Lines = Arc<Mutex<Vec<(String, String, String)>>>;

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
    let lines = lines.clone();
    let options = Options {
        program: Some(env!("CARGO_BIN_EXE_callboard-sandbox").into()),
        is_open: true,
        on_line: Some(Arc::new(move |function, invocation, line| {
            lines.lock().expect("lines").push((function.to_owned(), invocation.to_owned(), line.to_owned()));
        })),
        ..Options::default()
    };
    Functions::new("things", declared(toml), folder, options).await
}

impl Stage {
    pub(crate) async fn new(toml: &str, files: &[(&str, &str)]) -> Self {
        Self::beside(toml, files, Vec::new()).await
    }

    /// With other services in the same application.
    pub(crate) async fn beside(toml: &str, files: &[(&str, &str)], mut services: Vec<Service>) -> Self {
        let (folder, lines) = (folder(files), Lines::default());
        let functions = functions(toml, folder.path(), &lines).await.unwrap_or_else(|fault| panic!("{fault:?}"));
        services.push(functions.service());
        let bench = Bench::shaped(services, Kept::InMemory, |builder| builder).await;
        Self { bench, functions, folder, lines }
    }

    /// The first lines that were printed, once so many were.
    pub(crate) async fn printed(&self, count: usize) -> Vec<String> {
        let printed = || self.lines.lock().expect("lines").iter().map(|(_, _, line)| line.clone()).collect::<Vec<_>>();
        for _ in 0..10_000 {
            if printed().len() >= count {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        printed()
    }
}

/// One function of Python at `POST /do`, with further declarations.
pub(crate) fn python(more: &str) -> String {
    format!("[[function]]\non = \"POST /do\"\nhandler = \"do.py\"\nwho = \"anyone\"\n{more}\n")
}
