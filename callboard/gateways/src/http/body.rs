//! Bodies: what is answered, and reading what was sent within its limits.

use bytes::{Bytes, BytesMut};
use callboard::Fault;
use futures_util::future::poll_fn;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// The body of a response. One that is in memory costs no allocation of its own.
pub(crate) struct Body(Kind);

enum Kind {
    Memory(Option<Bytes>),
    Stream(axum::body::Body),
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self(Kind::Memory(None))
    }

    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Memory(Some(bytes.into()).filter(|bytes| !bytes.is_empty())))
    }

    /// The bytes, where they are in memory; otherwise the body as it was.
    pub(crate) fn into_memory(self) -> Result<Bytes, Self> {
        match self.0 {
            Kind::Memory(bytes) => Ok(bytes.unwrap_or_default()),
            Kind::Stream(_) => Err(self),
        }
    }

    /// How many bytes are in memory; none where it comes piece by piece.
    pub(crate) fn memory_bytes(&self) -> Option<usize> {
        match &self.0 {
            Kind::Memory(bytes) => Some(bytes.as_ref().map_or(0, Bytes::len)),
            Kind::Stream(_) => None,
        }
    }

    pub(crate) fn stream(body: axum::body::Body) -> Self {
        Self(Kind::Stream(body))
    }
}

/// The body of a request.
pub(crate) enum Received {
    /// As it comes in over a connection.
    Coming(Incoming),
    /// Whole, from somebody who read it before.
    Whole(Bytes),
}

impl Received {
    fn is_over(&self) -> bool {
        match self {
            Self::Coming(body) => body.is_end_stream(),
            Self::Whole(bytes) => bytes.is_empty(),
        }
    }

    fn least_bytes(&self) -> u64 {
        match self {
            Self::Coming(body) => body.size_hint().lower(),
            Self::Whole(bytes) => bytes.len() as u64,
        }
    }

    /// Its size, where that is known.
    pub(crate) fn size_bytes(&self) -> Option<u64> {
        match self {
            Self::Coming(body) => body.size_hint().exact(),
            Self::Whole(bytes) => Some(bytes.len() as u64),
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.0 {
            Kind::Memory(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Memory(bytes) => bytes.is_none(),
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Memory(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}

/// The connection broke before the body's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// The next bytes of a body that is being received; none at its end.
pub(crate) async fn next(body: &mut Received) -> Result<Option<Bytes>, Broken> {
    let body = match body {
        Received::Coming(body) => body,
        Received::Whole(bytes) => return Ok(Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty())),
    };
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            None => return Ok(None),
            Some(Err(_)) => return Err(Broken),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// A whole body of at most so many bytes.
pub(crate) async fn read(mut body: Received, bytes_max: usize, timeout_ms: u64) -> Result<Bytes, Fault> {
    if body.is_over() {
        return Ok(Bytes::new());
    }
    let slow = || Fault::bad_input("body.slow", format!("send the whole body within {} s", timeout_ms / 1000));
    let timeout = Duration::from_millis(timeout_ms);
    if body.least_bytes() > bytes_max as u64 {
        discard(body).await;
        return Err(too_large(bytes_max));
    }
    let result = tokio::time::timeout(timeout, collect(&mut body, bytes_max)).await.map_err(|_| slow())?;
    if matches!(&result, Err(fault) if fault.code == "body.too_large") {
        discard(body).await;
    }
    result
}

async fn collect(body: &mut Received, bytes_max: usize) -> Result<Bytes, Fault> {
    let mut whole = BytesMut::new();
    let mut first = None;
    while let Some(bytes) = next(body).await.map_err(|Broken| broken())? {
        if whole.len() + first.as_ref().map_or(0, Bytes::len) + bytes.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        match first.take() {
            None if whole.is_empty() => first = Some(bytes),
            before => {
                whole.extend_from_slice(before.as_deref().unwrap_or_default());
                whole.extend_from_slice(&bytes);
            }
        }
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}

/// Reads a little more of a body that is not wanted, so that the sender gets to see the answer instead of a broken
/// connection. A sender that pauses has seen it, or waits for it.
pub(crate) async fn discard(mut body: Received) {
    let mut left = 4_usize << 20;
    while let Ok(Ok(Some(bytes))) = tokio::time::timeout(Duration::from_millis(200), next(&mut body)).await {
        left = left.saturating_sub(bytes.len());
        if left == 0 {
            return;
        }
    }
}

fn too_large(bytes_max: usize) -> Fault {
    Fault::too_large("body.too_large", format!("send at most {bytes_max} bytes"))
}

fn broken() -> Fault {
    Fault::bad_input("body.broken", "the connection broke before the end of the body; send it again")
}
