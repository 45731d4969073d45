//! Every Rust file opens with what it is.

use super::{Finding, Tree};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let head = file.text.lines().next().unwrap_or_default();
        if head.strip_prefix("//!").is_none_or(|text| text.trim().is_empty()) {
            let remedy = "begin with `//!`: what it is, and what it deliberately is not";
            findings.push(Finding::new(&file.path, 1, "the file does not say what it is", remedy));
        }
        if let Err(error) = file.tokens() {
            let remedy = "close what is open; no other rule could look at it";
            findings.push(Finding::new(&file.path, 1, format!("the file cannot be read as Rust ({error})"), remedy));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::tidy::said;

    #[test]
    fn a_file_that_says_what_it_is_is_fine() {
        assert!(said(super::check, &[("a.rs", "//! Paint.\nfn f() {}"), ("a.ts", "let x;")]).is_empty());
    }

    #[test]
    fn silence_is_found() {
        let files = [("a.rs", "fn f() {}"), ("b.rs", "//!\n"), ("c.rs", ""), ("d.rs", "//! Paint.\nfn f() {")];
        let found = said(super::check, &files);
        assert_eq!(
            found[..3],
            ["a.rs", "b.rs", "c.rs"].map(|path| format!("{path}:1: the file does not say what it is"))
        );
        assert!(found[3].starts_with("d.rs:1: the file cannot be read as Rust"), "{found:?}");
    }
}
