//! The project's rules, executed: one walk over the tree, one small function per rule, messages that say what to do.

mod arrows;
mod attributes;
mod bans;
mod errors;
mod folders;
mod heads;
mod leftovers;
mod lengths;
mod licences;
mod names;
mod panics;
mod paths;
mod tokens;
mod tree;
mod uris;
mod versions;

use std::fmt;
use std::path::Path;
use std::process::Command;
pub(crate) use tree::Tree;

/// One breach of one rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    message: String,
    remedy: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { path: path.to_string(), line, message: message.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.message, self.remedy)
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

/// Every rule that looks at the tree alone.
const RULES: &[Rule] = &[
    arrows::check,
    attributes::check,
    bans::check,
    errors::check,
    folders::check,
    heads::check,
    leftovers::check,
    lengths::check,
    names::check,
    panics::check,
    paths::check,
    uris::check,
    versions::check,
];

/// Applies every rule to the project at `root`.
///
/// # Errors
/// When the tree cannot be read or cargo cannot tell the licences.
pub(crate) fn run(root: &Path) -> Result<Vec<Finding>, String> {
    let tree = Tree::load(root)?;
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    findings.extend(licences::check(&tree, &read_metadata(root)?)?);
    findings.sort();
    Ok(findings)
}

/// What cargo knows of every package in the lock file, as JSON.
fn read_metadata(root: &Path) -> Result<String, String> {
    let mut cargo = Command::new("cargo");
    let output = cargo.args(["metadata", "--format-version", "1", "--locked"]).current_dir(root).output();
    let output = output.map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo metadata --locked failed; bring Cargo.lock up to date: {}", said.trim()));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("cargo metadata answered with other than text: {error}"))
}

/// What a rule says of a small tree, without the remedies.
#[cfg(test)]
fn said(rule: Rule, files: &[(&str, &str)]) -> Vec<String> {
    let mut findings = rule(&Tree::of(files));
    findings.sort();
    findings.iter().map(|finding| format!("{}:{}: {}", finding.path, finding.line, finding.message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let findings = run(root).unwrap();
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "{} to put right:\n{}", lines.len(), lines.join("\n"));
    }

    #[test]
    fn a_finding_names_file_line_and_remedy() {
        let finding = Finding::new("a/b.rs", 7, "the file is 601 lines long", "split it along its subjects");
        assert_eq!(finding.to_string(), "a/b.rs:7: the file is 601 lines long: split it along its subjects");
    }
}
