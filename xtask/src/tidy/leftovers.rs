//! Nothing half done stays in the source: no notes to self, no placeholders, no debugging.

use super::{Finding, Tree, tokens};
use proc_macro2::{Delimiter, TokenTree};

/// Spelt in two parts, so that this file does not find itself.
const NOTES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
const MACROS: &[&str] = &["todo", "dbg", "unimplemented"];
const ENDINGS: &[&str] = &["rs", "ts", "js", "mjs", "css", "html", "sql", "toml", "sh"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| ENDINGS.contains(&file.ending())) {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(note) = NOTES.iter().find(|note| line.contains(**note)) {
                let message = format!("a note to self (`{note}`)");
                findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    message,
                    "do it now, or file an issue and delete the note",
                ));
            }
        }
    }
    for file in tree.rust() {
        let Ok(stream) = file.tokens() else { continue };
        tokens::walk(stream.clone(), &mut |at| {
            if let [TokenTree::Ident(name), bang, TokenTree::Group(group), ..] = at
                && tokens::is_punct(bang, '!')
                && group.delimiter() != Delimiter::None
                && MACROS.contains(&name.to_string().as_str())
            {
                let message = format!("`{name}!` is left behind");
                findings.push(Finding::new(&file.path, tokens::line(at), message, "finish it, or take it out"));
            }
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{NOTES, check};
    use crate::tidy::said;

    #[test]
    fn finished_source_is_fine() {
        let files = [("a.rs", "//! What is left todo! is told in issues.\nfn todo() {}"), ("a.md", NOTES[0])];
        assert!(said(check, &files).is_empty());
    }

    #[test]
    fn leftovers_are_found() {
        let text = format!("fn f() {{\n  // {} later\n  dbg!(x);\n  g(&[todo!()]);\n}}", NOTES[1]);
        let style = format!("a {{}} /* {} */", NOTES[0]);
        let found = said(check, &[("a.rs", &text), ("b.css", &style)]);
        let note = |note| format!("a note to self (`{note}`)");
        assert_eq!(
            found,
            [
                format!("a.rs:2: {}", note(NOTES[1])),
                "a.rs:3: `dbg!` is left behind".to_string(),
                "a.rs:4: `todo!` is left behind".to_string(),
                format!("b.css:1: {}", note(NOTES[0])),
            ]
        );
    }
}
