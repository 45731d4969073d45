//! Looking at Rust source as tokens, inside macros too, with or without its tests. Not a parser: it knows no grammar.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Shows `see` every place of `stream`: the tokens from there to the end of their group.
pub(crate) fn walk(stream: TokenStream, see: &mut dyn FnMut(&[TokenTree])) {
    walk_some(stream, false, see);
}

/// As `walk`, but without items under `#[test]`, `#[cfg(test)]` and the like.
pub(crate) fn walk_outside_tests(stream: TokenStream, see: &mut dyn FnMut(&[TokenTree])) {
    walk_some(stream, true, see);
}

fn walk_some(stream: TokenStream, is_without_tests: bool, see: &mut dyn FnMut(&[TokenTree])) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if is_without_tests && is_test_attribute(&tokens[at..]) {
            at += item_length(&tokens[at..]);
            continue;
        }
        see(&tokens[at..]);
        if let TokenTree::Group(group) = &tokens[at] {
            walk_some(group.stream(), is_without_tests, see);
        }
        at += 1;
    }
}

/// Names of the modules that `stream` declares as `#[cfg(test)] mod name;`.
pub(crate) fn test_modules(stream: &TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = stream.clone().into_iter().collect();
    let mut names = Vec::new();
    for at in 0..tokens.len() {
        if !is_test_attribute(&tokens[at..]) {
            continue;
        }
        let item = &tokens[at..at + item_length(&tokens[at..])];
        if let [.., TokenTree::Ident(keyword), TokenTree::Ident(name), TokenTree::Punct(end)] = item
            && keyword == "mod"
            && end.as_char() == ';'
        {
            names.push(name.to_string());
        }
    }
    names
}

/// Is this the start of `#[test]`, `#[some::test]`, `#[cfg(test)]` or `#[cfg(all(test, …))]`?
fn is_test_attribute(tokens: &[TokenTree]) -> bool {
    let [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] = tokens else { return false };
    if hash.as_char() != '#' || attribute.delimiter() != Delimiter::Bracket {
        return false;
    }
    let inner: Vec<TokenTree> = attribute.stream().into_iter().collect();
    match inner.as_slice() {
        [TokenTree::Ident(name), TokenTree::Group(condition)] if name == "cfg" => is_test_condition(condition),
        [TokenTree::Ident(name), ..] if name == "test" => true,
        path => path.windows(2).any(|pair| is_punct(&pair[0], ':') && is_ident(&pair[1], "test")),
    }
}

fn is_test_condition(condition: &Group) -> bool {
    let inner: Vec<TokenTree> = condition.stream().into_iter().collect();
    match inner.as_slice() {
        [TokenTree::Ident(name)] => name == "test",
        [TokenTree::Ident(all), TokenTree::Group(parts)] if all == "all" => {
            parts.stream().into_iter().any(|part| is_ident(&part, "test"))
        }
        _ => false,
    }
}

/// How many tokens the item has that starts here: up to its body or its semicolon.
fn item_length(tokens: &[TokenTree]) -> usize {
    let is_end = |token: &TokenTree| is_punct(token, ';') || is_group(token, Delimiter::Brace);
    tokens.iter().position(is_end).map_or(tokens.len(), |index| index + 1)
}

/// Is it this word?
pub(crate) fn is_ident(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

/// Is it this sign?
pub(crate) fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// Is it a group in these brackets?
pub(crate) fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}

/// The line (from 1) on which the first of these stands.
pub(crate) fn line(tokens: &[TokenTree]) -> usize {
    tokens.first().map_or(1, |token| token.span().start().line)
}

/// The text of a string literal, plain or raw; escapes stay as they are written.
pub(crate) fn string(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else { return None };
    let literal = literal.to_string();
    let text = literal.trim_start_matches('r').trim_matches('#').strip_prefix('"')?.strip_suffix('"')?;
    Some(text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str, is_without_tests: bool) -> Vec<String> {
        let mut words = Vec::new();
        walk_some(source.parse().unwrap(), is_without_tests, &mut |tokens| {
            if let TokenTree::Ident(ident) = &tokens[0] {
                words.push(ident.to_string());
            }
        });
        words
    }

    #[test]
    fn macros_are_looked_into() {
        assert_eq!(words("format!(\"{}\", [alpha.beta()])", false), ["format", "alpha", "beta"]);
    }

    #[test]
    fn tests_are_left_out_and_nothing_else() {
        let source = "mod a; #[cfg(test)] #[path = \"x\"] mod b { fn c() {} } #[cfg(not(test))] mod d;
                      #[test] fn e() {} #[tokio::test(flavor = \"x\")] async fn f() {} #[cfg(all(test, unix))] use g; mod h;";
        assert_eq!(words(source, true), ["mod", "a", "cfg", "not", "test", "mod", "d", "mod", "h"]);
    }

    #[test]
    fn strings_are_told_from_other_literals() {
        let texts: Vec<Option<String>> = "\"a/{b}\" r#\"c\"# 7 b\"d\""
            .parse::<TokenStream>()
            .unwrap()
            .into_iter()
            .map(|token| string(&token))
            .collect();
        assert_eq!(texts, [Some("a/{b}".to_string()), Some("c".to_string()), None, None]);
    }
}
