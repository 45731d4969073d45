//! The keys of whoever invokes functions: an id, a secret, and the tenant that a key is of. It does not check signatures.

use callboard::{Fault, Secret, Tenant};
use std::collections::BTreeMap;

/// Shortest secret, in characters.
const SECRET_CHARS_MIN: usize = 16;

/// Who may invoke, by the ids of their keys.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: BTreeMap<String, Key>,
}

/// What belongs to the id of a key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) secret: Secret<String>,
    /// Where it acts and nowhere else; none where it is the operator's.
    pub(super) tenant: Option<Tenant>,
}

impl Keys {
    /// Reads `ID:SECRET,ID:SECRET@TENANT`. No secret that AWS gives has an `@`.
    ///
    /// # Errors
    /// `settings` where there is none, one is not of this form, or two have one id.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut keys = BTreeMap::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (id, key) = read(pair).map_err(wrong)?;
            if keys.insert(id.to_owned(), key).is_some() {
                return Err(wrong(format!("has two keys `{id}`, and a key is of one tenant")));
            }
        }
        if keys.is_empty() {
            Err(wrong("has no key, so nobody could invoke anything".to_owned()))
        } else {
            Ok(Self { keys })
        }
    }

    /// The keys that are of a tenant: the id of each and its tenant.
    pub fn tenants(&self) -> impl Iterator<Item = (&str, &Tenant)> {
        self.keys.iter().filter_map(|(id, key)| Some((id.as_str(), key.tenant.as_ref()?)))
    }

    pub(super) fn find(&self, id: &str) -> Option<&Key> {
        self.keys.get(id)
    }
}

fn read(pair: &str) -> Result<(&str, Key), String> {
    let (id, rest) = pair.split_once(':').ok_or("has a key without a secret")?;
    let (secret, tenant) = rest.split_once('@').map_or((rest, None), |(secret, tenant)| (secret, Some(tenant)));
    if id.is_empty() || secret.len() < SECRET_CHARS_MIN {
        return Err(format!("has a key without an id, or a secret of less than {SECRET_CHARS_MIN} characters"));
    }
    if tenant.is_some_and(|tenant| !is_name(tenant)) {
        return Err(format!("has a key `{id}` with an `@` that no name of a tenant follows"));
    }
    Ok((id, Key { secret: Secret::new(secret.to_owned()), tenant: tenant.map(Tenant::new) }))
}

fn is_name(tenant: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !tenant.is_empty() && tenant.bytes().all(is_part)
}

fn wrong(what: String) -> Fault {
    Fault::bad_input(
        "settings",
        format!("invoke_keys {what}; write ID:SECRET or ID:SECRET@TENANT, separated by commas"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKE=";

    #[test]
    fn a_key_is_of_the_tenant_behind_its_secret() {
        let keys = Keys::parse(&format!("desk:{SECRET}, crew:{SECRET}@harbour,")).expect("keys");
        let of = |id: &str| keys.find(id).map(|key| (key.secret.expose().as_str(), key.tenant.clone()));
        assert_eq!(of("desk"), Some((SECRET, None)));
        assert_eq!(of("crew"), Some((SECRET, Some(Tenant::new("harbour")))));
        assert_eq!(of("harbour"), None);
        assert_eq!(keys.tenants().collect::<Vec<_>>(), [("crew", &Tenant::new("harbour"))]);
    }

    #[test]
    fn a_key_that_cannot_be_is_refused_with_what_to_write_and_without_its_secret() {
        for (text, rule) in [
            (String::new(), "has no key"),
            (SECRET.to_owned(), "has a key without a secret"),
            (format!(":{SECRET}"), "has a key without an id"),
            ("crew:short@harbour".to_owned(), "a secret of less than 16 characters"),
            (format!("crew:{SECRET}@"), "has a key `crew` with an `@` that no name of a tenant follows"),
            (format!("crew:{SECRET}@My Channel"), "has a key `crew` with an `@`"),
            (format!("crew:{SECRET}@{SECRET}"), "has a key `crew` with an `@`"),
            (format!("crew:{SECRET}@harbour,crew:{SECRET}@valley"), "has two keys `crew`, and a key is of one tenant"),
            (format!("crew:{SECRET}@harbour,crew:{SECRET}"), "has two keys `crew`"),
        ] {
            let fault = Keys::parse(&text).expect_err(rule);
            assert!(fault.code == "settings" && fault.message.contains(rule), "{fault}");
            assert!(fault.message.ends_with("; write ID:SECRET or ID:SECRET@TENANT, separated by commas"), "{fault}");
            assert!(!fault.message.contains(SECRET), "{fault}");
        }
    }
}
