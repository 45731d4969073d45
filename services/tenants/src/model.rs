//! What a tenant is, and the rules its name, its texts and its host names keep.

use crate::colour::{self, Colour};
use callboard::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest title, in characters.
const TITLE_CHARS_MAX: usize = 80;
/// Longest tagline, in characters.
const TAGLINE_CHARS_MAX: usize = 160;

/// Names that would be taken for something of the platform when they stand before its domain or after `/@`.
const RESERVED: &[&str] = &[
    "about",
    "account",
    "accounts",
    "admin",
    "administrator",
    "api",
    "app",
    "assets",
    "auth",
    "autoconfig",
    "autodiscover",
    "billing",
    "blog",
    "by-host",
    "cdn",
    "console",
    "default",
    "dev",
    "dns",
    "docs",
    "ftp",
    "help",
    "host",
    "hostmaster",
    "imap",
    "info",
    "localhost",
    "login",
    "mail",
    "me",
    "media",
    "mx",
    "noreply",
    "ns",
    "ns1",
    "ns2",
    "oauth",
    "operator",
    "platform",
    "pop",
    "postmaster",
    "root",
    "security",
    "shop",
    "showrunner",
    "sign-in",
    "sign-up",
    "signin",
    "signup",
    "smtp",
    "staging",
    "static",
    "status",
    "studio",
    "support",
    "system",
    "tenant",
    "tenants",
    "test",
    "webmaster",
    "wiki",
    "www",
];

/// A tenant as it is stored and shown.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) tagline: String,
    /// The colour the owner chose; the two below are what can be read of it.
    pub(crate) accent: Option<String>,
    pub(crate) accent_dark: String,
    pub(crate) accent_light: String,
    /// A sanitised SVG.
    pub(crate) logo: Option<String>,
    pub(crate) version: i64,
}

/// Name and texts of a tenant, checked.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) title: String,
    pub(crate) tagline: String,
}

impl Texts {
    /// Checks title and tagline.
    pub(crate) fn read(title: &str, tagline: &str) -> Result<Self, Fault> {
        let (title, tagline) = (title.trim(), tagline.trim());
        if title.is_empty() || !is_line(title, TITLE_CHARS_MAX) {
            let rule = format!("give a title of 1 to {TITLE_CHARS_MAX} characters in one line");
            return Err(Fault::bad_input("tenant.title_invalid", rule.clone()).field("title", rule));
        }
        if !is_line(tagline, TAGLINE_CHARS_MAX) {
            let rule = format!("give a tagline of at most {TAGLINE_CHARS_MAX} characters in one line");
            return Err(Fault::bad_input("tenant.tagline_invalid", rule.clone()).field("tagline", rule));
        }
        Ok(Self { title: title.to_owned(), tagline: tagline.to_owned() })
    }
}

/// The accents of a tenant: the colour that was asked for, and what can be read of it on dark and on light ground.
#[derive(Debug)]
pub(crate) struct Accents {
    pub(crate) asked: Option<String>,
    pub(crate) dark: String,
    pub(crate) light: String,
}

impl Accents {
    /// Reads a colour such as `#c2410c`; none, or an empty text, gives the house's accents.
    pub(crate) fn read(accent: Option<&str>) -> Result<Self, Fault> {
        let asked = accent.map(str::trim).filter(|text| !text.is_empty());
        let asked = asked.map(|text| Colour::parse(text).ok_or_else(accent_invalid)).transpose()?;
        let (dark, light) = colour::accents(asked);
        Ok(Self { asked: asked.map(|colour| colour.to_string()), dark: dark.to_string(), light: light.to_string() })
    }
}

fn accent_invalid() -> Fault {
    let rule = "give the accent as a colour of the form #c2410c";
    Fault::bad_input("tenant.accent_invalid", rule).field("accent", rule)
}

/// Whether a text is one line of at most so many characters, without characters that hide or turn others.
fn is_line(text: &str, chars_max: usize) -> bool {
    text.chars().count() <= chars_max && !text.chars().any(is_invisible)
}

/// Control characters, and those that change the direction of what follows.
fn is_invisible(sign: char) -> bool {
    sign.is_control() || matches!(sign, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Checks a tenant's name: it is a label of a host name, so it has the label's rules.
pub(crate) fn check_name(name: &str) -> Result<(), Fault> {
    if !is_name(name) {
        let rule = "give a name of 2 to 31 characters: a–z, 0–9 and single hyphens, from a letter to a letter or digit";
        return Err(Fault::bad_input("tenant.name_invalid", rule).field("name", rule));
    }
    if RESERVED.contains(&name) {
        let rule = format!("`{name}` is kept for the platform; choose another name");
        return Err(Fault::bad_input("tenant.name_reserved", rule.clone()).field("name", rule));
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    (2..=31).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.ends_with('-')
        // Two hyphens mark encoded names of other alphabets, which can look like anybody's.
        && !name.contains("--")
}

/// Brings a host name into its one spelling: lower case, no port, no final dot.
pub(crate) fn normalise_host(host: &str) -> Result<String, Fault> {
    let host = host.trim().to_ascii_lowercase();
    let name = host.split_once(':').map_or(host.as_str(), |(name, _)| name);
    let name = name.strip_suffix('.').unwrap_or(name);
    if is_domain(name) {
        return Ok(name.to_owned());
    }
    let rule = "give the name of a domain such as `films.example.org`; an IDN in its `xn--` form";
    Err(Fault::bad_input("host.invalid", rule).field("host", rule))
}

fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    // An address in numbers is nobody's own domain, and `.localhost` names tenants by itself.
    let is_address = last.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= 253 && name.contains('.') && name.split('.').all(is_label) && !is_address && last != "localhost"
}

/// Compares the `if-match` a caller sent with the version that is stored.
pub(crate) fn check_version(if_match: Option<&str>, version: i64) -> Result<(), Fault> {
    let want = format!("\"v{version}\"");
    match if_match {
        Some(tags) if !tags.split(',').any(|tag| tag.trim() == want || tag.trim() == "*") => {
            let message = format!("somebody else has changed this; it is {want} now, read it again");
            Err(Fault::conflict("precondition_failed", message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_labels_of_a_host_name() {
        for name in ["a1", "night-shift", "abcdefghijklmnopqrstuvwxyz01234"] {
            assert!(check_name(name).is_ok(), "{name} should be allowed");
        }
        let long = "a".repeat(32);
        for name in ["", "a", "1a", "-a", "a-", "a_b", "Aa", "a.b", "xn--bcher-kva", "ä1", "a/b", "a b", long.as_str()]
        {
            assert_eq!(check_name(name).expect_err(name).code, "tenant.name_invalid");
        }
        assert_eq!(check_name("www").expect_err("reserved").code, "tenant.name_reserved");
    }

    #[test]
    fn the_reserved_words_are_sorted_names() {
        assert!(RESERVED.is_sorted());
        assert!(RESERVED.iter().all(|name| is_name(name)));
    }

    #[test]
    fn hosts_have_one_spelling() {
        for host in ["films.example.org", "Films.Example.ORG", "films.example.org.", " films.example.org:8443 "] {
            assert_eq!(normalise_host(host).expect(host), "films.example.org");
        }
        for host in [
            "",
            "films",
            "demo.localhost",
            "127.0.0.1",
            "[::1]",
            "a..b",
            "-a.org",
            "a.org/x",
            "a b.org",
            "a.org@b",
            "ä.org",
        ] {
            assert_eq!(normalise_host(host).expect_err(host).code, "host.invalid");
        }
    }

    #[test]
    fn a_version_is_compared_only_when_it_is_sent() {
        assert!(check_version(None, 3).is_ok());
        assert!(check_version(Some("\"v2\", \"v3\""), 3).is_ok());
        assert!(check_version(Some("*"), 3).is_ok());
        for tag in ["\"v2\"", "v3", "W/\"v3\"", ""] {
            assert_eq!(check_version(Some(tag), 3).expect_err(tag).status(), 412);
        }
    }

    #[test]
    fn texts_are_trimmed_and_counted_in_characters() {
        let title = "🎬".repeat(TITLE_CHARS_MAX);
        assert_eq!(Texts::read(&format!(" {title} "), "").expect("at the limit").title, title);
        assert_eq!(Texts::read(&format!("{title}x"), "").expect_err("over").code, "tenant.title_invalid");
        assert_eq!(Texts::read(" ", "").expect_err("empty").code, "tenant.title_invalid");
        assert_eq!(Texts::read("safe\u{202e}gpj", "").expect_err("turned").code, "tenant.title_invalid");
        assert_eq!(Texts::read("a", "two\nlines").expect_err("lines").code, "tenant.tagline_invalid");
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_a_label(name in "[a-z0-9-]{0,34}|\\PC{0,8}") {
            if check_name(&name).is_ok() {
                let host = format!("{name}.example.org");
                prop_assert!(is_domain(&host));
                prop_assert!(!name.starts_with("xn--") && name.starts_with(|first: char| first.is_ascii_lowercase()));
            }
        }

        #[test]
        fn normalising_a_host_twice_changes_nothing(host in "[a-zA-Z0-9.:-]{0,40}|\\PC{0,12}") {
            if let Ok(once) = normalise_host(&host) {
                prop_assert_eq!(normalise_host(&once).expect("it was accepted"), once);
            }
        }
    }
}
