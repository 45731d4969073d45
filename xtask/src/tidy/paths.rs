//! No path of anybody's machine in the tree.

use super::{Finding, Tree};

/// Where people keep checkouts, homes and scratch files; spelt in parts, so that this file does not find itself.
const PLACES: [&str; 5] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/tm", "p/")];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files() {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(place) = PLACES.iter().find(|place| is_named(line, place)) {
                let message = format!("a path of one machine (`{place}`)");
                let remedy = "write it from the top of the project, or make a folder with tempfile";
                findings.push(Finding::new(&file.path, index + 1, message, remedy));
            }
        }
    }
    findings
}

/// Does the path start here, rather than go on from another, as in `/studio/home/`?
fn is_named(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|sign| sign.is_alphanumeric() || "}])_-.".contains(sign))
    })
}

#[cfg(test)]
mod tests {
    use super::{PLACES, check};
    use crate::tidy::said;

    #[test]
    fn uris_and_relative_paths_are_fine() {
        let text =
            format!("let a = \"/studio{}x\"; let b = \"target{}\"; // ./{}", PLACES[2], PLACES[4], &PLACES[0][1..]);
        assert!(said(check, &[("a.rs", &text)]).is_empty());
    }

    #[test]
    fn a_path_of_a_machine_is_found() {
        let text = format!("see\n`{}main/x`\n", PLACES[0]);
        let found = said(check, &[("a.md", &text)]);
        assert_eq!(found, [format!("a.md:2: a path of one machine (`{}`)", PLACES[0])]);
    }
}
