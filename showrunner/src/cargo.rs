//! A function of Rust in a folder of its own: declared in its manifest, built by Cargo.

use callboard::Fault;
use callboard_hosts::Declared;
use std::path::Path;
use std::process::Stdio;
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

/// Builds it.
///
/// # Errors
/// `function.build` with what the compiler says; `function.missing` where there is no Cargo.
pub(crate) async fn build(folder: &Path) -> Result<(), Fault> {
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--quiet"]).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|_| {
        let message = "Cargo is not installed: install Rust with rustup, see https://rustup.rs";
        Fault::unavailable("function.missing", message)
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Fault::bad_input("function.build", format!("the function does not build:\n{said}")))
}
