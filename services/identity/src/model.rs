//! What an account, a role and a member are, and the rules of names and versions.

use callboard::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Longest name of a person, in characters.
const NAME_CHARS_MAX: usize = 60;

/// What somebody may do in a tenant; each role includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Viewer,
    Editor,
    Owner,
}

impl Role {
    const ALL: [Self; 3] = [Self::Viewer, Self::Editor, Self::Owner];

    /// The role as it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }

    /// This role and those it includes.
    pub(crate) fn included(self) -> &'static [Self] {
        match self {
            Self::Viewer => &Self::ALL[..1],
            Self::Editor => &Self::ALL[..2],
            Self::Owner => &Self::ALL,
        }
    }
}

/// An account as it is stored. It holds the password's hash, so it is neither printed nor sent.
#[derive(Deserialize)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) role: Role,
    pub(crate) version: i64,
    pub(crate) created_ms: i64,
}

/// Somebody who has signed in, as they are told.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) roles: &'static [Role],
}

impl Account {
    /// What the account's own person is told on signing in.
    pub(crate) fn person(&self) -> Person {
        Person { id: self.id.clone(), name: self.name.clone(), roles: self.role.included() }
    }

    /// What an owner sees.
    pub(crate) fn member(self) -> Member {
        let Self { id, email, name, role, version, created_ms, .. } = self;
        Member { id, email, name, role, version, created_ms }
    }
}

/// An account as an owner sees it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) version: i64,
    pub(crate) created_ms: i64,
}

/// Reads a person's name: one line, trimmed, without characters that hide or turn others.
pub(crate) fn read_name(name: &str) -> Result<String, Fault> {
    let name = name.trim();
    let is_allowed = (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(is_invisible);
    if is_allowed {
        return Ok(name.to_owned());
    }
    let rule = format!("give a name of 1 to {NAME_CHARS_MAX} characters in one line");
    Err(Fault::bad_input("account.name_invalid", rule.clone()).field("name", rule))
}

/// Control characters, and those that change the direction of what follows.
fn is_invisible(sign: char) -> bool {
    sign.is_control() || matches!(sign, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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

/// SHA-256 of a text, in hexadecimal digits.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_include_those_below() {
        assert_eq!(Role::Viewer.included(), [Role::Viewer]);
        assert_eq!(Role::Editor.included(), [Role::Viewer, Role::Editor]);
        assert_eq!(Role::Owner.included(), [Role::Viewer, Role::Editor, Role::Owner]);
    }

    #[test]
    fn names_are_trimmed_and_counted_in_characters() {
        let name = "ä".repeat(NAME_CHARS_MAX);
        assert_eq!(read_name(&format!("  {name} ")).expect("at the limit"), name);
        assert_eq!(read_name("<script>").expect("only text"), "<script>");
        for wrong in ["", "  ", "two\nlines", "nul\0", "turned\u{202e}", &format!("{name}x")] {
            assert_eq!(read_name(wrong).expect_err(wrong).code, "account.name_invalid");
        }
    }

    #[test]
    fn a_digest_is_the_standard_one() {
        assert_eq!(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
