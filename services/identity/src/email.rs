//! Addresses of people: one spelling for one address, so nobody has two accounts by writing a letter large.

use callboard::Fault;

/// Longest address, in bytes: what SMTP can carry.
const EMAIL_BYTES_MAX: usize = 254;

/// An address in its one spelling: trimmed and in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Email(String);

impl Email {
    /// Reads an address; none where it cannot be one. Only ASCII: international domains in their `xn--` form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let (local, domain) = text.split_once('@')?;
        let is_email = text.len() <= EMAIL_BYTES_MAX && is_local(local) && is_domain(domain);
        is_email.then_some(Self(text))
    }

    /// Reads an address that somebody wants to have an account with.
    ///
    /// # Errors
    /// `account.email_invalid`.
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        let rule = "give an e-mail address such as `ana@example.org`";
        Self::parse(text).ok_or_else(|| Fault::bad_input("account.email_invalid", rule).field("email", rule))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`.
    pub(crate) fn local(&self) -> &str {
        self.0.split_once('@').map_or("", |(local, _)| local)
    }
}

fn is_local(local: &str) -> bool {
    let is_atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte);
    local.len() <= 64 && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom))
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_has_one_spelling() {
        for text in ["ana.lopez+tv@example.org", " Ana.Lopez+TV@Example.ORG\t"] {
            assert_eq!(Email::parse(text).expect(text).as_str(), "ana.lopez+tv@example.org");
        }
        assert_eq!(Email::parse("owner@localhost").expect("a domain of one label").local(), "owner");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@{}.org", "a".repeat(64), "b".repeat(63).as_str());
        assert!(Email::parse(&long).is_some());
        let local = format!("{}@b.org", "a".repeat(65));
        let whole = format!("a@{}", ["b".repeat(63), "c".repeat(63), "d".repeat(63), "e".repeat(63)].join("."));
        for text in [
            "",
            "@",
            "a@",
            "@b",
            "ana",
            "a@b@c",
            "a b@c",
            "a@b c",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a@.b",
            "a@b.",
            "a@b..c",
            "a@-b",
            "a@b-",
            "a@b_c",
            "\"a\"@b",
            "ä@b",
            "a@ä.org",
            "a@b\r\nbcc: c@d",
            "a\0@b",
            "<a@b>",
            &local,
            &whole,
        ] {
            assert_eq!(Email::parse(text), None, "{text} should be refused");
        }
    }

    proptest! {
        #[test]
        fn reading_twice_changes_nothing(text in "[ a-zA-Z0-9.+@-]{0,30}|\\PC{0,20}|[A-Za-z]{1,8}@[A-Za-z]{1,8}\\.[a-z]{2,3}") {
            if let Some(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Some(email.clone()));
                prop_assert_eq!(Email::parse(&text.to_ascii_uppercase()), Some(email.clone()));
                prop_assert_eq!(email.as_str().matches('@').count(), 1);
                prop_assert!(email.as_str().len() <= EMAIL_BYTES_MAX);
                prop_assert!(email.as_str().bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
            }
        }
    }
}
