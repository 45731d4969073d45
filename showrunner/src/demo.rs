//! The demo: a channel like any other, filled through the same functions that people use. Its videos are drawn by ffmpeg.

use crate::drawings::{self, SERIES, Series};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use callboard::ports::Exec;
use callboard::{
    Answer, AnswerBody, Data, Fault, FaultKind, Host, Intake, Kind, Outcome, Principal, Stored, Tenant, Uri,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Who signs in to the demo's studio.
pub(crate) const OWNER_EMAIL: &str = "owner@demo.example";

/// Bytes of one part of an upload.
const PART_BYTES: usize = 8 << 20;
/// Seconds of every drawn episode.
const EPISODE_S: u32 = 20;

/// What was made, to tell on the terminal.
pub(crate) struct Seeded {
    /// The owner's password; none where the owner was there already.
    pub(crate) password: Option<String>,
    episodes: Vec<(String, usize)>,
    demo: Demo,
}

struct Demo {
    host: Host,
    tenant: Tenant,
    principal: Principal,
}

#[derive(Deserialize)]
struct Made {
    id: String,
}

/// Makes the channel, its owner, its series and its episodes, unless they are there: pages are complete when this returns.
///
/// # Errors
/// The first fault of a function that was called.
pub(crate) async fn seed(host: &Host, tenant: &str) -> Result<Seeded, Fault> {
    let operator = Principal::Service("demo".into());
    let mut demo = Demo { host: host.clone(), tenant: Tenant::new(tenant), principal: operator };
    let channel = json!({"name": tenant, "title": "Lantern Street", "tagline": "Three small series, drawn this minute by a machine near you."});
    unless_there(demo.call(Kind::Post, "/tenants", channel).await)?;
    let owner = json!({"email": OWNER_EMAIL, "name": "Demo owner"});
    let password = match unless_there(demo.call(Kind::Post, "/owners", owner).await)? {
        Some(answer) => answer.json()["password"].as_str().map(str::to_owned),
        None => None,
    };
    demo.principal = demo.owner().await?;
    let there = demo.read("/series").await?;
    if there["items"].as_array().is_none_or(Vec::is_empty) {
        for series in SERIES {
            demo.make_series(series).await?;
        }
    }
    let episodes = demo.list_unfilled().await?;
    Ok(Seeded { password, episodes, demo })
}

/// Nothing where the thing is there already.
fn unless_there(answer: Result<Answer, Fault>) -> Result<Option<Answer>, Fault> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(fault) if fault.kind == FaultKind::Conflict => Ok(None),
        Err(fault) => Err(fault),
    }
}

impl Demo {
    async fn call(&self, kind: Kind, uri: &str, data: Value) -> Result<Answer, Fault> {
        self.send(kind, uri, Data::json(&data), &[]).await
    }

    async fn read(&self, uri: &str) -> Result<Value, Fault> {
        self.send(Kind::Get, uri, Data::EMPTY, &[]).await.map(|answer| answer.json())
    }

    async fn send(&self, kind: Kind, uri: &str, data: Data, meta: &[(&'static str, String)]) -> Result<Answer, Fault> {
        let mut msg = self.host.message(kind, Uri::parse(uri)?, self.tenant.clone()).with_data(data);
        let head = msg.head_mut();
        head.source = "demo".into();
        head.principal = self.principal.clone();
        head.meta = meta.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        self.host.run(msg).await
    }

    /// The owner as a principal: what the demo makes is theirs.
    async fn owner(&self) -> Result<Principal, Fault> {
        let members = self.read("/members").await?;
        let items = members["items"].as_array().cloned().unwrap_or_default();
        let is_owner = |member: &&Value| member["role"] == "owner";
        let owner = items.iter().find(is_owner).and_then(|member| member["id"].as_str());
        let id = owner.ok_or_else(|| Fault::bug("the demo has no owner after making one"))?;
        Ok(Principal::person(id, &["viewer", "editor", "owner"]))
    }

    async fn make_series(&self, series: &Series) -> Result<(), Fault> {
        let fields = json!({
            "title": series.title, "short_text": series.short_text, "long_text": series.long_text,
            "genres": [series.genre], "tags": [], "access": "public", "active": true,
        });
        let made: Made = read_made(&self.call(Kind::Post, "/series", fields).await?)?;
        for (at, episode) in series.episodes.iter().enumerate() {
            let fields = json!({
                "season": 1, "number": at + 1, "title": episode.title, "short_text": episode.short_text,
                "long_text": "", "tags": [], "access": episode.access, "active": true,
            });
            self.call(Kind::Post, &format!("/series/{}/episodes", made.id), fields).await?;
        }
        Ok(())
    }

    /// Episodes without a video, the newest series first, as (episode, drawing).
    async fn list_unfilled(&self) -> Result<Vec<(String, usize)>, Fault> {
        let mut unfilled = Vec::new();
        let all = self.read("/series").await?;
        for series in all["items"].as_array().unwrap_or(&Vec::new()) {
            let Some(drawn) = SERIES.iter().position(|one| series["title"] == one.title) else { continue };
            let id = series["id"].as_str().unwrap_or_default();
            let seasons = self.read(&format!("/series/{id}/episodes")).await?;
            let episodes = seasons["seasons"]
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(|season| season["episodes"].as_array().into_iter().flatten());
            for episode in episodes.filter(|episode| episode["media"].is_null()) {
                let number = episode["number"].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(1);
                let id = episode["id"].as_str().unwrap_or_default().to_owned();
                unfilled.push((id, drawn * SERIES[drawn].episodes.len() + number - 1));
            }
        }
        Ok(unfilled)
    }

    /// Draws an episode and uploads it, as a browser would.
    async fn fill(&self, episode: &str, drawing: usize, is_first: bool) -> Result<(), Fault> {
        let folder = self.host.ports().machine.folder()?;
        let exec = Exec {
            tool: "ffmpeg",
            args: drawings::arguments(drawing, EPISODE_S),
            folder: folder.path().to_owned(),
            timeout_ms: 120_000,
            memory_bytes_max: 3 << 30,
            nice: if is_first { 5 } else { 15 },
            on_line: None,
        };
        let exited = self.host.ports().machine.exec(exec).await?;
        if exited.code != Some(0) {
            return Err(Fault::bug(format!("ffmpeg did not draw episode {drawing}: {}", exited.stderr)));
        }
        let video = std::fs::read(folder.path().join("drawn.mp4")).map_err(|error| Fault::bug(error.to_string()))?;
        self.upload(episode, video, if is_first { "normal" } else { "low" }).await
    }

    async fn upload(&self, episode: &str, video: Vec<u8>, priority: &str) -> Result<(), Fault> {
        let encode = |text: &str| STANDARD.encode(text);
        let metadata =
            format!("filename {},episode {},priority {}", encode("drawn.mp4"), encode(episode), encode(priority));
        let meta = [
            ("tus-resumable", "1.0.0".to_owned()),
            ("upload-length", video.len().to_string()),
            ("upload-metadata", metadata),
        ];
        let created = self.send(Kind::Post, "/uploads", Data::EMPTY, &meta).await?;
        let Outcome::Created(upload) = created.outcome else {
            return Err(Fault::bug("an upload was made without a URI"));
        };
        let meta = [("tus-resumable", "1.0.0".to_owned()), ("upload-offset", "0".to_owned())];
        let accepted = self.send(Kind::Patch, upload.as_str(), Data::EMPTY, &meta).await?;
        let AnswerBody::Intake(intake) = accepted.body else { return Err(Fault::bug("an upload takes no bytes")) };
        self.store(&intake, &Bytes::from(video)).await
    }

    /// Stores the bytes part by part, as the HTTP gateway does.
    async fn store(&self, intake: &Intake, bytes: &Bytes) -> Result<(), Fault> {
        let mut offset = intake.range.start;
        for at in (0..bytes.len()).step_by(PART_BYTES) {
            let part = bytes.slice(at..bytes.len().min(at + PART_BYTES));
            let key = format!("{}/{offset:020}", intake.prefix);
            let size_bytes = u64::try_from(part.len()).unwrap_or(u64::MAX);
            self.host.ports().blobs.put(&key, part).await?;
            let mut msg = self.host.message(Kind::Post, intake.then.clone(), self.tenant.clone());
            msg.head_mut().principal = Principal::Service("demo".into());
            self.host.run(msg.with_data(Data::json(&Stored { offset, size_bytes, key }))).await?;
            offset += size_bytes;
        }
        Ok(())
    }
}

fn read_made(answer: &Answer) -> Result<Made, Fault> {
    serde_json::from_value(answer.json()).map_err(|error| Fault::bug(format!("what was made has no id: {error}")))
}

impl Seeded {
    /// Draws and uploads every episode that has no video yet, one after another.
    pub(crate) async fn fill(self) {
        for (at, (episode, drawing)) in self.episodes.iter().enumerate() {
            if let Err(fault) = self.demo.fill(episode, *drawing, at == 0).await {
                tracing::error!(
                    fault.code = fault.code,
                    fault.detail = fault.detail,
                    "the demo cannot fill an episode: {}",
                    fault.message
                );
                return;
            }
        }
        if !self.episodes.is_empty() {
            tracing::info!(episodes = self.episodes.len(), "every episode of the demo is drawn");
        }
    }
}
