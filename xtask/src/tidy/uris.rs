//! The URI scheme's first segments: pages stay on reserved ones, and nobody writes the gateway's mounts into a pattern.

use super::{Finding, Tree, tokens};
use proc_macro2::{Delimiter, TokenTree};

/// First segments of pages. A tenant's own names never stand in first place, so none of these can collide with one.
const RESERVED: &[&str] = &[
    "",
    "-",
    ".well-known",
    "about",
    "art",
    "assets",
    "browse",
    "channel",
    "embed",
    "fault",
    "favicon.ico",
    "feed.xml",
    "me",
    "media",
    "oembed",
    "parties",
    "report",
    "robots.txt",
    "search",
    "series",
    "sign-in",
    "sign-out",
    "sign-up",
    "sitemap.xml",
    "studio",
    "tags",
    "theme.css",
    "watch",
    "~",
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, stream) in tree.rust_outside_tests().filter(|(file, _)| file.path.starts_with("services/")) {
        tokens::walk_outside_tests(stream, &mut |at| {
            let [dot, name @ TokenTree::Ident(_), TokenTree::Group(arguments), ..] = at else { return };
            let is_row = tokens::is_punct(dot, '.')
                && tokens::is_ident(name, "on")
                && arguments.delimiter() == Delimiter::Parenthesis;
            if !is_row {
                return;
            }
            let inner: Vec<TokenTree> = arguments.stream().into_iter().collect();
            let mut parts = inner.split(|token| tokens::is_punct(token, ','));
            let (kind, pattern) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            if let Some((message, remedy)) = judge(kind, pattern) {
                findings.push(Finding::new(&file.path, tokens::line(&at[1..]), message, remedy));
            }
        });
    }
    findings
}

/// What is wrong with a row of a binding table, by the words of its kind and of its pattern.
fn judge(kind: &[TokenTree], pattern: &[TokenTree]) -> Option<(String, String)> {
    let text = match pattern {
        [literal] => tokens::string(literal),
        _ => None,
    };
    let Some(text) = text else {
        return Some((
            "a binding's URI is not a literal".to_string(),
            "write it into the row, so that the table can be read".into(),
        ));
    };
    let first = text.trim_start_matches('/').split('/').next().unwrap_or_default();
    if first == "api" || first.starts_with('@') {
        let message = format!("`{text}` begins with a mount of the gateway");
        return Some((message, "leave the mount out: `/api` and `/@tenant` are added outside".to_string()));
    }
    let is_page = kind.last().is_some_and(|word| tokens::is_ident(word, "Page") || tokens::is_ident(word, "Form"));
    (is_page && !RESERVED.contains(&first)).then(|| {
        let message = format!("the page `{text}` begins with `{first}`, which is not reserved");
        (message, format!("begin with one of {}, or reserve the word in tidy/uris.rs", RESERVED[1..].join(" ")))
    })
}

#[cfg(test)]
mod tests {
    use crate::tidy::said;

    fn judge(row: &str) -> Vec<String> {
        let text = format!("fn service() -> Service {{\n Service::new(\"site\")\n  {row}\n}}");
        said(super::check, &[("services/site/src/lib.rs", &text)])
    }

    #[test]
    fn reserved_pages_and_any_resource_are_fine() {
        let none: Vec<String> = Vec::new();
        assert_eq!(judge(".on(Kind::Page, \"/\", home, Who::Anyone, Stranger::Denied)"), none);
        assert_eq!(judge(".on(Kind::Page, \"/watch/{pid}/{slug}\", watch, Who::Anyone, Stranger::NotFound)"), none);
        assert_eq!(judge(".on(event(\"created\"), \"/episodes/{id}\", made, Who::Services, Stranger::NotFound)"), none);
        assert_eq!(judge(".handler(x).once(Kind::Page, \"/x\")"), none);
    }

    #[test]
    fn other_pages_are_found() {
        let at = "services/site/src/lib.rs:3: ";
        let found = judge(".on(Kind::Page, \"/films/{slug}\", film, who, stranger)");
        assert_eq!(found, [format!("{at}the page `/films/{{slug}}` begins with `films`, which is not reserved")]);
        let found = judge(".on(Kind::Form, \"/{slug}\", film, who, stranger)");
        assert_eq!(found, [format!("{at}the page `/{{slug}}` begins with `{{slug}}`, which is not reserved")]);
    }

    #[test]
    fn mounts_and_hidden_uris_are_found() {
        let at = "services/site/src/lib.rs:3: ";
        let found = judge(".on(Kind::Get, \"/api/episodes/{id}\", one, who, stranger)");
        assert_eq!(found, [format!("{at}`/api/episodes/{{id}}` begins with a mount of the gateway")]);
        assert_eq!(judge(".on(Kind::Page, \"/@{tenant}\", one, who, stranger)").len(), 1);
        assert_eq!(
            judge(".on(Kind::Get, EPISODE, one, who, stranger)"),
            [format!("{at}a binding's URI is not a literal")]
        );
    }
}
