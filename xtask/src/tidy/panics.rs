//! No `unwrap` outside tests.

use super::{Finding, Tree, tokens};
use proc_macro2::{Delimiter, TokenTree};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, stream) in tree.rust_outside_tests() {
        tokens::walk_outside_tests(stream, &mut |at| {
            if let [dot, name @ TokenTree::Ident(_), arguments, ..] = at
                && tokens::is_punct(dot, '.')
                && tokens::is_ident(name, "unwrap")
                && tokens::is_group(arguments, Delimiter::Parenthesis)
            {
                let remedy =
                    "return the failure with `?`, or write `expect` with the invariant that makes it impossible";
                findings.push(Finding::new(&file.path, tokens::line(&at[1..]), "`unwrap` outside tests", remedy));
            }
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::tidy::said;

    #[test]
    fn tests_may_unwrap() {
        let files = [
            (
                "a/src/lib.rs",
                "fn f() { x.unwrap_or(1); y.expect(\"z\"); }\n#[cfg(test)] mod tests { fn g() { x.unwrap(); } }",
            ),
            ("a/tests/all.rs", "fn f() { x.unwrap(); }"),
            ("a/src/paint.rs", "/// `x.unwrap()`\nfn f() {}"),
        ];
        assert!(said(super::check, &files).is_empty());
    }

    #[test]
    fn other_code_may_not_not_even_in_a_macro() {
        let files = [("a.rs", "fn f() {\n  x\n    .unwrap();\n  format!(\"{}\", y.unwrap());\n}")];
        assert_eq!(said(super::check, &files), ["a.rs:3: `unwrap` outside tests", "a.rs:4: `unwrap` outside tests"]);
    }
}
