//! A warning is answered, or expected with a reason: never allowed away.

use super::{Finding, Tree, tokens};
use proc_macro2::{Group, TokenTree};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let Ok(stream) = file.tokens() else { continue };
        tokens::walk(stream.clone(), &mut |at| {
            let attribute = match at {
                [hash, TokenTree::Group(attribute), ..] if tokens::is_punct(hash, '#') => attribute,
                [hash, bang, TokenTree::Group(attribute), ..]
                    if tokens::is_punct(hash, '#') && tokens::is_punct(bang, '!') =>
                {
                    attribute
                }
                _ => return,
            };
            if let Some((message, remedy)) = judge(attribute) {
                findings.push(Finding::new(&file.path, tokens::line(at), message, remedy));
            }
        });
    }
    findings
}

/// What is wrong with the attribute in these brackets, also inside `cfg_attr`.
fn judge(attribute: &Group) -> Option<(&'static str, &'static str)> {
    let mut wrong = None;
    tokens::walk(attribute.stream(), &mut |at| {
        let [name @ TokenTree::Ident(_), TokenTree::Group(arguments), ..] = at else { return };
        if tokens::is_ident(name, "allow") {
            wrong = Some(("a warning is allowed away", "answer it, or write `#[expect(…, reason = \"…\")]`"));
        }
        let has_reason = arguments.stream().into_iter().any(|token| tokens::is_ident(&token, "reason"));
        if tokens::is_ident(name, "expect") && !has_reason {
            wrong = Some(("a warning is expected without a reason", "add `reason = \"…\"`"));
        }
    });
    wrong
}

#[cfg(test)]
mod tests {
    use crate::tidy::said;

    #[test]
    fn an_expectation_with_a_reason_is_fine() {
        let text =
            "#[expect(dead_code, reason = \"read by the compiler\")]\nfn f() { x.expect(\"y\"); let allow = (1); }";
        assert!(said(super::check, &[("a.rs", text)]).is_empty());
    }

    #[test]
    fn everything_else_is_found() {
        let text = "#![allow(unused)]\n#[allow(dead_code)]\nfn f() {}\n#[cfg_attr(x, allow(y))]\nfn g() {}\n#[expect(z)]\nfn h() {}";
        let found = said(super::check, &[("a.rs", text)]);
        assert_eq!(
            found,
            [
                "a.rs:1: a warning is allowed away",
                "a.rs:2: a warning is allowed away",
                "a.rs:4: a warning is allowed away",
                "a.rs:6: a warning is expected without a reason",
            ]
        );
    }
}
