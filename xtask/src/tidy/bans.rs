//! What Cargo.lock holds: no banned package, no foreign source, and not too many. The ban list is deny.toml's.

use super::{Finding, Tree};
use toml::{Table, Value};

const PACKAGES_MAX: usize = 500;
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let missing =
        |path: &str| vec![Finding::new(path, 1, "the file is missing or does not parse", "bring it back from history")];
    let parse =
        |path: &str| tree.file(path).and_then(|file| file.text.parse::<Table>().ok().map(|table| (file, table)));
    let Some((lock_file, lock)) = parse("Cargo.lock") else { return missing("Cargo.lock") };
    let Some((_, deny)) = parse("deny.toml") else { return missing("deny.toml") };
    let bans = bans(&deny);
    let packages = lock.get("package").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut findings = Vec::new();
    for package in packages {
        let name = package.get("name").and_then(Value::as_str).unwrap_or_default();
        let line = lock_file.line_of(&format!("name = \"{name}\""));
        if let Some((_, reason)) = bans.iter().find(|(banned, _)| *banned == name) {
            let message = format!("the package `{name}` is banned ({reason})");
            let remedy = format!("find who brings it with `cargo tree -i {name}` and turn that feature off");
            findings.push(Finding::new("Cargo.lock", line, message, remedy));
        }
        let source = package.get("source").and_then(Value::as_str).unwrap_or(REGISTRY);
        if source != REGISTRY {
            let message = format!("the package `{name}` comes from `{source}`");
            findings.push(Finding::new("Cargo.lock", line, message, "take a release of crates.io"));
        }
    }
    if packages.len() > PACKAGES_MAX {
        let message = format!("{} packages are locked, {PACKAGES_MAX} at most", packages.len());
        findings.push(Finding::new(
            "Cargo.lock",
            1,
            message,
            "take out what brings most, see `cargo tree --duplicates`",
        ));
    }
    findings
}

/// Names and reasons of `[bans] deny`.
fn bans(deny: &Table) -> Vec<(&str, &str)> {
    let rows = deny.get("bans").and_then(|bans| bans.get("deny")).and_then(Value::as_array);
    let rows = rows.into_iter().flatten().filter_map(|row| {
        let name = row.get("crate").and_then(Value::as_str).or_else(|| row.as_str())?;
        Some((name, row.get("reason").and_then(Value::as_str).unwrap_or("see deny.toml")))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::said;

    const DENY: (&str, &str) =
        ("deny.toml", "[bans]\ndeny = [{ crate = \"native-tls\", reason = \"one TLS provider\" }]");

    #[test]
    fn a_small_lock_file_of_the_registry_is_fine() {
        let lock = format!("[[package]]\nname = \"rustls\"\nsource = \"{REGISTRY}\"\n[[package]]\nname = \"site\"");
        assert!(said(check, &[DENY, ("Cargo.lock", &lock)]).is_empty());
    }

    #[test]
    fn bans_and_foreign_sources_are_found() {
        let lock =
            "[[package]]\nname = \"native-tls\"\n[[package]]\nname = \"fork\"\nsource = \"git+https://example.org\"";
        assert_eq!(
            said(check, &[DENY, ("Cargo.lock", lock)]),
            [
                "Cargo.lock:2: the package `native-tls` is banned (one TLS provider)",
                "Cargo.lock:4: the package `fork` comes from `git+https://example.org`",
            ]
        );
    }

    #[test]
    fn too_many_packages_are_found() {
        let lock: String = (0..=PACKAGES_MAX).map(|index| format!("[[package]]\nname = \"p{index}\"\n")).collect();
        assert_eq!(said(check, &[DENY, ("Cargo.lock", &lock)]), ["Cargo.lock:1: 501 packages are locked, 500 at most"]);
    }

    #[test]
    fn a_missing_file_does_not_pass() {
        assert_eq!(said(check, &[DENY]), ["Cargo.lock:1: the file is missing or does not parse"]);
        assert_eq!(said(check, &[("Cargo.lock", "")]), ["deny.toml:1: the file is missing or does not parse"]);
    }
}
