//! `new`: writes a function, one file of a language, to begin with.

use crate::cargo;
use crate::cli::{Language, New};
use crate::functions::{OWN_FOLDER, find_in};
use callboard::Fault;
use std::io::Write;
use std::path::Path;

const PYTHON: &str = r#"# Answers at /NAME. It may do what its head declares and nothing else: `showrunner up` shows it.
# /// showrunner
# on = "GET /NAME"
# who = "anyone"
# ///


def handler(event, context):
    name = event["query"].get("name", "world")
    return f"Hello, {name}"
"#;

const NODE: &str = r#"// Answers at /NAME. It may do what its head declares and nothing else: `showrunner up` shows it.
// /// showrunner
// on = "GET /NAME"
// who = "anyone"
// ///

export async function handler(event, context) {
  const name = event.query.name ?? "world";
  return `Hello, ${name}`;
}
"#;

const RUST: &str = r#"//! Answers at /NAME. It may do what its manifest declares and nothing else: `showrunner up` shows it.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(hello)).await
}

async fn hello(event: LambdaEvent<Value>) -> Result<String, Error> {
    let name = event.payload["query"]["name"].as_str().unwrap_or("world");
    Ok(format!("Hello, {name}"))
}
"#;

const MANIFEST: &str = r#"[package]
name = "NAME"
version = "0.1.0"
edition = "2024"

[[bin]]
name = "NAME"
path = "NAME.rs"

[dependencies]
lambda_runtime = { version = "1", default-features = false }
serde_json = "1"
tokio = { version = "1", features = ["macros", "rt"] }

[workspace]

[package.metadata.showrunner]
on = "GET /NAME"
who = "anyone"
"#;

/// Writes the files; says what to do next.
///
/// # Errors
/// `new.name`, `new.exists`, and what keeps the file from being written.
pub(crate) fn run(arguments: &New) -> Result<String, Fault> {
    let New { name, lang } = arguments;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.bytes().all(is_plain) {
        return Err(Fault::bad_input("new.name", format!("`{name}`: name a function with a–z, digits and `_`")));
    }
    check_folder(Path::new("."), name, *lang)?;
    let files: &[(String, &str)] = &match lang {
        Language::Python => vec![(format!("{name}.py"), PYTHON)],
        Language::Node => vec![(format!("{name}.mjs"), NODE)],
        Language::Rust => vec![(format!("{name}.rs"), RUST), ("Cargo.toml".to_owned(), MANIFEST)],
    };
    if let Some((file, _)) = files.iter().find(|(file, _)| Path::new(file).exists()) {
        return Err(Fault::conflict("new.exists", format!("{file} is there already; choose another name or folder")));
    }
    for (file, text) in files {
        let made = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
        let written = made.and_then(|mut made| made.write_all(text.replace("NAME", name).as_bytes()));
        written.map_err(|error| Fault::unavailable("data.unwritable", format!("{file} cannot be written: {error}")))?;
    }
    let names: Vec<&str> = files.iter().map(|(file, _)| file.as_str()).collect();
    Ok(format!("wrote {}; `showrunner up` in this folder answers at /{name}\n", names.join(" and ")))
}

/// A function of Rust is not beside others.
fn check_folder(folder: &Path, name: &str, lang: Language) -> Result<(), Fault> {
    let message = match lang {
        Language::Rust if folder.join("Cargo.toml").exists() || !matches!(find_in(folder), Ok(None)) => {
            format!("{OWN_FOLDER}: `mkdir {name} && cd {name} && showrunner new {name} --lang rust`")
        }
        Language::Python | Language::Node if matches!(cargo::declared_in(folder), Ok(Some(_))) => {
            format!("{OWN_FOLDER}, and one is in this: choose another folder for {name}")
        }
        _ => return Ok(()),
    };
    Err(Fault::conflict("new.exists", message))
}
