//! Signature version 4 of AWS, for requests of one header set without a query: enough for SQS, and nothing else.

use callboard::Secret;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// What a process may sign with.
#[derive(Clone)]
pub struct Keys {
    /// The public half.
    pub id: String,
    /// The secret half.
    pub secret: Secret<String>,
    /// What says that both are lent for a while.
    pub token: Option<Secret<String>>,
}

/// What is signed.
pub(super) struct Signed<'a> {
    /// Such as `20260101T000000Z`.
    pub(super) time: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// Names in lower case, sorted.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

/// The `Authorization` of a POST to `/`.
pub(super) fn authorization(keys: &Keys, signed: &Signed<'_>) -> String {
    let Signed { time, region, service, headers, body } = signed;
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let request = format!("POST\n/\n\n{lines}\n{names}\n{}", hex(&Sha256::digest(body)));
    let day = time.get(..8).unwrap_or_default();
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(request)));
    let first = format!("AWS4{}", keys.secret.expose());
    let key = [day, region, service, "aws4_request"].iter().fold(first.into_bytes(), |key, part| mac(&key, part));
    let signature = hex(&mac(&key, &text));
    format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", keys.id)
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text can be written into memory");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `post-vanilla` of the test suite that AWS published for this signature.
    #[test]
    fn it_signs_as_the_published_example_does() {
        let keys = Keys {
            id: "AKIDEXAMPLE".into(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()),
            token: None,
        };
        let signed = Signed {
            time: "20150830T123600Z",
            region: "us-east-1",
            service: "service",
            headers: &[("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")],
            body: b"",
        };
        assert_eq!(
            authorization(&keys, &signed),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
    }
}
