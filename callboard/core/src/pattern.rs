//! URI patterns and the tree that finds which of them match a URI.
//!
//! A pattern is literal segments, `{name}` for exactly one segment, and `**` at the end for the rest, also none.

use crate::{Params, Uri};
use std::collections::HashMap;
use std::fmt;

/// A pattern such as `/series/{id}` or `/parties/{id}/**`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    text: &'static str,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    Literal(&'static str),
    Param(&'static str),
    Rest,
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(String);

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Says which segment is wrong and why.
    pub fn parse(text: &'static str) -> Result<Self, PatternError> {
        let rest =
            text.strip_prefix('/').ok_or_else(|| PatternError(format!("`{text}`: a pattern starts with `/`")))?;
        let segments: Vec<&'static str> = if rest.is_empty() { Vec::new() } else { rest.split('/').collect() };
        let last = segments.len().saturating_sub(1);
        let mut parts = Vec::with_capacity(segments.len());
        for (at, segment) in segments.into_iter().enumerate() {
            parts.push(part(text, segment, at == last)?);
        }
        Ok(Self { text, parts })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &'static str {
        self.text
    }

    /// The first segment where it is literal.
    pub fn first_literal(&self) -> Option<&'static str> {
        match self.parts.first() {
            Some(Part::Literal(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether a URI fits.
    pub(crate) fn matches(&self, uri: &Uri) -> bool {
        let mut segments = uri.segments();
        let fits = |part: &Part| match part {
            Part::Literal(literal) => segments.next() == Some(literal),
            Part::Param(_) => segments.next().is_some(),
            Part::Rest => segments.by_ref().count() > 0,
        };
        self.parts.iter().all(fits) && segments.next().is_none()
    }

    /// The values of `{name}` segments and of `**` (under the name `**`) in a URI that this pattern matched.
    pub fn params(&self, uri: &Uri) -> Params {
        let mut params = Params::default();
        let mut segments = uri.segments();
        for part in &self.parts {
            match part {
                Part::Literal(_) => drop(segments.next()),
                Part::Param(name) => params.push(name, segments.next().unwrap_or_default().to_owned()),
                Part::Rest => params.push("**", segments.by_ref().collect::<Vec<_>>().join("/")),
            }
        }
        params
    }

    /// The pattern with every name blanked: two patterns of the same shape match the same URIs.
    pub fn shape(&self) -> String {
        let segment = |part: &Part| match part {
            Part::Literal(text) => (*text).to_owned(),
            Part::Param(_) => "{}".to_owned(),
            Part::Rest => "**".to_owned(),
        };
        self.parts.iter().map(segment).fold(String::new(), |text, segment| text + "/" + &segment)
    }

    /// Whether a declaration with this pattern means the functions of a row with the other: the same shape, one URI of the row, or
    /// a whole subtree around it. A name in the declaration does not mean a row for a literal segment.
    pub(crate) fn means(&self, row: &Pattern) -> bool {
        for (at, part) in self.parts.iter().enumerate() {
            match (part, row.parts.get(at)) {
                (Part::Rest, _) | (_, Some(Part::Rest)) => return true,
                (Part::Literal(ours), Some(Part::Literal(theirs))) if ours == theirs => {}
                (_, Some(Part::Param(_))) => {}
                _ => return false,
            }
        }
        self.parts.len() == row.parts.len()
    }
}

fn part(text: &str, segment: &'static str, is_last: bool) -> Result<Part, PatternError> {
    if segment == "**" {
        return if is_last {
            Ok(Part::Rest)
        } else {
            Err(PatternError(format!("`{text}`: `**` stands only at the end")))
        };
    }
    if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        return if is_name {
            Ok(Part::Param(name))
        } else {
            Err(PatternError(format!("`{text}`: a name in braces has only a–z and _, not `{name}`")))
        };
    }
    match segment {
        "" => Err(PatternError(format!("`{text}`: an empty segment; remove the extra `/`"))),
        _ if segment.contains(['{', '}', '*']) => {
            Err(PatternError(format!("`{text}`: `{segment}` mixes text with a wildcard; use a whole segment")))
        }
        _ => Ok(Part::Literal(segment)),
    }
}

/// Finds patterns by URI: a tree over segments, so cost grows with the length of the URI, not the number of patterns.
#[derive(Debug)]
pub struct Router<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    literals: HashMap<&'static str, Node<T>>,
    param: Option<Box<Node<T>>>,
    here: Vec<T>,
    rest: Vec<T>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literals: HashMap::new(), param: None, here: Vec::new(), rest: Vec::new() }
    }
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T: Copy> Router<T> {
    /// Adds a pattern.
    pub fn insert(&mut self, pattern: &Pattern, value: T) {
        let mut node = &mut self.root;
        for part in &pattern.parts {
            node = match part {
                Part::Literal(text) => node.literals.entry(text).or_default(),
                Part::Param(_) => node.param.get_or_insert_default(),
                Part::Rest => return node.rest.push(value),
            };
        }
        node.here.push(value);
    }

    /// The most specific match: at every segment a literal wins over a name, a name over `**`.
    pub fn find(&self, uri: &Uri) -> Option<T> {
        find(&self.root, rest_of(uri))
    }

    /// Every match, most specific first.
    pub fn find_all(&self, uri: &Uri) -> Vec<T> {
        let mut found = Vec::new();
        collect(&self.root, rest_of(uri), &mut found);
        found
    }
}

/// The text behind the leading slash; empty for the root.
fn rest_of(uri: &Uri) -> &str {
    uri.as_str().trim_start_matches('/')
}

fn split(rest: &str) -> (&str, &str) {
    rest.split_once('/').unwrap_or((rest, ""))
}

fn find<T: Copy>(node: &Node<T>, rest: &str) -> Option<T> {
    if rest.is_empty() {
        return node.here.first().or(node.rest.first()).copied();
    }
    let (segment, below) = split(rest);
    let literal = node.literals.get(segment).and_then(|next| find(next, below));
    let param = || node.param.as_deref().and_then(|next| find(next, below));
    literal.or_else(param).or_else(|| node.rest.first().copied())
}

fn collect<T: Copy>(node: &Node<T>, rest: &str, found: &mut Vec<T>) {
    if rest.is_empty() {
        found.extend(&node.here);
    } else {
        let (segment, below) = split(rest);
        if let Some(next) = node.literals.get(segment) {
            collect(next, below, found);
        }
        if let Some(next) = node.param.as_deref() {
            collect(next, below, found);
        }
    }
    found.extend(&node.rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_means_rows_of_its_shape_one_uri_of_them_or_all_below() {
        let means = |ours, theirs| {
            let pattern = |text| Pattern::parse(text).expect("a pattern");
            pattern(ours).means(&pattern(theirs))
        };
        for (ours, theirs) in [
            ("/series/{a}", "/series/{id}"),
            ("/series/7", "/series/{id}"),
            ("/**", "/series/{id}"),
            ("/series/**", "/series"),
            ("/series/{id}", "/series/**"),
        ] {
            assert!(means(ours, theirs), "{ours} {theirs}");
        }
        for (ours, theirs) in [
            ("/series/{id}", "/series/latest"),
            ("/series/{id}", "/series"),
            ("/series", "/series/{id}"),
            ("/series/{id}", "/episodes/{id}"),
            ("/series/**", "/episodes/{id}"),
        ] {
            assert!(!means(ours, theirs), "{ours} {theirs}");
        }
    }
    use proptest::prelude::*;

    fn router(patterns: &[&'static str]) -> Router<usize> {
        let mut router = Router::default();
        for (at, text) in patterns.iter().enumerate() {
            router.insert(&Pattern::parse(text).expect("a pattern"), at);
        }
        router
    }

    fn uri(text: &str) -> Uri {
        Uri::parse(text).expect("a URI")
    }

    #[test]
    fn the_most_specific_pattern_wins() {
        let router = router(&["/series/{id}", "/series/new", "/series/{id}/**", "/**"]);
        assert_eq!(router.find(&uri("/series/new")), Some(1));
        assert_eq!(router.find(&uri("/series/7")), Some(0));
        assert_eq!(router.find(&uri("/series/7/seasons/1")), Some(2));
        assert_eq!(router.find(&uri("/elsewhere")), Some(3));
        assert_eq!(router.find_all(&uri("/series/new")), [1, 0, 2, 3]);
    }

    #[test]
    fn a_dead_end_falls_back_to_the_wildcard() {
        let router = router(&["/a/b/c", "/a/{x}/d"]);
        assert_eq!(router.find(&uri("/a/b/d")), Some(1));
        assert_eq!(router.find(&uri("/a/b")), None);
    }

    #[test]
    fn wrong_patterns_say_why() {
        for (text, part) in
            [("a", "starts with"), ("/a/**/b", "at the end"), ("/{A}", "a–z"), ("/x{a}", "mixes"), ("/a//b", "empty")]
        {
            let error = Pattern::parse(text).expect_err("a wrong pattern").to_string();
            assert!(error.contains(part), "{error} should mention {part}");
        }
    }

    #[test]
    fn names_take_their_segments() {
        let params = Pattern::parse("/series/{id}/**").expect("a pattern").params(&uri("/series/7/a/b"));
        assert_eq!(params.get("id"), Some("7"));
        assert_eq!(params.get("**"), Some("a/b"));
    }

    proptest! {
        #[test]
        fn the_tree_agrees_with_matching_one_by_one(path in "(/[ab]){1,4}") {
            const ALL: [&str; 8] = ["/a", "/{x}", "/a/b", "/a/{x}", "/{x}/b/**", "/**", "/a/b/{x}/b", "/b/**"];
            let uri = uri(&path);
            let mut found = router(&ALL).find_all(&uri);
            found.sort_unstable();
            let one_by_one: Vec<usize> =
                (0..ALL.len()).filter(|&at| router(&ALL[at..=at]).find(&uri).is_some()).collect();
            prop_assert_eq!(found, one_by_one);
        }
    }
}
