//! Every fault code has a page in `docs/errors`, and every page a code.

use super::{Finding, Tree, tokens};
use proc_macro2::{Delimiter, TokenTree};
use std::collections::{BTreeMap, BTreeSet};

const FOLDER: &str = "docs/errors/";

/// Functions of `Fault` whose first argument is a code.
const KINDS: &[&str] =
    &["bad_input", "conflict", "denied", "not_found", "not_signed_in", "too_large", "too_many", "unavailable"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut codes: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let mut strings = BTreeSet::new();
    for (file, stream) in tree.rust_outside_tests().filter(|(file, _)| !file.path.starts_with("xtask/")) {
        tokens::walk_outside_tests(stream, &mut |at| {
            strings.extend(tokens::string(&at[0]));
            if let Some(code) = code_at(at) {
                codes.entry(code).or_insert_with(|| (file.path.clone(), tokens::line(at)));
            }
        });
    }
    let mut findings = Vec::new();
    for (code, (path, line)) in &codes {
        let page = format!("{FOLDER}{code}.md");
        if tree.file(&page).is_none() {
            let remedy = format!("write `{page}`: what happened, what to do");
            findings.push(Finding::new(path, *line, format!("the fault code `{code}` has no page"), remedy));
        }
    }
    for file in tree.files().filter(|file| file.path.starts_with(FOLDER) && file.name() != "README.md") {
        let code = file.name().strip_suffix(".md").unwrap_or(file.name());
        if !strings.contains(code) {
            let remedy = "delete the page, or name it after its code";
            findings.push(Finding::new(&file.path, 1, format!("no source uses the code `{code}`"), remedy));
        } else if file.text.lines().next() != Some(&format!("# {code}")) {
            let remedy = format!("begin with `# {code}`");
            findings.push(Finding::new(&file.path, 1, "the page is not headed by its code", remedy));
        }
    }
    findings
}

/// The code, if a fault is made here: `Fault::denied("…"`, `Self::denied("…"` or `FaultKind::Bug, "…"`.
fn code_at(at: &[TokenTree]) -> Option<String> {
    let [TokenTree::Ident(owner), colon, other, TokenTree::Ident(kind), next, ..] = at else { return None };
    if !tokens::is_punct(colon, ':') || !tokens::is_punct(other, ':') {
        return None;
    }
    match next {
        TokenTree::Group(arguments) if owner == "Fault" || owner == "Self" => {
            let is_made = arguments.delimiter() == Delimiter::Parenthesis && KINDS.contains(&kind.to_string().as_str());
            is_made.then(|| arguments.stream().into_iter().next().and_then(|first| tokens::string(&first))).flatten()
        }
        comma if owner == "FaultKind" && tokens::is_punct(comma, ',') => tokens::string(at.get(5)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::tidy::said;

    #[test]
    fn codes_with_pages_are_fine() {
        let source = "fn f() { Fault::bad_input(\"series.title_too_long\", format!(\"x\")) }
            fn g() { Self::new(FaultKind::Bug, \"bug\", \"x\") } fn h() { refuse(\"series.gone\") }
            #[cfg(test)] mod tests { fn t() { Fault::denied(\"made.up\", \"\"); } }";
        let files = [
            ("a/src/lib.rs", source),
            ("docs/errors/README.md", ""),
            ("docs/errors/bug.md", "# bug\n"),
            ("docs/errors/series.gone.md", "# series.gone\n"),
            ("docs/errors/series.title_too_long.md", "# series.title_too_long\n"),
        ];
        assert!(said(super::check, &files).is_empty());
    }

    #[test]
    fn what_is_missing_or_left_over_is_found() {
        let files = [
            ("a/src/lib.rs", "fn f() {\n Fault::denied(\"a.b\", \"x\").or(Fault::bug(\"no code\"));\n g(\"c.d\") }"),
            ("docs/errors/c.d.md", "# C\n"),
            ("docs/errors/e.f.md", "# e.f\n"),
        ];
        assert_eq!(
            said(super::check, &files),
            [
                "a/src/lib.rs:2: the fault code `a.b` has no page",
                "docs/errors/c.d.md:1: the page is not headed by its code",
                "docs/errors/e.f.md:1: no source uses the code `e.f`",
            ]
        );
    }
}
