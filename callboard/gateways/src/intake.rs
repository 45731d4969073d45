//! Bodies that must not pass through a function: stored part by part, each part told to the function that keeps count.
//!
//! One intake at a time stores for a function's URI. A newer one takes over, since its sender has usually lost the older
//! connection; what the older one holds but has not stored is dropped, for the newer one sends it again.

use bytes::{Bytes, BytesMut};
use callboard::{Answer, Data, Fault, FaultKind, Head, Host, Intake, Kind, Principal, Stored};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Size of a part.
const PART_BYTES: u64 = 8 << 20;

/// Whether a body of this type is stored by the gateway and never handed to a function.
pub(crate) fn is_opaque(media_type: &str) -> bool {
    matches!(
        media_type.split(';').next().unwrap_or_default().trim(),
        "application/offset+octet-stream" | "application/octet-stream"
    )
}

/// Where a body comes from.
pub(crate) trait Source: Send {
    /// The next bytes; none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Interrupted>> + Send;
    /// How many bytes it says it has.
    fn size_bytes(&self) -> Option<u64>;
}

/// The body broke before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interrupted;

impl Source for Option<Bytes> {
    async fn next(&mut self) -> Result<Option<Bytes>, Interrupted> {
        Ok(self.take())
    }

    fn size_bytes(&self) -> Option<u64> {
        self.as_ref().map(|bytes| bytes.len() as u64)
    }
}

/// Who stores for which function's URI.
#[derive(Default)]
pub(crate) struct Lines(Mutex<HashMap<String, Arc<Line>>>);

#[derive(Default)]
struct Line {
    turn: Arc<tokio::sync::Mutex<()>>,
    newest: Mutex<CancellationToken>,
}

/// The right to store for a URI, until a newer one asks for it.
pub(crate) struct Turn<'l> {
    lines: &'l Lines,
    name: String,
    line: Arc<Line>,
    pub(crate) taken_over: CancellationToken,
    _turn: tokio::sync::OwnedMutexGuard<()>,
}

impl Lines {
    /// Tells who has the turn to stop, and waits until it has.
    pub(crate) async fn enter(&self, name: &str) -> Turn<'_> {
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default().clone();
        let taken_over = CancellationToken::new();
        let older = {
            let mut newest = line.newest.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *newest, taken_over.clone())
        };
        older.cancel();
        let turn = line.turn.clone().lock_owned().await;
        Turn { lines: self, name: name.to_owned(), line, taken_over, _turn: turn }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut lines = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and this one: nobody else waits.
        if Arc::strong_count(&self.line) == 2 {
            lines.remove(&self.name);
        }
    }
}

/// What ends an intake before its body does.
pub(crate) struct Halt<'h> {
    /// The process ends.
    pub(crate) stop: &'h CancellationToken,
    /// A newer one wants the turn.
    pub(crate) taken_over: &'h CancellationToken,
    /// Longest pause between two pieces.
    pub(crate) pause: Duration,
}

/// How gathering a part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Full,
    Finished,
    Interrupted,
    Stopped,
    TakenOver,
}

/// Stores a body and gives the answer of the function that heard of the last part; none where nothing came.
///
/// # Errors
/// `body.too_large`, `body.broken`, `intake.taken_over`, `stopping`; the fault of the store or of the function. What was
/// told to the function before stays.
pub(crate) async fn store(
    host: &Host,
    cause: &Head,
    intake: &Intake,
    source: &mut impl Source,
    halt: Halt<'_>,
) -> Result<Option<Answer>, Fault> {
    let most = intake.range.end.saturating_sub(intake.range.start);
    if source.size_bytes().is_some_and(|size| size > most) {
        return Err(too_large(most));
    }
    let (mut offset, mut rest, mut last) = (intake.range.start, Bytes::new(), None);
    loop {
        let (part, mut end) = gather(source, &mut rest, PART_BYTES.min(intake.range.end - offset), &halt).await;
        let is_all = offset + part.len() as u64 == intake.range.end;
        if end == End::Full && is_all {
            if !rest.is_empty() || matches!(source.next().await, Ok(Some(_))) {
                return Err(too_large(most));
            }
            end = End::Finished;
        }
        if end == End::TakenOver {
            let message = "a newer connection continues this upload; this one is no longer needed";
            return Err(Fault::conflict("intake.taken_over", message));
        }
        if !part.is_empty() {
            let size_bytes = part.len() as u64;
            last = Some(keep(host, cause, intake, offset, part).await?);
            offset += size_bytes;
        }
        match end {
            End::Full => {}
            End::Finished => return Ok(last),
            End::Stopped => {
                return Err(Fault::unavailable("stopping", "this server is stopping; continue in a moment"));
            }
            End::Interrupted | End::TakenOver => {
                return Err(Fault::bad_input(
                    "body.broken",
                    "the connection broke before the end of the body; send it again",
                ));
            }
        }
    }
}

async fn gather(source: &mut impl Source, rest: &mut Bytes, most: u64, halt: &Halt<'_>) -> (Bytes, End) {
    let most = usize::try_from(most).expect("a part fits in memory");
    let mut part = BytesMut::new();
    loop {
        if part.len() == most {
            return (part.freeze(), End::Full);
        }
        if rest.is_empty() {
            let next = tokio::select! {
                biased;
                () = halt.taken_over.cancelled() => Err(End::TakenOver),
                () = halt.stop.cancelled() => Err(End::Stopped),
                next = tokio::time::timeout(halt.pause, source.next()) => match next {
                    Ok(Ok(Some(bytes))) => Ok(bytes),
                    Ok(Ok(None)) => Err(End::Finished),
                    Ok(Err(Interrupted)) | Err(_) => Err(End::Interrupted),
                },
            };
            match next {
                Ok(bytes) => *rest = bytes,
                Err(end) => return (part.freeze(), end),
            }
        }
        let piece = rest.split_to(rest.len().min(most - part.len()));
        if part.is_empty() {
            // The rest of the part in one piece, but no more than was announced.
            part.reserve(source.size_bytes().map_or(most, |size| size as usize).min(most).max(piece.len()));
        }
        part.extend_from_slice(&piece);
    }
}

/// Stores a part and tells the function.
async fn keep(host: &Host, cause: &Head, intake: &Intake, offset: u64, part: Bytes) -> Result<Answer, Fault> {
    let blobs = &host.ports().blobs;
    let stored = Stored { offset, size_bytes: part.len() as u64, key: format!("{}/{offset:020}", intake.prefix) };
    blobs.put(&stored.key, part).await?;
    let mut msg = host.message(Kind::Post, intake.then.clone(), cause.tenant.clone()).with_data(Data::json(&stored));
    let head = msg.head_mut();
    head.source = "intake".into();
    head.principal = Principal::Service("intake".into());
    head.correlation = cause.correlation;
    head.causation = Some(cause.id);
    head.hops = cause.hops.saturating_add(1);
    let answer = host.run(msg).await;
    if answer.as_ref().is_err_and(|fault| fault.kind == FaultKind::NotFound) {
        // What it belongs to was removed meanwhile; nobody would remove this part any more.
        blobs.remove(&stored.key).await?;
    }
    answer
}

fn too_large(most: u64) -> Fault {
    Fault::too_large("body.too_large", format!("send at most {most} bytes"))
}
