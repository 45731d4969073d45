//! How long a file and a function may be.

use super::{Finding, Tree, tokens};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const ENDINGS: &[&str] = &["rs", "ts", "css", "html"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| ENDINGS.contains(&file.ending())) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            let message = format!("the file is {lines} lines long, {FILE_LINES_MAX} at most");
            findings.push(Finding::new(&file.path, FILE_LINES_MAX + 1, message, "split it along its subjects"));
        }
    }
    for file in tree.rust() {
        let Ok(stream) = file.tokens() else { continue };
        for (name, line, lines) in
            functions(stream.clone()).into_iter().filter(|(.., lines)| *lines > FUNCTION_LINES_MAX)
        {
            let message = format!("the function `{name}` is {lines} lines long, {FUNCTION_LINES_MAX} at most");
            findings.push(Finding::new(&file.path, line, message, "give its parts functions with names of their own"));
        }
    }
    findings
}

/// Name, first line and number of lines of every function with a body.
fn functions(stream: TokenStream) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    tokens::walk(stream, &mut |at| {
        let [TokenTree::Ident(keyword), TokenTree::Ident(name), rest @ ..] = at else { return };
        if keyword != "fn" {
            return;
        }
        let end = rest.iter().find(|token| tokens::is_punct(token, ';') || tokens::is_group(token, Delimiter::Brace));
        if let Some(TokenTree::Group(body)) = end {
            let line = tokens::line(at);
            found.push((name.to_string(), line, body.span_close().end().line + 1 - line));
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::said;

    #[test]
    fn up_to_the_limits_is_fine() {
        let file = "\n".repeat(FILE_LINES_MAX);
        let function = format!("fn f() {{{}}}", "\n".repeat(FUNCTION_LINES_MAX - 1));
        assert!(said(check, &[("a.ts", &file), ("a.md", &"\n".repeat(5000)), ("a.rs", &function)]).is_empty());
    }

    #[test]
    fn one_line_more_is_not() {
        let file = "\n".repeat(FILE_LINES_MAX + 1);
        let function = format!("trait T {{ fn g();\nfn f() {{{}}} }}", "\n".repeat(FUNCTION_LINES_MAX));
        assert_eq!(
            said(check, &[("a.css", &file), ("b.rs", &function)]),
            [
                "a.css:601: the file is 601 lines long, 600 at most",
                "b.rs:2: the function `f` is 71 lines long, 70 at most"
            ]
        );
    }

    #[test]
    fn a_signature_counts_and_an_array_in_it_does_not_end_it() {
        let found = functions("fn f(\n a: [u8; 4],\n) -> [u8; 2] {\n}".parse().unwrap());
        assert_eq!(found, [("f".to_string(), 1, 4)]);
    }
}
