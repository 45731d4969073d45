//! Signatures of AWS, version 4, as a server checks them: who signed a request, and whether it is the one that was signed.

use hmac::{Hmac, Mac};
use hyper::HeaderMap;
use hyper::header::HeaderName;
use hyper::http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far the clock of whoever signs may be off.
const SKEW_MS_MAX: i64 = 15 * 60_000;
/// What stays as it is in a path or a query.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsigned {
    /// There is none, or it cannot be read.
    Missing,
    /// It is of a key that nobody has.
    UnknownKey,
    /// It is too old, or from the future.
    Expired,
    /// It leaves out a header that says what to do.
    Partial,
    /// It is of another request, or of another secret.
    Wrong,
}

/// What the header says.
pub(super) struct Claim<'a> {
    /// Id of the key.
    pub(super) key: &'a str,
    day: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    headers: Vec<&'a str>,
    signature: Vec<u8>,
}

/// Reads what a request says of its signature, before anything of its body is taken.
///
/// # Errors
/// Why it cannot count, whatever the body is.
pub(super) fn claim<'a>(parts: &'a Parts, service: &str, now_ms: i64) -> Result<Claim<'a>, Unsigned> {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let (header, date) = text("authorization").zip(text("x-amz-date")).ok_or(Unsigned::Missing)?;
    let claim = read(header, date).ok_or(Unsigned::Missing)?;
    let signed_ms = read_date(date).ok_or(Unsigned::Missing)?;
    if claim.service != service || !date.starts_with(claim.day) {
        return Err(Unsigned::Wrong);
    }
    if !["host", "x-amz-date"].iter().all(|name| claim.headers.contains(name)) {
        return Err(Unsigned::Missing);
    }
    // Whoever hears a request could otherwise send it again as another kind of invocation.
    let mut own = parts.headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    if own.any(|name| !claim.headers.contains(&name)) {
        return Err(Unsigned::Partial);
    }
    if (now_ms - signed_ms).abs() > SKEW_MS_MAX {
        return Err(Unsigned::Expired);
    }
    Ok(claim)
}

impl Claim<'_> {
    /// Checks that the request is the one that was signed, with this secret.
    ///
    /// # Errors
    /// That it is not.
    pub(super) fn check(&self, parts: &Parts, body: &[u8], secret: &str) -> Result<(), Unsigned> {
        let Self { day, date, region, service, headers, signature, .. } = self;
        let request = canonical(parts, headers, body).ok_or(Unsigned::Wrong)?;
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n{}", hex(&Sha256::digest(request.as_bytes())));
        let mut key = sign(format!("AWS4{secret}").as_bytes(), day).finalize().into_bytes();
        for part in [region, service, "aws4_request"] {
            key = sign(&key, part).finalize().into_bytes();
        }
        sign(&key, &to_sign).verify_slice(signature).map_err(|_| Unsigned::Wrong)
    }
}

fn sign(key: &[u8], text: &str) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}

/// `AWS4-HMAC-SHA256 Credential=ID/DAY/REGION/SERVICE/aws4_request, SignedHeaders=a;b, Signature=…`
fn read<'a>(header: &'a str, date: &'a str) -> Option<Claim<'a>> {
    let rest = header.strip_prefix(ALGORITHM)?.trim_start();
    let fields: Vec<(&str, &str)> = rest.split(',').filter_map(|field| field.trim().split_once('=')).collect();
    let field = |name: &str| fields.iter().find(|(have, _)| *have == name).map(|(_, value)| *value);
    let credential: Vec<&str> = field("Credential")?.split('/').collect();
    let [key, day, region, service, "aws4_request"] = credential.as_slice() else { return None };
    let headers = field("SignedHeaders")?.split(';').collect();
    Some(Claim { key, day, date, region, service, headers, signature: bytes_of(field("Signature")?)? })
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `20150830T123600Z` in Unix milliseconds.
fn read_date(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let shape = bytes.iter().enumerate().all(|(at, byte)| match at {
        8 => *byte == b'T',
        15 => *byte == b'Z',
        _ => byte.is_ascii_digit(),
    });
    if !shape || bytes.len() != 16 {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    // Days since 1970, with years that begin in March.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 306 + 5) / 10 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000)
}

/// The request as it is signed.
fn canonical(parts: &Parts, names: &[&str], body: &[u8]) -> Option<String> {
    let path = match parts.uri.path() {
        "" => "/",
        path => path,
    };
    let headers: String =
        names.iter().map(|name| Some(format!("{name}:{}\n", values(&parts.headers, name)?))).collect::<Option<_>>()?;
    Some(format!(
        "{}\n{}\n{}\n{headers}\n{}\n{}",
        parts.method,
        utf8_percent_encode(path, PATH),
        query(parts.uri.query().unwrap_or_default()),
        names.join(";"),
        hex(&Sha256::digest(body))
    ))
}

fn values(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter().map(|value| Some(squeezed(value.to_str().ok()?)));
    let first = values.next()??;
    values.try_fold(first, |all, value| Some(format!("{all},{}", value?)))
}

fn squeezed(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn query(text: &str) -> String {
    let encode = |part: &str| {
        let plain = percent_decode_str(part).collect::<Vec<u8>>();
        percent_encoding::percent_encode(&plain, UNRESERVED).to_string()
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut pairs: Vec<String> = pairs.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.sort();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    /// The example `get-vanilla-query-order-key-case` of the test suite that AWS publishes, and `post-vanilla`.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const NOW_MS: i64 = 1_440_938_160_000;

    fn parts(method: &str, target: &str, signature: &str) -> Parts {
        let header = format!(
            "{ALGORITHM} Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        let request = Request::builder().method(method).uri(target).header("host", "example.amazonaws.com");
        let request = request.header("x-amz-date", "20150830T123600Z").header("authorization", header);
        request.body(()).expect("a request").into_parts().0
    }

    fn checked(parts: &Parts, body: &[u8], now_ms: i64) -> Result<String, Unsigned> {
        let claim = claim(parts, "service", now_ms)?;
        claim.check(parts, body, SECRET)?;
        Ok(claim.key.to_owned())
    }

    const VANILLA: &str = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
    const POST: &str = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
    const ORDERED: &str = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";

    #[test]
    fn the_examples_of_aws_count() {
        assert_eq!(POST.len(), 64);
        assert_eq!(checked(&parts("POST", "/", VANILLA), b"", NOW_MS), Ok("AKIDEXAMPLE".to_owned()));
        let query = "/?Param2=value2&Param1=value1";
        assert_eq!(checked(&parts("GET", query, ORDERED), b"", NOW_MS), Ok("AKIDEXAMPLE".to_owned()));
    }

    #[test]
    fn what_differs_in_anything_does_not_count() {
        for (parts, body, now_ms, want) in [
            (parts("PUT", "/", VANILLA), &b""[..], NOW_MS, Unsigned::Wrong),
            (parts("POST", "/a", VANILLA), b"", NOW_MS, Unsigned::Wrong),
            (parts("POST", "/", VANILLA), b"x", NOW_MS, Unsigned::Wrong),
            (parts("POST", "/", &VANILLA.replace('5', "6")), b"", NOW_MS, Unsigned::Wrong),
            (parts("POST", "/", VANILLA), b"", NOW_MS + SKEW_MS_MAX + 1, Unsigned::Expired),
            (parts("POST", "/", "no"), b"", NOW_MS, Unsigned::Missing),
        ] {
            assert_eq!(checked(&parts, body, now_ms), Err(want), "{parts:?}");
        }
        assert_eq!(claim(&parts("POST", "/", VANILLA), "lambda", NOW_MS).err(), Some(Unsigned::Wrong));
        let mut more = parts("POST", "/", VANILLA);
        more.headers.insert("x-amz-invocation-type", "Event".parse().expect("a value"));
        assert_eq!(checked(&more, b"", NOW_MS), Err(Unsigned::Partial));
    }

    #[test]
    fn dates_are_read_and_nonsense_is_not() {
        assert_eq!(read_date("20150830T123600Z"), Some(NOW_MS));
        assert_eq!(read_date("20240229T000000Z"), Some(1_709_164_800_000));
        for text in ["", "2015-08-30T12:36", "20150830T123600", "20150830T12360Zx"] {
            assert_eq!(read_date(text), None, "{text}");
        }
    }
}
