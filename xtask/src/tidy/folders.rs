//! A crate is named as its folder.

use super::{Finding, Tree};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let manifests = tree.manifests();
    let wrong = manifests.iter().filter_map(|manifest| {
        let expected = expected_name(manifest.folder);
        (manifest.name != expected).then(|| {
            let message = format!("the crate in `{}` is named `{}`", manifest.folder, manifest.name);
            let line = manifest.file.line_of("name");
            Finding::new(&manifest.file.path, line, message, format!("name it `{expected}`, or move its folder"))
        })
    });
    wrong.collect()
}

fn expected_name(folder: &str) -> String {
    match folder {
        "callboard/core" => "callboard".to_string(),
        "tests" => "journeys".to_string(),
        _ => match folder.strip_prefix("callboard/") {
            Some(part) => format!("callboard-{part}"),
            None => folder.rsplit('/').next().unwrap_or(folder).to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::tidy::said;

    #[test]
    fn names_follow_folders() {
        let files = [
            ("callboard/core/Cargo.toml", "[package]\nname = \"callboard\""),
            ("callboard/bench/Cargo.toml", "[package]\nname = \"callboard-bench\""),
            ("services/site/Cargo.toml", "[package]\nname = \"site\""),
            ("tests/Cargo.toml", "[package]\nname = \"journeys\""),
        ];
        assert!(said(super::check, &files).is_empty());
    }

    #[test]
    fn another_name_is_found() {
        let found = said(super::check, &[("services/site/Cargo.toml", "[package]\nname = \"pages\"")]);
        assert_eq!(found, ["services/site/Cargo.toml:2: the crate in `services/site` is named `pages`"]);
    }
}
