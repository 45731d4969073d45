//! The README of every service, written from its binding table; a test says where one no longer fits.
//! `UPDATE_READMES=1 cargo test -p showrunner readmes` writes them anew.

use crate::app;
use callboard::operator::describe;
use callboard::{Kind, Service};
use std::path::{Path, PathBuf};

fn folder(service: &Service) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../services").join(service.name)
}

/// The `//!` text at the head of the service's `src/lib.rs`.
fn purpose(service: &Service) -> String {
    let source = std::fs::read_to_string(folder(service).join("src/lib.rs")).expect("a service has src/lib.rs");
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}

fn readme(service: &Service) -> String {
    let mut out = format!("# {}\n\n{}\n", service.name, purpose(service));
    let rows = |is_event: bool| {
        let rows = service.bindings.iter().filter(move |binding| matches!(binding.kind, Kind::Event(_)) == is_event);
        rows.map(|binding| describe(service, binding)).collect::<Vec<_>>()
    };
    let table = |title: &str, rows: Vec<callboard::operator::FunctionRow>| {
        let head = format!("\n## {title}\n\n| On | URI | Who may | Others see | Function |\n|---|---|---|---|---|\n");
        let line = |row: &callboard::operator::FunctionRow| {
            format!("| {} | `{}` | {} | {} | `{}` |\n", row.trigger, row.uri, row.who, row.stranger, row.function)
        };
        if rows.is_empty() { String::new() } else { head + &rows.iter().map(line).collect::<String>() }
    };
    out += &table("Functions", rows(false));
    out += &table("Events it hears", rows(true));
    for flow in &service.flows {
        out += &format!("\n## Flow `{}`\n\n| Step | Does | Undone by | Attempts |\n|---|---|---|---|\n", flow.name);
        for step in &flow.steps {
            let undo = match &step.undo {
                callboard::flow::Undo::Never(reason) => format!("nothing: {reason}"),
                _ => format!("`{}`", step.undo_name().unwrap_or_default()),
            };
            out += &format!("| {} | `{}` | {undo} | {} |\n", step.id, step.function_name(), step.retry.attempts);
        }
    }
    let uses = service.all_uses();
    if !uses.is_empty() {
        let line = |used: &callboard::Use| format!("- {} `{}`\n", used.kind, used.pattern.as_str());
        out += &format!("\n## What it uses and publishes\n\n{}", uses.into_iter().map(line).collect::<String>());
    }
    if !service.tables.is_empty() {
        let kind = |is_tenants| if is_tenants { "rows belong to tenants" } else { "shared by all tenants" };
        let line = |table: &callboard::Table| format!("- `{}`: {}\n", table.name, kind(table.is_tenants));
        out += &format!("\n## Tables\n\n{}", service.tables.iter().map(line).collect::<String>());
    }
    if !service.settings.is_empty() {
        let line = |one: &callboard::Setting| format!("- `{}` (`{}`): {}\n", one.name, one.default, one.meaning);
        out += &format!("\n## Settings\n\n{}", service.settings.iter().map(line).collect::<String>());
    }
    if !service.tools.is_empty() {
        out += &format!("\n## Programs\n\n{}\n", service.tools.join(", "));
    }
    out
}

#[test]
fn readmes_say_what_the_tables_say() {
    let is_update = std::env::var_os("UPDATE_READMES").is_some();
    for service in app::all_services().iter().filter(|service| folder(service).exists()) {
        let (file, want) = (folder(service).join("README.md"), readme(service));
        if is_update {
            std::fs::write(&file, &want).expect("the README is writable");
        }
        let have = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            have == want,
            "services/{}/README.md is out of date; run `UPDATE_READMES=1 cargo test -p showrunner readmes`",
            service.name
        );
    }
}
