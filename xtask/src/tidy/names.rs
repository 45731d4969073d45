//! Names that say nothing: of files, folders and modules.

use super::{Finding, Tree, tokens};
use proc_macro2::{Delimiter, TokenTree};
use std::collections::BTreeSet;

/// Words that name no subject.
const BANNED: &[&str] =
    &["common", "helper", "helpers", "manager", "managers", "misc", "types", "util", "utils", "utilities"];

const REMEDY: &str = "name it after its subject, and move each thing to the subject it belongs to";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tree.files().filter_map(|file| judge_path(&file.path)).collect();
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert(finding.message.clone()));
    for file in tree.rust() {
        let Ok(stream) = file.tokens() else { continue };
        tokens::walk(stream.clone(), &mut |at| {
            if let [TokenTree::Ident(keyword), TokenTree::Ident(name), body, ..] = at
                && keyword == "mod"
                && tokens::is_group(body, Delimiter::Brace)
                && is_banned(&name.to_string())
            {
                findings.push(Finding::new(
                    &file.path,
                    tokens::line(at),
                    format!("the module `{name}` says nothing"),
                    REMEDY,
                ));
            }
        });
    }
    findings
}

/// The first part of the path that is banned; found once for a folder, not for each of its files.
fn judge_path(path: &str) -> Option<Finding> {
    let parts: Vec<&str> = path.split('/').collect();
    let index = parts.iter().position(|part| is_banned(part.split('.').next().unwrap_or(part)))?;
    let message = format!("the name `{}` says nothing", parts[..=index].join("/"));
    Some(Finding::new(path, 1, message, REMEDY))
}

/// Is the name, or its last word, banned?
fn is_banned(name: &str) -> bool {
    let last = name.rsplit(['_', '-']).next().unwrap_or(name);
    BANNED.contains(&last.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use crate::tidy::said;

    #[test]
    fn a_name_with_a_subject_is_fine() {
        let files = [("a/src/uri.rs", "//! x\nmod parts { mod common_law {} }"), ("web/media-types-list.ts", "")];
        assert!(said(super::check, &files).is_empty());
    }

    #[test]
    fn files_folders_and_modules_are_looked_at() {
        let files = [
            ("a/src/lib.rs", "\nmod helpers { fn x() {} }"),
            ("a/src/string_utils.rs", ""),
            ("a/tests/common/mod.rs", ""),
            ("a/tests/common/paint.rs", ""),
            ("web/src/types.d.ts", ""),
        ];
        assert_eq!(
            said(super::check, &files),
            [
                "a/src/lib.rs:2: the module `helpers` says nothing",
                "a/src/string_utils.rs:1: the name `a/src/string_utils.rs` says nothing",
                "a/tests/common/mod.rs:1: the name `a/tests/common` says nothing",
                "web/src/types.d.ts:1: the name `web/src/types.d.ts` says nothing",
            ]
        );
    }
}
