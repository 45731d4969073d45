//! Every version stands once, in the workspace table, and names a registry's release.

use super::arrows::sections;
use super::{Finding, Tree};
use toml::Value;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in tree.manifests() {
        for (section, table) in sections(&manifest.table) {
            for (key, value) in table {
                if value.get("workspace").and_then(Value::as_bool) == Some(true) {
                    continue;
                }
                let message = format!("`{key}` in [{section}] has a version of its own");
                let remedy = format!("write `{key}.workspace = true` and its version into the top Cargo.toml");
                findings.push(Finding::new(&manifest.file.path, manifest.file.line_of(key), message, remedy));
            }
        }
    }
    let Some(root) = tree.file("Cargo.toml") else { return findings };
    for (key, value) in &tree.workspace_dependencies() {
        let version = value.as_str().or_else(|| value.get("version").and_then(Value::as_str));
        let is_own = value.get("path").is_some();
        let is_release = version.is_some_and(|version| !version.contains('*')) && value.get("git").is_none();
        if !is_own && !is_release {
            let line = root.line_of(&format!("{key} ="));
            let remedy = "name a version of the registry, without `*` and without git";
            findings.push(Finding::new(&root.path, line, format!("`{key}` is not tied to a release"), remedy));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::tidy::said;

    #[test]
    fn members_take_versions_from_the_workspace() {
        let root =
            "[workspace.dependencies]\na = \"1\"\nb = { version = \"2\", features = [\"c\"] }\nd = { path = \"d\" }";
        let member = "[package]\nname = \"d\"\n[dependencies]\na.workspace = true\nb = { workspace = true }";
        assert!(said(super::check, &[("Cargo.toml", root), ("d/Cargo.toml", member)]).is_empty());
    }

    #[test]
    fn a_version_of_its_own_is_found_wherever_it_stands() {
        let member =
            "[package]\nname = \"d\"\n[dependencies]\na = \"1\"\n[target.'cfg(unix)'.dev-dependencies]\nb = {}";
        let found = said(super::check, &[("d/Cargo.toml", member)]);
        assert_eq!(
            found,
            [
                "d/Cargo.toml:1: `a` in [dependencies] has a version of its own",
                "d/Cargo.toml:6: `b` in [dev-dependencies] has a version of its own"
            ]
        );
    }

    #[test]
    fn the_workspace_names_releases() {
        let root = "[workspace.dependencies]\na = \"*\"\nb = { git = \"https://example.org/b\" }";
        let found = said(super::check, &[("Cargo.toml", root)]);
        assert_eq!(found, ["Cargo.toml:2: `a` is not tied to a release", "Cargo.toml:3: `b` is not tied to a release"]);
    }
}
