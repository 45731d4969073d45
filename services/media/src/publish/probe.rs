//! Step `probe`: what the uploaded file is, or why it cannot be a video.

use super::tool::{Limits, Stage, run};
use super::{Publication, asset, material, taken_away};
use crate::model::stored;
use crate::packets::{self, ANSWER_BYTES_MAX};
use crate::probe::{HEAD_BYTES, command, read};
use crate::records::ASSET_PROBED;
use crate::refusal::Refusal;
use crate::source::{DURATION_SLACK_MS, Source};
use callboard::ports::OnLine;
use callboard::{Env, Fault, FaultKind, Msg, Reply, Step, params};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What the later steps need to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Probed {
    /// Where the whole file lies.
    pub(super) key: String,
    pub(super) source: Source,
}

const LIMITS: Limits = Limits { timeout_ms: 300_000, nice: 0 };

pub(super) async fn examine(env: Env, msg: Msg<Step<Publication>>) -> Result<Reply<Probed>, Fault> {
    let publication = &msg.data.input;
    asset(&env, publication).await?;
    Stage::new(&env, publication, "probe")?.say(0.0);
    let key = material::join(&env, publication).await?;
    let folder = env.folder()?;
    let path = material::open(&env, &key, folder.path()).await?;
    let head = material::read(&env, &key, Some(HEAD_BYTES as u64)).await?;
    // Starting a program costs more than what it reads: both are asked at once.
    let described = run(&env, command(&path), folder.path(), LIMITS, None);
    let (described, listed) = futures_util::future::join(described, list(&env, &path, folder.path())).await;
    let described = described?;
    let source = read(&head, &described.stdout, &described.stderr).map_err(|why| refused(&why))?;
    let source = measure(&env, source, listed?).await?;
    check_length(&env, source.duration_ms)?;
    let (width, height) = source.video.as_ref().map(|video| video.shown()).unzip();
    let row = ASSET_PROBED.with(params![&publication.asset, stored(source.duration_ms), width, height]);
    Ok(Reply::ok(Probed { key, source }).write(row.expect(1..=1, taken_away())))
}

/// Refuses what this installation does not take, although it could be published.
fn check_length(env: &Env, duration_ms: u64) -> Result<(), Fault> {
    let most_ms: u64 = env.setting("media.duration_max_ms")?;
    if duration_ms <= most_ms.saturating_add(DURATION_SLACK_MS) {
        return Ok(());
    }
    let (seconds, most) = (duration_ms / 1000, most_ms / 1000);
    Err(Fault::bad_input("media.too_long", format!("the video lasts {seconds} s: at most {most} s are taken here")))
}

/// What was printed about every packet.
struct Listed {
    lines: String,
    stderr: String,
}

/// Lists every packet; the answer is longer than what a program may print at once, so it is taken line by line.
async fn list(env: &Env, path: &Path, folder: &Path) -> Result<Listed, Fault> {
    let lines = Arc::new(Mutex::new(String::new()));
    let taken = lines.clone();
    let on_line: OnLine = Box::new(move |line| {
        let mut lines = taken.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() <= ANSWER_BYTES_MAX {
            lines.push_str(line);
            lines.push('\n');
        }
    });
    let exited = run(env, packets::command(path), folder, LIMITS, Some(on_line)).await?;
    let lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Listed { lines, stderr: exited.stderr })
}

async fn measure(env: &Env, source: Source, listed: Listed) -> Result<Source, Fault> {
    if listed.lines.len() > ANSWER_BYTES_MAX {
        return Err(refused(&Refusal::Damaged));
    }
    let measured = env.compute(move || packets::measure(source, &listed.lines, &listed.stderr)).await?;
    measured.map_err(|why| refused(&why))
}

/// A refusal is final: the same bytes are refused again.
fn refused(why: &Refusal) -> Fault {
    let message = why.to_string();
    Fault {
        kind: FaultKind::BadInput,
        is_told: false,
        code: why.code(),
        message,
        detail: None,
        errors: Vec::new(),
        headers: Vec::new(),
    }
}
