//! Files that are part of the program: scripts, styles, fonts, icons. Held in memory, compressed when they were built.

use super::body::Body;
use super::conditions::Conditions;
use super::headers;
use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue, VARY};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode};
use std::collections::HashMap;

/// One file.
#[derive(Clone, Debug)]
pub struct Asset {
    media_type: HeaderValue,
    plain: Bytes,
    br: Option<Bytes>,
    gzip: Option<Bytes>,
    etag: HeaderValue,
}

impl Asset {
    /// A file of a media type, as it is.
    ///
    /// # Panics
    /// Where the media type cannot stand in a header.
    pub fn new(media_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        let plain = bytes.into();
        let etag = format!("\"{}\"", &blake3::hash(&plain).to_hex()[..16]);
        let etag = HeaderValue::from_str(&etag).expect("hexadecimal digits stand in a header");
        Self { media_type: HeaderValue::from_static(media_type), plain, br: None, gzip: None, etag }
    }

    /// The same file compressed with Brotli.
    #[must_use]
    pub fn br(mut self, bytes: impl Into<Bytes>) -> Self {
        self.br = Some(bytes.into());
        self
    }

    /// The same file compressed with gzip.
    #[must_use]
    pub fn gzip(mut self, bytes: impl Into<Bytes>) -> Self {
        self.gzip = Some(bytes.into());
        self
    }

    fn pick(&self, accepted: &str) -> (&Bytes, Option<&'static str>) {
        let accepts = |name: &str| {
            let mut tokens = accepted.split(',').map(str::trim);
            tokens.any(|token| token.strip_prefix(name).is_some_and(|rest| rest.is_empty() || !is_refused(rest)))
        };
        match (&self.br, &self.gzip) {
            (Some(bytes), _) if accepts("br") => (bytes, Some("br")),
            (_, Some(bytes)) if accepts("gzip") => (bytes, Some("gzip")),
            _ => (&self.plain, None),
        }
    }
}

/// Whether the rest of an `accept-encoding` token is another name, or says `q=0`.
fn is_refused(rest: &str) -> bool {
    let Some(weight) = rest.trim_start().strip_prefix(';') else { return true };
    let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
    weight.parse::<f32>().is_ok_and(|weight| weight == 0.0)
}

/// Files by path. Those below `/assets/` carry their content's hash in their name and are kept for ever.
#[derive(Clone, Debug, Default)]
pub struct Assets(HashMap<String, Asset>);

impl Assets {
    /// Adds a file at a path such as `/assets/3f2a.css`.
    #[must_use]
    pub fn with(mut self, path: impl Into<String>, asset: Asset) -> Self {
        self.0.insert(path.into(), asset);
        self
    }

    /// The answer, where a file stands at the path of the request.
    pub(crate) fn answer(&self, parts: &Parts) -> Option<Response<Body>> {
        if self.0.is_empty() || (parts.method != Method::GET && parts.method != Method::HEAD) {
            return None;
        }
        let path = parts.uri.path();
        self.0.get(path).map(|asset| respond(asset, path, &parts.headers, parts.method == Method::HEAD))
    }
}

fn respond(asset: &Asset, path: &str, asked: &HeaderMap, is_head: bool) -> Response<Body> {
    let accepted = asked.get("accept-encoding").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (bytes, encoding) = asset.pick(accepted);
    let etag = asset.etag.to_str().expect("it was made of ASCII");
    let is_known = Conditions::read(asked).is_known(etag, None);
    let mut response = Response::new(if is_head || is_known { Body::empty() } else { Body::full(bytes.clone()) });
    let to = response.headers_mut();
    headers::secure_file(to);
    let keep = if path.starts_with("/assets/") { headers::IMMUTABLE } else { headers::HOUR };
    to.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    to.insert(ETAG, asset.etag.clone());
    to.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    to.insert(CONTENT_TYPE, asset.media_type.clone());
    to.insert(CONTENT_LENGTH, bytes.len().into());
    if let Some(encoding) = encoding {
        to.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_accepted_encoding_is_picked() {
        let asset = Asset::new("text/css", "plain").br("b").gzip("g");
        let picked = |accepted: &str| asset.pick(accepted).1;
        assert_eq!(picked("gzip, deflate, br"), Some("br"));
        assert_eq!(picked("gzip;q=0.5, br;q=0"), Some("gzip"));
        assert_eq!(picked("brotli, gzipped"), None);
        assert_eq!(picked(""), None);
    }
}
