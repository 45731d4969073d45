//! A streamed answer that is passed on while it comes: a piece is read once the one before is taken.

use super::invocation::read_beginning;
use super::server::ERROR_TYPE;
use super::{Answered, Begun, FunctionError, InvokeError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::Incoming;
use tokio::sync::{mpsc, oneshot};

/// Holds what failed in the middle of an answer, as JSON in base64.
const ERROR_BODY: &str = "lambda-runtime-function-error-body";

/// Reads the beginning, tells that there is one, and passes the rest on. What fails before is told as if nothing were streamed.
pub(super) async fn pass_on(
    mut body: Incoming,
    media_type: &str,
    live: oneshot::Sender<Begun>,
) -> Result<Answered, InvokeError> {
    let mut read = BytesMut::new();
    let Answered { media_type, prelude, body: first } = loop {
        match next(&mut body).await? {
            Some(bytes) => read.extend_from_slice(&bytes),
            None => break super::invocation::read_streamed(media_type, read.split().freeze())?,
        }
        let whole = read.split().freeze();
        match read_beginning(media_type, &whole)? {
            Some(begun) => break begun,
            None => read = BytesMut::from(whole),
        }
    };
    let (to, pieces) = mpsc::channel(1);
    let begun = Begun { media_type, prelude, pieces };
    live.send(begun).map_err(|_| InvokeError::Left)?;
    let mut piece = Some(first);
    while let Some(bytes) = piece {
        if !bytes.is_empty() {
            to.send(bytes).await.map_err(|_| InvokeError::Left)?;
        }
        piece = tokio::select! {
            biased;
            () = to.closed() => return Err(InvokeError::Left),
            next = next(&mut body) => next?,
        };
    }
    Ok(Answered::default())
}

/// The next bytes; none at the end. Trailers may say that the function failed.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, InvokeError> {
    loop {
        let Some(frame) = body.frame().await else { return Ok(None) };
        match frame.map_err(|_| InvokeError::Broken)?.into_data() {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) if trailers.contains_key(ERROR_TYPE) => {
                    return Err(InvokeError::Function(error_in(&trailers, b"")));
                }
                _ => {}
            },
        }
    }
}

/// What trailers say of a failure; `otherwise` is read where they say only of which type it is.
pub(super) fn error_in(trailers: &HeaderMap, otherwise: &[u8]) -> FunctionError {
    let text = |name| trailers.get(name).and_then(|value: &hyper::header::HeaderValue| value.to_str().ok());
    let body = text(ERROR_BODY).and_then(|body| STANDARD.decode(body).ok());
    FunctionError::read(body.as_deref().unwrap_or(otherwise), text(ERROR_TYPE))
}
