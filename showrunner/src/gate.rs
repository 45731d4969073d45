//! The handlers before every function, in their order, as the settings have them.

use crate::settings::Settings;
use callboard::{Fault, HostBuilder};
use callboard_handlers::{
    ApiKeys, Authenticate, Conditions, Idempotency, KeySource, Rate, RateLimit, Rates, TokenRules, Tokens, Tracing,
};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Puts the handlers before a host. This is the order of everything that happens to a message from outside, and why it is this one:
///
/// 1. `Tracing`: to which trace it belongs, so that everything behind stands in it. Then `Tokens`, `ApiKeys`, `Authenticate`: who
///    acts. Early, because everything behind depends on it; a credential that proves
///    nothing leaves nobody, who is then limited as a stranger. Each takes only credentials of its own kind.
/// 2. `RateLimit`: how often. Before anything that reads records for the caller, so that refusing costs next to nothing.
/// 3. `Idempotency`: the key of a message that may come again. Behind 1, because a key belongs to its sender.
/// 4. `Conditions`: `If-Match`. Behind 3, because what came before changed the version itself.
/// 5. The policy, the size of the body, its schema: in the host, for every call, also between services.
/// 6. The function; then its effects, all or nothing.
///
/// # Errors
/// What is wrong with the settings of tokens.
pub(crate) fn handlers(builder: HostBuilder, settings: &Settings) -> Result<HostBuilder, Fault> {
    let builder = traced_with_tokens(builder, settings)?.handler(ApiKeys::new()).handler(Authenticate::new());
    Ok(limited(builder, settings))
}

/// The same where functions run by themselves: there are no accounts and no keys of programs, so only tokens say who acts.
///
/// # Errors
/// As for [`handlers`].
pub(crate) fn handlers_without_accounts(builder: HostBuilder, settings: &Settings) -> Result<HostBuilder, Fault> {
    Ok(limited(traced_with_tokens(builder, settings)?, settings))
}

fn traced_with_tokens(builder: HostBuilder, settings: &Settings) -> Result<HostBuilder, Fault> {
    let builder = builder.handler(Tracing);
    Ok(match tokens(settings)? {
        Some(tokens) => builder.handler(tokens),
        None => builder,
    })
}

fn limited(builder: HostBuilder, settings: &Settings) -> HostBuilder {
    builder.handler(RateLimit::new(rates(settings))).handler(Idempotency).handler(Conditions)
}

fn rates(settings: &Settings) -> Rates {
    let rate = |name| Rate::per_minute(settings.get(name).parse().expect("numbers are checked when settings are read"));
    Rates {
        tenant: rate("limits.tenant_per_minute"),
        person: rate("limits.person_per_minute"),
        address: rate("limits.address_per_minute"),
        secrets: rate("limits.secrets_per_minute"),
    }
}

/// Tokens of another issuer, where its keys are set.
fn tokens(settings: &Settings) -> Result<Option<Tokens>, Fault> {
    let name = settings.get("tokens.keys");
    if name.is_empty() {
        return Ok(None);
    }
    let file = settings.beside(name);
    let wrong =
        |what: String| Fault::bad_input("settings", format!("the keys of tokens in {}: {what}", file.display()));
    let keys = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
    let listed = |name, default: &str| {
        let text = Some(settings.get(name)).filter(|text| !text.is_empty()).unwrap_or(default);
        text.split(',').map(|name| name.trim().to_owned()).collect()
    };
    let number = |name| settings.get(name).parse().expect("numbers are checked when settings are read");
    let rules = TokenRules {
        issuer: settings.get("tokens.issuer").to_owned(),
        audience: settings.get("tokens.audience").to_owned(),
        algorithms: settings.get("tokens.algorithms").split(',').map(|name| name.trim().to_owned()).collect(),
        tenants: listed("tokens.tenants", settings.get("tenant")),
        roles: read_roles(settings.get("tokens.roles")).map_err(|what| Fault::bad_input("settings", what))?,
        leeway_s: number("tokens.leeway_s"),
        age_max_s: number("tokens.age_max_s"),
    };
    let tokens = Tokens::new(&keys, rules).map_err(wrong)?;
    Ok(Some(tokens.renewed_from(changes_of(file))))
}

/// What a file has to say whenever it was written since the last look.
fn changes_of(file: PathBuf) -> KeySource {
    let written = |file: &Path| std::fs::metadata(file).and_then(|about| about.modified());
    let last = Mutex::new(written(&file).ok());
    Box::new(move || {
        let now = written(&file).ok();
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        (*last != now).then(|| {
            *last = now;
            std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))
        })
    })
}

/// Roles of another issuer and what each is here: `staff=editor,staff=viewer`.
///
/// # Errors
/// What to write instead.
pub(crate) fn read_roles(text: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let read = |pair: &str| match pair.split_once('=').map(|(theirs, ours)| (theirs.trim(), ours.trim())) {
        Some((theirs, ours)) if !theirs.is_empty() && ["viewer", "editor", "owner"].contains(&ours) => {
            Ok((theirs.to_owned(), ours.to_owned()))
        }
        _ => Err(format!(
            "`{pair}`: write a role of the issuer and one of viewer, editor and owner, such as `staff=editor`"
        )),
    };
    pairs.map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn read(file: &str, keys: Option<&str>) -> Result<Option<Tokens>, Fault> {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = folder.path().join("showrunner.toml");
        std::fs::write(&path, file).expect("a settings file");
        keys.into_iter().for_each(|keys| std::fs::write(folder.path().join("keys.json"), keys).expect("keys"));
        tokens(&Settings::load(&HashMap::new(), &HashMap::new(), Some(&path), &[])?)
    }

    #[test]
    fn keys_of_tokens_stand_beside_the_settings_and_what_is_wrong_is_told_with_the_file() {
        let key = r#"{"keys": [{"kty": "oct", "kid": "a", "k": "c2VjcmV0"}]}"#;
        let whole =
            "[tokens]\nkeys = 'keys.json'\nissuer = 'https://id.example.org'\naudience = 'films'\nalgorithms = 'HS256'";
        assert!(read("", None).is_ok_and(|tokens| tokens.is_none()), "nobody is believed unless somebody is set");
        assert!(read(whole, Some(key)).is_ok_and(|tokens| tokens.is_some()));
        for (file, keys, part) in [
            (whole, None, "keys.json: No such file"),
            (whole, Some("{}"), "no JSON Web Key Set"),
            (&whole.replace("HS256", "ES256"), Some(key), "none of them is for ES256"),
            ("[tokens]\nkeys = 'keys.json'", Some(key), "name the issuer and the audience"),
            ("[tokens]\nleeway_s = 'long'", None, "write 0 to 31536000 seconds"),
            (&format!("{whole}\nroles = 'staff=king'"), Some(key), "`staff=king`: write a role of the issuer"),
            ("[limits]\nperson_per_minute = 'many'", None, "such as `1200`"),
        ] {
            let fault = read(file, keys).err().expect(part);
            assert!(fault.code == "settings" && fault.message.contains(part), "{fault}");
        }
    }

    #[test]
    fn a_file_of_keys_that_was_written_anew_is_read_again() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let file = folder.path().join("keys.json");
        std::fs::write(&file, "one").expect("keys");
        let changes = changes_of(file.clone());
        assert_eq!(changes(), None, "they were read at the start");
        let written = std::fs::metadata(&file).and_then(|about| about.modified()).expect("a time");
        let later = written + std::time::Duration::from_secs(1);
        std::fs::write(&file, "two").expect("keys");
        std::fs::File::options()
            .write(true)
            .open(&file)
            .and_then(|file| file.set_modified(later))
            .expect("a later time");
        assert_eq!(changes(), Some(Ok("two".to_owned())));
        assert_eq!(changes(), None);
        std::fs::remove_file(&file).expect("removed");
        assert!(changes().is_some_and(|told| told.is_err()), "that they are gone is told");
    }
}
