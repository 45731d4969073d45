//! A function of Rust in a folder of its own: declared in its manifest, built by Cargo.

use crate::print;
use callboard::Fault;
use callboard_hosts::Declared;
use std::io::IsTerminal;
use std::path::Path;
use std::process::{Output, Stdio};
use tokio::process::Command;

/// The function that a manifest declares under `[package.metadata.showrunner]`; none where it declares none.
///
/// # Errors
/// `space.invalid`.
pub(crate) fn declared_in(folder: &Path) -> Result<Option<Declared>, Fault> {
    let file = folder.join("Cargo.toml");
    let Ok(text) = std::fs::read_to_string(&file) else { return Ok(None) };
    let wrong = |what: String| Fault::bad_input("space.invalid", format!("{}: {what}", file.display()));
    let manifest: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    let Some(package) = manifest.get("package").and_then(toml::Value::as_table) else { return Ok(None) };
    let declared = package.get("metadata").and_then(|metadata| metadata.get("showrunner"));
    let Some(mut declared) = declared.and_then(toml::Value::as_table).cloned() else { return Ok(None) };
    let name = package.get("name").and_then(toml::Value::as_str).unwrap_or_default();
    declared.entry("name").or_insert_with(|| name.into());
    declared.entry("command").or_insert_with(|| vec![format!("target/release/{name}")].into());
    declared.try_into().map(Some).map_err(|error| wrong(format!("package.metadata.showrunner: {error}")))
}

/// Builds it for the first time, which takes long: says so, and where somebody looks Cargo shows how far it is.
///
/// # Errors
/// As [`build`].
pub(crate) async fn build_first(folder: &Path, name: &str) -> Result<(), Fault> {
    print(&format!("building {name} with Cargo; the first time takes a minute or two\n"));
    if !std::io::stderr().is_terminal() {
        return build(folder).await;
    }
    let mut command = cargo(folder);
    command.stderr(Stdio::inherit());
    match run(command).await?.status.success() {
        true => Ok(()),
        false => Err(Fault::bad_input("function.build", "the function does not build; Cargo says above why")),
    }
}

/// Builds it.
///
/// # Errors
/// `function.build` with what the compiler says; `function.missing` where there is no Cargo.
pub(crate) async fn build(folder: &Path) -> Result<(), Fault> {
    let mut command = cargo(folder);
    command.arg("--quiet").stderr(Stdio::piped());
    let output = run(command).await?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Fault::bad_input("function.build", format!("the function does not build:\n{said}")))
}

fn cargo(folder: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.args(["build", "--release"]).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
    command.kill_on_drop(true);
    command
}

async fn run(mut command: Command) -> Result<Output, Fault> {
    let child = command.spawn();
    let missing = || {
        let message = "Cargo is not installed: install Rust with rustup, see https://rustup.rs";
        Fault::unavailable("function.missing", message)
    };
    child.map_err(|_| missing())?.wait_with_output().await.map_err(|_| missing())
}
