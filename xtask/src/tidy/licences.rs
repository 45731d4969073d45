//! Every package's licence is one that deny.toml allows, or an exception with a reason there.

use super::{Finding, Tree};
use serde_json::Value as Json;
use std::iter::Peekable;
use std::str::SplitWhitespace;
use toml::{Table, Value};

const PATH: &str = "deny.toml";

/// Judges the packages of `cargo metadata` by `[licenses]` of deny.toml.
///
/// # Errors
/// When either cannot be read.
pub(crate) fn check(tree: &Tree, metadata: &str) -> Result<Vec<Finding>, String> {
    let file = tree.file(PATH).ok_or("deny.toml is missing; bring it back from history")?;
    let deny: Table = file.text.parse().map_err(|error| format!("deny.toml does not parse: {error}"))?;
    let metadata: Json =
        serde_json::from_str(metadata).map_err(|error| format!("cargo metadata cannot be read: {error}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    let rules = deny.get("licenses").ok_or("deny.toml has no [licenses]")?;
    let allowed = texts(rules.get("allow"));
    let exceptions = rules.get("exceptions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or_default();
        let excepted = exceptions.iter().filter(|row| crate_of(row) == name).flat_map(|row| texts(row.get("allow")));
        let accepted: Vec<&str> = allowed.iter().copied().chain(excepted).collect();
        if !is_accepted(licence, &accepted) {
            let shown = if licence.is_empty() { "none named" } else { licence };
            let message = format!("the licence of `{name}` is not allowed ({shown})");
            let remedy = "take another package, or add an exception with its reason";
            findings.push(Finding::new(PATH, file.line_of("allow = ["), message, remedy));
        }
    }
    for row in exceptions {
        let name = crate_of(row);
        let line = file.line_of(&format!("crate = \"{name}\""));
        if !packages.iter().any(|package| package["name"] == name) {
            findings.push(Finding::new(PATH, line, format!("nothing uses the exception for `{name}`"), "delete it"));
        }
        if !file.text.lines().nth(line - 1).is_some_and(|text| text.contains('#')) {
            let message = format!("the exception for `{name}` has no reason");
            findings.push(Finding::new(PATH, line, message, "write it on one line, with the reason behind a `#`"));
        }
    }
    Ok(findings)
}

fn crate_of(row: &Value) -> &str {
    let name = row.get("crate").or_else(|| row.get("name"));
    name.and_then(Value::as_str).unwrap_or_default()
}

fn texts(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Does an SPDX expression leave a choice that is accepted? `AND` binds tighter than `OR`; `/` is an old `OR`.
fn is_accepted(expression: &str, accepted: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words, accepted) == Some(true) && words.next().is_none()
}

type Words<'a, 'b> = &'a mut Peekable<SplitWhitespace<'b>>;

/// Whether one of the parts is accepted; nothing when the expression is broken.
fn any_of(words: Words<'_, '_>, accepted: &[&str]) -> Option<bool> {
    let mut is_met = all_of(words, accepted)?;
    while words.next_if_eq(&"OR").is_some() {
        is_met |= all_of(words, accepted)?;
    }
    Some(is_met)
}

fn all_of(words: Words<'_, '_>, accepted: &[&str]) -> Option<bool> {
    let mut is_met = one_of(words, accepted)?;
    while words.next_if_eq(&"AND").is_some() {
        is_met &= one_of(words, accepted)?;
    }
    Some(is_met)
}

fn one_of(words: Words<'_, '_>, accepted: &[&str]) -> Option<bool> {
    let word = words.next()?;
    if word == "(" {
        let is_met = any_of(words, accepted)?;
        return words.next_if_eq(&")").map(|_| is_met);
    }
    if words.next_if_eq(&"WITH").is_some() {
        // An exception to a licence only grants more, so the licence alone decides.
        words.next()?;
    }
    Some(accepted.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(deny: &str, packages: &[(&str, Option<&str>)]) -> Vec<String> {
        let packages: Vec<Json> =
            packages.iter().map(|(name, licence)| serde_json::json!({ "name": name, "license": licence })).collect();
        let metadata = serde_json::json!({ "packages": packages }).to_string();
        let findings = check(&Tree::of(&[(PATH, deny)]), &metadata).unwrap();
        findings.iter().map(|finding| format!("{}: {}", finding.line, finding.message)).collect()
    }

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        let accepted = ["MIT", "Zlib", "Apache-2.0"];
        for fine in [
            "MIT",
            "GPL-2.0 OR MIT",
            "GPL-2.0/MIT",
            "(MIT OR X) AND Zlib",
            "Apache-2.0 WITH LLVM-exception",
            "X OR MIT AND Zlib",
        ] {
            assert!(is_accepted(fine, &accepted), "{fine}");
        }
        for wrong in
            ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT OR", "(MIT", "(X OR Y) AND MIT", "X AND MIT OR Y", "MIT Zlib"]
        {
            assert!(!is_accepted(wrong, &accepted), "{wrong}");
        }
    }

    #[test]
    fn packages_are_judged_by_the_allow_list() {
        let found = judge("[licenses]\nallow = [\"MIT\"]", &[("a", Some("MIT")), ("b", Some("AGPL-3.0")), ("c", None)]);
        assert_eq!(
            found,
            ["2: the licence of `b` is not allowed (AGPL-3.0)", "2: the licence of `c` is not allowed (none named)"]
        );
    }

    #[test]
    fn an_exception_holds_for_its_package_and_needs_a_reason() {
        let deny = "[licenses]\nallow = []\nexceptions = [\n{ allow = [\"MPL-2.0\"], crate = \"a\" }, # unchanged, linked only\n]";
        assert_eq!(judge(deny, &[("a", Some("MPL-2.0"))]), Vec::<String>::new());
        assert_eq!(judge(deny, &[("a", Some("MPL-2.0")), ("b", Some("MPL-2.0"))]).len(), 1);
        assert_eq!(judge(deny, &[]), ["4: nothing uses the exception for `a`"]);
        let silent = "[licenses]\nallow = []\nexceptions = [{ allow = [\"MPL-2.0\"], crate = \"a\" }]";
        assert_eq!(judge(silent, &[("a", Some("MPL-2.0"))]), ["3: the exception for `a` has no reason"]);
    }
}
