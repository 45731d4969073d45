//! The phase `contracts`: the public validators on the documents by which the application describes itself, and schemathesis on
//! every route of the built binary. What they need is installed below `target` and `tests/contracts`.

use crate::islands;
use crate::process::{self, Output};
use crate::project::Project;
use std::fs;
use std::path::PathBuf;

/// How long schemathesis may call, in seconds.
const CALLS_S: u32 = 160;

/// Runs the phase.
///
/// # Errors
/// What cannot be installed, or where document and application differ.
pub(crate) fn run(project: &Project, output: &Output) -> Result<(), String> {
    let folder = project.contracts();
    islands::install_packages(&folder, output)?;
    let python = install_python(project, output)?;
    process::run(&mut process::command_line("cargo build --locked --package showrunner", &project.root), output)?;
    let mut command = process::command(python, &folder);
    let binary = project.binary("dev");
    process::run(command.arg("-B").arg("run.py").arg(binary).arg(CALLS_S.to_string()), output)
}

/// An environment with the pinned packages, made again when their list has changed; gives its interpreter.
fn install_python(project: &Project, output: &Output) -> Result<PathBuf, String> {
    let list = project.contracts().join("requirements.txt");
    let wanted = fs::read(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    let home = project.target.join("contracts");
    let (python, installed) = (home.join("bin").join("python"), home.join("installed.txt"));
    if fs::read(&installed).is_ok_and(|had| had == wanted) && process::is_executable(&python) {
        return Ok(python);
    }
    let mut make = process::command("python3", &project.root);
    process::run(make.args(["-m", "venv", "--clear"]).arg(&home), output)?;
    let mut install = process::command(&python, &project.root);
    let quiet =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--requirement"];
    process::run(install.args(quiet).arg(&list), output)?;
    fs::write(&installed, wanted).map_err(|error| format!("{}: {error}", installed.display()))?;
    Ok(python)
}
