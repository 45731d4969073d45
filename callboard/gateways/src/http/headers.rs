//! Headers that every answer carries, so that no page or file can be framed, sniffed, or run what is not ours.

use hyper::HeaderMap;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY};
use hyper::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};

/// What never changes under its address.
pub(crate) const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// What may be an hour old.
pub(crate) const HOUR: &str = "public, max-age=3600";
/// What must not stay anywhere.
pub(crate) const NO_STORE: &str = "no-store";
/// What belongs to one person.
pub(crate) const PRIVATE: &str = "private, no-store";
/// What one person's browser may keep and must ask about.
pub(crate) const ASK_AGAIN: &str = "private, no-cache";
/// Pages as nobody in particular sees them.
pub(crate) const ANONYMOUS: &str = "public, s-maxage=60, stale-while-revalidate=600";

/// A page may load and call only what is ours, and nobody may frame it.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
     media-src 'self' blob:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";
/// Anything else that a browser might be made to show as a document does nothing. Drawings may style themselves.
const FILE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// For pages.
pub(crate) fn secure_page(to: &mut HeaderMap, is_https: bool) {
    to.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    to.insert(OPENER, HeaderValue::from_static("same-origin"));
    to.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    secure(to, is_https);
}

/// For the answers of resources.
pub(crate) fn secure_resource(to: &mut HeaderMap, is_https: bool) {
    to.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(FILE_POLICY));
    to.insert(OPENER, HeaderValue::from_static("same-origin"));
    secure(to, is_https);
}

fn secure(to: &mut HeaderMap, is_https: bool) {
    to.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    to.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
    to.insert(RESOURCE, HeaderValue::from_static("same-origin"));
    if is_https {
        to.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

/// For files of the program and for media: their address may hold a pass, so it is told to nobody.
pub(crate) fn secure_file(to: &mut HeaderMap) {
    to.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(FILE_POLICY));
    to.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    to.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    to.insert(RESOURCE, HeaderValue::from_static("same-origin"));
}
