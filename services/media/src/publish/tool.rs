//! Running ffmpeg and ffprobe as part of a step: with limits, with live progress, and no longer than anybody wants it.

use super::{Publication, taken_away};
use crate::command::Command;
use crate::model::Progress;
use crate::progress::share;
use crate::records::ASSET;
use callboard::ports::{BoxFuture, Exec, Exited, OnLine};
use callboard::{Env, Fault, Uri, event, params, uri};
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

/// Most memory of one program.
const MEMORY_BYTES_MAX: u64 = 3 << 30;

/// Between two live messages of one stage.
const PAUSE_MS: i64 = 1_000;

/// How a program is run.
pub(super) struct Limits {
    pub(super) timeout_ms: u64,
    /// 0 for what ends in a moment and need not wait for what takes long.
    pub(super) nice: i32,
}

/// Runs a program in a folder.
///
/// # Errors
/// `tool.missing`, `tool.timeout`, `media.encode_interrupted`.
pub(super) async fn run(
    env: &Env,
    command: Command,
    folder: &Path,
    limits: Limits,
    on_line: Option<OnLine>,
) -> Result<Exited, Fault> {
    let args = command
        .args
        .into_iter()
        .map(|arg| arg.into_string().map_err(|arg| Fault::bug(format!("{} is not text", arg.to_string_lossy()))));
    let exec = Exec {
        tool: command.program,
        args: args.collect::<Result<_, Fault>>()?,
        folder: folder.to_owned(),
        timeout_ms: limits.timeout_ms,
        memory_bytes_max: MEMORY_BYTES_MAX,
        nice: limits.nice,
        on_line,
    };
    let exited = env.exec(exec).await?;
    if exited.code.is_none() {
        let message = "the program that prepares the video was stopped from outside; it is tried again";
        return Err(Fault::unavailable("media.encode_interrupted", message).detail(exited.stderr));
    }
    Ok(exited)
}

/// Runs ffmpeg to its end, telling how far it is. It is stopped when somebody takes the video away.
///
/// # Errors
/// As [`run`]; `media.encode_failed`, `media.removed`, `disk.full`.
pub(super) async fn encode(
    env: &Env,
    command: Command,
    folder: &Path,
    limits: Limits,
    mut stage: Stage,
    duration_ms: u64,
) -> Result<(), Fault> {
    let asset = stage.asset.clone();
    let is_time = Arc::new(AtomicBool::new(false));
    let tick = is_time.clone();
    stage.say(0.0);
    let on_line: OnLine = Box::new(move |line| {
        if let Some(fraction) = share(line, duration_ms) {
            tick.store(true, Ordering::Relaxed);
            stage.say(fraction);
        }
    });
    let work = run(env, command, folder, limits, Some(on_line));
    let exited = while_wanted(env, &asset, &is_time, work).await?;
    match exited.code {
        Some(0) => Ok(()),
        _ if exited.stderr.contains("No space left on device") => {
            let message = "the disk is full; free some space, then it goes on by itself";
            Err(Fault::unavailable("disk.full", message).detail(exited.stderr))
        }
        _ => {
            let message = "the video cannot be decoded to its end: export it again as H.264 with AAC sound in an MP4";
            Err(Fault::bad_input("media.encode_failed", message).detail(exited.stderr))
        }
    }
}

/// Does the work unless the asset goes away meanwhile; it is looked for whenever it is time.
async fn while_wanted<T>(
    env: &Env,
    asset: &str,
    is_time: &AtomicBool,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let mut work = pin!(work);
    let mut look: Option<BoxFuture<'_, Result<bool, Fault>>> = None;
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        if look.is_none() && is_time.swap(false, Ordering::Relaxed) {
            look = Some(Box::pin(async { Ok(!env.query(&ASSET, params![asset]).await?.is_empty()) }));
        }
        if let Some(Poll::Ready(is_there)) = look.as_mut().map(|look| look.as_mut().poll(cx)) {
            look = None;
            // Where the records are away for a moment, the work goes on.
            if is_there == Ok(false) {
                return Poll::Ready(Err(taken_away()));
            }
        }
        Poll::Pending
    })
    .await
}

/// A stage of a publication, as those who look at this moment hear of it.
#[derive(Clone)]
pub(super) struct Stage {
    env: Env,
    asset: String,
    places: [Uri; 2],
    name: &'static str,
    rendition: Option<String>,
    message: Option<String>,
    /// When it was last told.
    told_ms: Option<i64>,
}

impl Stage {
    pub(super) fn new(env: &Env, publication: &Publication, name: &'static str) -> Result<Self, Fault> {
        let places = places(publication)?;
        let asset = publication.asset.clone();
        Ok(Self { env: env.clone(), asset, places, name, rendition: None, message: None, told_ms: None })
    }

    /// Says what is made.
    pub(super) fn of(self, rendition: Option<String>, message: Option<String>) -> Self {
        Self { rendition, message, ..self }
    }

    /// Tells how much of it is done: its beginning and its end, and at most once a second between.
    pub(super) fn say(&mut self, fraction: f64) {
        let now_ms = self.env.now_ms();
        let is_due = self.told_ms.is_none_or(|told_ms| now_ms - told_ms >= PAUSE_MS);
        if is_due || fraction >= 1.0 {
            self.told_ms = Some(now_ms);
            let news = news(self.name, fraction, self.rendition.as_deref(), self.message.as_deref());
            self.places.iter().for_each(|place| self.env.live(event("progress"), place.clone(), &news));
        }
    }
}

/// Where people look for the progress of a publication.
pub(super) fn places(publication: &Publication) -> Result<[Uri; 2], Fault> {
    Ok([uri!("/uploads/{}", publication.upload)?, uri!("/episodes/{}", publication.episode)?])
}

/// What they hear.
pub(super) fn news(stage: &str, fraction: f64, rendition: Option<&str>, message: Option<&str>) -> Progress {
    let text = |text: Option<&str>| text.map(str::to_owned);
    Progress { stage: stage.to_owned(), fraction, rendition: text(rendition), message: text(message) }
}
