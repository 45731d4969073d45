//! The signature of a webhook, `Stripe-Signature: t=…,v1=…`: HMAC-SHA256 over the time and the body. Old ones are refused, so
//! that one that was overheard is worth nothing later.

use callboard::Fault;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Oldest and newest that is taken, in seconds from now.
pub const TOLERANCE_S: i64 = 300;

fn mac(secret: &str, time_s: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("{time_s}.").as_bytes());
    mac.update(body);
    mac
}

/// The header for a body that is sent at a time.
pub fn sign(secret: &str, time_s: i64, body: &[u8]) -> String {
    format!("t={time_s},v1={:x}", mac(secret, time_s, body).finalize().into_bytes())
}

/// Checks the header of a body. While a secret is changed, there may be several signatures: one must be right.
///
/// # Errors
/// `webhook.signature`, `webhook.expired`
pub fn check(secret: &str, header: &str, body: &[u8], now_s: i64) -> Result<(), Fault> {
    let forged = || Fault::bad_input("webhook.signature", "this webhook is not signed with the channel's secret");
    let fields = || header.split(',').filter_map(|field| field.trim().split_once('='));
    let mut times = fields().filter(|(name, _)| *name == "t").map(|(_, value)| value);
    let (Some(time), None) = (times.next(), times.next()) else { return Err(forged()) };
    let time_s: i64 = time.parse().map_err(|_| forged())?;
    let signatures = fields().filter(|(name, _)| *name == "v1").filter_map(|(_, value)| bytes(value));
    // Every one is compared in full, in a time that says nothing about it.
    let count = signatures.filter(|have| mac(secret, time_s, body).verify_slice(have).is_ok()).count();
    if count == 0 || secret.is_empty() {
        return Err(forged());
    }
    if now_s.abs_diff(time_s) > TOLERANCE_S.unsigned_abs() {
        return Err(Fault::bad_input("webhook.expired", "this webhook was signed too long ago; send it anew"));
    }
    Ok(())
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || hex.len() != 64 {
        return None;
    }
    (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BODY: &[u8] = b"{\"id\":\"evt_1\"}";

    #[test]
    fn a_signature_is_that_of_the_documentation() {
        // HMAC-SHA256 of `1700000000.{"id":"evt_1"}` under `whsec_test`, from openssl.
        let want = "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925";
        assert_eq!(sign("whsec_test", 1_700_000_000, BODY), want);
    }

    #[test]
    fn only_the_right_secret_body_and_time_are_taken() {
        let header = sign("secret", 1_000, BODY);
        assert!(check("secret", &header, BODY, 1_000).is_ok());
        assert!(check("secret", &header, BODY, 1_000 + TOLERANCE_S).is_ok());
        assert_eq!(check("secret", &header, BODY, 1_001 + TOLERANCE_S).expect_err("old").code, "webhook.expired");
        assert_eq!(
            check("secret", &header, BODY, 999 - TOLERANCE_S).expect_err("from the future").code,
            "webhook.expired"
        );
        for (secret, header, body) in [
            ("other", header.as_str(), BODY),
            ("", sign("", 1_000, BODY).as_str(), BODY),
            ("secret", header.as_str(), &b"{}"[..]),
            ("secret", header.replace("t=1000", "t=1001").as_str(), BODY),
            ("secret", &format!("t=1001,{header}"), BODY),
            ("secret", "t=1000", BODY),
            ("secret", "", BODY),
            ("secret", &header.replace("v1=", "v0="), BODY),
        ] {
            assert_eq!(check(secret, header, body, 1_000).expect_err(header).code, "webhook.signature", "{header}");
        }
    }

    #[test]
    fn while_a_secret_is_changed_one_of_two_signatures_is_enough() {
        let (old, new) = (sign("old", 1_000, BODY), sign("new", 1_000, BODY));
        let both = format!("{old},{}", new.split_once(',').expect("two fields").1);
        assert!(check("old", &both, BODY, 1_000).is_ok() && check("new", &both, BODY, 1_000).is_ok());
    }

    proptest! {
        #[test]
        fn no_header_panics_and_none_is_guessed(header in "(t=[0-9-]{0,6},?|v1=[0-9a-f]{0,66},?|\\PC{0,4}){0,4}") {
            prop_assert!(check("secret", &header, BODY, 1_000).is_err());
        }
    }
}
