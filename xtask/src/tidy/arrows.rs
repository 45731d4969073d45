//! Which crate may know which: the arrows of the architecture, and the libraries that services may use.

use super::tree::Manifest;
use super::{Finding, Tree};
use toml::{Table, Value};

/// Libraries of others that business code may use; tests may use any.
const SERVICE_LIBRARIES: &[&str] = &[
    "argon2",
    "askama",
    "base64",
    "futures-util",
    "hmac",
    "schemars",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "uuid",
];

/// Workspace crates that a group of crates may depend on: in what it ships, and in its tests on top.
struct Arrows {
    ships: &'static [&'static str],
    tests: &'static [&'static str],
}

const EVERYTHING: &[&str] = &["*"];

fn arrows_of(folder: &str) -> Option<Arrows> {
    let arrows = match folder {
        "callboard/core" | "xtask" => Arrows { ships: &[], tests: &[] },
        "callboard/engines" | "callboard/policy" => Arrows { ships: &["callboard"], tests: &[] },
        "callboard/handlers" => Arrows { ships: &["callboard"], tests: &["callboard-bench"] },
        // What functions stream is tested up to whoever asked for it.
        "callboard/hosts" => Arrows { ships: &["callboard"], tests: &["callboard-bench", "callboard-gateways"] },
        // A gateway is tested with what stands between it and a function.
        "callboard/gateways" => Arrows { ships: &["callboard"], tests: &["callboard-bench", "callboard-handlers"] },
        // Its figures measure the whole pipeline, which begins at the gateway.
        "callboard/bench" => {
            let tests = &["callboard-gateways", "callboard-handlers", "callboard-hosts", "callboard-policy"];
            Arrows { ships: &["callboard", "callboard-engines"], tests }
        }
        "showrunner" => Arrows { ships: EVERYTHING, tests: &[] },
        "tests" => Arrows { ships: &[], tests: EVERYTHING },
        _ if folder.starts_with("services/") => Arrows { ships: &["callboard"], tests: &["callboard-bench"] },
        _ => return None,
    };
    Some(arrows)
}

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let manifests = tree.manifests();
    let members: Vec<&str> = manifests.iter().map(|manifest| manifest.name.as_str()).collect();
    let shared = tree.workspace_dependencies();
    let mut findings = Vec::new();
    for manifest in &manifests {
        let path = &manifest.file.path;
        let Some(arrows) = arrows_of(manifest.folder) else {
            let remedy = "put the crate into one of the folders of ARCHITECTURE.md, or give it a row in tidy/arrows.rs";
            findings.push(Finding::new(path, 1, format!("no arrows are known for `{}`", manifest.folder), remedy));
            continue;
        };
        for dependency in dependencies(manifest, &shared) {
            findings.extend(judge(manifest, &arrows, &members, &dependency));
        }
    }
    findings
}

fn judge(manifest: &Manifest<'_>, arrows: &Arrows, members: &[&str], dependency: &Dependency) -> Option<Finding> {
    let Dependency { key, name, is_for_tests } = dependency;
    let may = |allowed: &[&str]| allowed == EVERYTHING || allowed.contains(&name.as_str());
    let line = manifest.file.line_of(key);
    let path = &manifest.file.path;
    if members.contains(&name.as_str()) {
        let is_allowed = may(arrows.ships) || (*is_for_tests && may(arrows.tests));
        let message = format!("`{}` must not depend on `{name}`", manifest.name);
        let remedy =
            "services reach each other by URI only; move what is shared into `callboard`, or call it through `env`";
        return (!is_allowed).then(|| Finding::new(path, line, message, remedy));
    }
    let is_business = manifest.folder.starts_with("services/") && !is_for_tests;
    (is_business && !SERVICE_LIBRARIES.contains(&name.as_str())).then(|| {
        let message = format!("the service `{}` must not use the library `{name}`", manifest.name);
        Finding::new(
            path,
            line,
            message,
            format!("use one of {}, or a port of `callboard`", SERVICE_LIBRARIES.join(", ")),
        )
    })
}

struct Dependency {
    key: String,
    name: String,
    is_for_tests: bool,
}

/// Every dependency of a manifest under its package's real name.
fn dependencies(manifest: &Manifest<'_>, shared: &Table) -> Vec<Dependency> {
    let mut found = Vec::new();
    for (section, table) in sections(&manifest.table) {
        for (key, value) in table {
            let own = value.get("package").and_then(Value::as_str);
            let of_workspace = shared.get(key).and_then(|value| value.get("package")).and_then(Value::as_str);
            let name = own.or(of_workspace).unwrap_or(key).to_string();
            found.push(Dependency { key: key.clone(), name, is_for_tests: section == "dev-dependencies" });
        }
    }
    found
}

/// Every table of dependencies in a manifest, also those of single targets.
pub(super) fn sections(table: &Table) -> Vec<(&'static str, &Table)> {
    const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let targets = table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let places = std::iter::once(table).chain(targets.filter_map(Value::as_table));
    let sections = places.flat_map(|place| SECTIONS.map(|name| (name, place.get(name).and_then(Value::as_table))));
    sections.filter_map(|(name, table)| Some((name, table?))).collect()
}

#[cfg(test)]
mod tests {
    use crate::tidy::said;

    const ROOT: (&str, &str) =
        ("Cargo.toml", "[workspace.dependencies]\nfake = { package = \"callboard\", version = \"1\" }");
    const CORE: (&str, &str) = ("callboard/core/Cargo.toml", "[package]\nname = \"callboard\"");
    const SITE: (&str, &str) = ("services/site/Cargo.toml", "[package]\nname = \"site\"");

    fn judge(path: &str, name: &str, rest: &str) -> Vec<String> {
        said(super::check, &[ROOT, CORE, SITE, (path, &format!("[package]\nname = \"{name}\"\n{rest}"))])
    }

    #[test]
    fn arrows_of_the_architecture_are_allowed() {
        let none: Vec<String> = Vec::new();
        let service =
            "[dependencies]\ncallboard.workspace = true\nserde.workspace = true\n[dev-dependencies]\ninsta = \"1\"";
        assert_eq!(judge("services/media/Cargo.toml", "media", service), none);
        assert_eq!(judge("showrunner/Cargo.toml", "showrunner", "[dependencies]\nsite = {}\ntokio = {}"), none);
        assert_eq!(judge("tests/Cargo.toml", "journeys", "[dev-dependencies]\nsite = {}"), none);
        assert_eq!(judge("callboard/engines/Cargo.toml", "callboard-engines", "[dependencies]\ncallboard = {}"), none);
    }

    #[test]
    fn other_arrows_are_not() {
        let found = judge("services/media/Cargo.toml", "media", "[dependencies]\nsite.workspace = true");
        assert_eq!(found, ["services/media/Cargo.toml:4: `media` must not depend on `site`"]);
        let found = judge("tests/Cargo.toml", "journeys", "[dependencies]\nsite = {}");
        assert_eq!(found, ["tests/Cargo.toml:4: `journeys` must not depend on `site`"]);
        let found = judge("xtask/Cargo.toml", "xtask", "[build-dependencies]\ncallboard = {}");
        assert_eq!(found, ["xtask/Cargo.toml:4: `xtask` must not depend on `callboard`"]);
    }

    #[test]
    fn a_renamed_or_conditional_dependency_does_not_slip_through() {
        let found = judge("xtask/Cargo.toml", "xtask", "[dependencies]\nfake.workspace = true");
        assert_eq!(found, ["xtask/Cargo.toml:4: `xtask` must not depend on `callboard`"]);
        let found =
            judge("xtask/Cargo.toml", "xtask", "[target.'cfg(unix)'.dependencies]\nother = { package = \"site\" }");
        assert_eq!(found, ["xtask/Cargo.toml:4: `xtask` must not depend on `site`"]);
    }

    #[test]
    fn a_service_uses_listed_libraries_only() {
        let found = judge("services/media/Cargo.toml", "media", "[dependencies]\ntokio.workspace = true");
        assert_eq!(found, ["services/media/Cargo.toml:4: the service `media` must not use the library `tokio`"]);
    }

    #[test]
    fn a_crate_in_an_unknown_folder_is_named() {
        let found = judge("plugins/Cargo.toml", "plugins", "");
        assert_eq!(found, ["plugins/Cargo.toml:1: no arrows are known for `plugins`"]);
    }
}
