//! Passwords: read without ever being printed, judged, hashed with argon2id and compared.

use crate::email::Email;
use argon2::password_hash::Error;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use callboard::{Env, Fault, Secret};
use schemars::JsonSchema;
use serde::de::{Deserialize, Deserializer, Visitor};
use sha2::{Digest, Sha256};
use std::fmt;
use std::ops::RangeInclusive;

/// Length of a password in characters.
const CHARS: RangeInclusive<usize> = 10..=128;
/// Parameters of OWASP's password storage cheat sheet: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Bytes of a salt: characters of a token, six random bits each.
const SALT_BYTES: usize = 22;
/// Characters of a generated password, none of which looks like another.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";

/// A password somebody typed.
#[derive(Clone, Debug, JsonSchema)]
pub(crate) struct Password(Secret<String>);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for a text, a format would refuse a number by itself, and quote it.
        deserializer.deserialize_any(Typed)
    }
}

/// Reads a text. Other values are refused by hand, because the usual error would quote them.
struct Typed;

impl Visitor<'_> for Typed {
    type Value = Password;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a password as text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Password, E> {
        Ok(Password(Secret::new(text.to_owned())))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Password, E> {
        Err(E::custom("a password is a text"))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Password, E> {
        self.visit_bool(false)
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Password, E> {
        self.visit_bool(false)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Password, E> {
        self.visit_bool(false)
    }
}

impl Password {
    /// A new password of 100 random bits, in groups that can be read out.
    pub(crate) fn generate(env: &Env) -> Self {
        let random = Sha256::digest(env.token().expose());
        let signs: Vec<char> =
            random.iter().take(20).map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
        let groups: Vec<String> = signs.chunks(5).map(String::from_iter).collect();
        Self(Secret::new(groups.join("-")))
    }

    /// The text, for the one answer that tells a generated password.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Judges a password that somebody wants to have.
    ///
    /// # Errors
    /// `password.length`, `password.guessable`; both name the field.
    pub(crate) fn check(&self, field: &'static str, email: &Email, name: &str) -> Result<(), Fault> {
        let text = self.expose();
        if !CHARS.contains(&text.chars().count()) {
            let rule = format!("give a password of {} to {} characters", CHARS.start(), CHARS.end());
            return Err(Fault::bad_input("password.length", rule.clone()).field(field, rule));
        }
        let plain = text.trim().to_lowercase();
        let is_repeated = text.chars().all(|sign| text.starts_with(sign));
        if is_repeated || [email.as_str(), email.local(), &name.to_lowercase()].contains(&plain.as_str()) {
            let rule = "choose a password that is not your address, your name or one character repeated";
            return Err(Fault::bad_input("password.guessable", rule).field(field, rule));
        }
        Ok(())
    }

    /// Hashes the password with a new salt, as a PHC string.
    ///
    /// # Errors
    /// A bug fault where argon2 fails.
    pub(crate) async fn hash(&self, env: &Env) -> Result<String, Fault> {
        let (password, token) = (self.clone(), env.token());
        let hashed = env.compute(move || {
            let salt = &token.expose().as_bytes()[..SALT_BYTES];
            argon2().hash_password_with_salt(password.expose().as_bytes(), salt).map(|hash| hash.to_string())
        });
        hashed.await?.map_err(|error| failed(&error))
    }

    /// Whether this is the password behind a hash. Without one it takes as long and says no, so the time of an answer
    /// does not tell whether there is an account.
    ///
    /// # Errors
    /// A bug fault where the hash cannot be read or argon2 fails.
    pub(crate) async fn matches(&self, env: &Env, hash: Option<&str>) -> Result<bool, Fault> {
        let (password, hash) = (self.clone(), hash.map(str::to_owned));
        let compared = env.compute(move || match hash {
            Some(hash) => argon2().verify_password(password.expose().as_bytes(), hash.as_str()),
            None => {
                let hash = argon2().hash_password_with_salt(password.expose().as_bytes(), &[0; SALT_BYTES])?;
                std::hint::black_box(hash);
                Err(Error::PasswordInvalid)
            }
        });
        match compared.await? {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(failed(&error)),
        }
    }
}

fn failed(error: &Error) -> Fault {
    Fault::bug(format!("argon2: {error}"))
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are within argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn password(text: &str) -> Password {
        Password(Secret::new(text.to_owned()))
    }

    #[test]
    fn nothing_prints_a_password() {
        let read: Password = serde_json::from_value(json!("correct horse")).expect("a text");
        assert_eq!(read.expose(), "correct horse");
        assert!(!format!("{read:?} {read:#?}").contains("horse"));
        for value in
            [json!(1234567890123_u64), json!(-1234567890123_i64), json!(1234567890.125), json!([1234567890123_u64])]
        {
            let error = serde_json::from_value::<Password>(value).expect_err("not a text").to_string();
            assert!(!error.contains("1234567890"), "{error}");
        }
    }

    #[test]
    fn a_password_has_a_length_and_is_not_what_everybody_knows() {
        let email = Email::parse("ana.maria.lopez@example.org").expect("an address");
        let code = |text: &str| password(text).check("password", &email, "Ana Maria López").map_err(|fault| fault.code);
        assert_eq!(code("ten chars!"), Ok(()));
        assert_eq!(code(&"🔑x".repeat(64)), Ok(()));
        assert_eq!(code("nine char"), Err("password.length"));
        assert_eq!(code(&"ab".repeat(65)), Err("password.length"));
        for known in ["ANA.maria.lopez@example.org", "ana.maria.lopez", " Ana Maria LÓPEZ", "aaaaaaaaaaaa"] {
            assert_eq!(code(known), Err("password.guessable"), "{known}");
        }
    }

    #[test]
    fn hashes_say_how_they_were_made() {
        let hash = argon2().hash_password_with_salt(b"correct horse", &[7; SALT_BYTES]).expect("a hash").to_string();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(argon2().verify_password(b"correct horse", hash.as_str()), Ok(()));
        assert_eq!(argon2().verify_password(b"correct house", hash.as_str()), Err(Error::PasswordInvalid));
    }
}
