//! Compression of text, only where the client wants it and there is enough of it. Media and event streams stay as they are.

use super::body::Body;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use hyper::{HeaderMap, Request, Response};
use std::convert::Infallible;
use tower::{ServiceExt, service_fn};
use tower_http::compression::Compression;

/// Less than this is not worth it.
const BYTES_MIN: usize = 1024;

/// Whether a media type compresses well.
fn is_text(media_type: &str) -> bool {
    let plain = media_type.split(';').next().unwrap_or_default().trim();
    plain.starts_with("text/")
        || matches!(plain, "application/json" | "application/javascript" | "application/xml" | "image/svg+xml")
        || plain.ends_with("+json")
        || plain.ends_with("+xml")
}

/// Whether a response is worth it: enough of a text that is in memory and that its function did not encode itself.
pub(crate) fn is_worth(response: &Response<Body>) -> bool {
    let is_long = response.body().memory_bytes().is_some_and(|bytes| bytes >= BYTES_MIN);
    let media_type = || response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    is_long && media_type().is_some_and(is_text) && !response.headers().contains_key(CONTENT_ENCODING)
}

/// Compresses a response as its request accepts.
pub(crate) async fn compress(asked: &HeaderMap, mut response: Response<Body>) -> Response<Body> {
    let Some(accepted) = asked.get(ACCEPT_ENCODING) else {
        response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
        return response;
    };
    let mut request = Request::new(());
    request.headers_mut().insert(ACCEPT_ENCODING, accepted.clone());
    let mut response = Some(response);
    let give = service_fn(move |_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(response.take().expect("it is asked for once")))
    });
    let Ok(response) = Compression::new(give).compress_when(|_, _, _: &HeaderMap, _: &_| true).oneshot(request).await;
    response.map(|body| Body::stream(axum::body::Body::new(body)))
}
