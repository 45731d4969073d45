//! A channel on the bench: the media service, and a stand-in for the catalogue that holds what a test says about
//! episodes and writes down what it hears about assets.

use callboard::ports::BlobMeta;
use callboard::{
    Answer, AnswerBody, Data, Empty, Env, Fault, Kind, Msg, Reply, Service, Stored, Stranger, Who, event, uri,
};
use callboard_bench::{Actor, Bench, Kept};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// An episode, and one of another series.
pub(crate) const EPISODE: &str = "019b0000-0000-7000-8000-000000000001";
pub(crate) const OTHER: &str = "019b0000-0000-7000-8000-000000000002";

/// How a person uploads.
const VERSION: (&str, &str) = ("tus-resumable", "1.0.0");

/// What the stand-in knows and has heard.
#[derive(Default)]
struct Ledger {
    levels: HashMap<String, String>,
    heard: Vec<(String, Value)>,
}

type Shared = Arc<Mutex<Ledger>>;

/// The channel.
pub(crate) struct House {
    pub(crate) bench: Bench,
    ledger: Shared,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(Kept::InMemory, &[]).await
    }

    pub(crate) async fn with(kept: Kept, settings: &[(&str, &str)]) -> Self {
        let ledger = Shared::default();
        for episode in [EPISODE, OTHER] {
            ledger.lock().expect("no panic").levels.insert(episode.into(), "public".into());
        }
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let services = vec![media::service(), stand_in(&ledger)];
        let bench = Bench::shaped(services, kept, |builder| builder.settings(settings)).await;
        Self { bench, ledger }
    }

    /// Says who may watch an episode from now on; nobody hears of it yet.
    pub(crate) fn open(&self, episode: &str, level: &str) {
        self.ledger.lock().expect("no panic").levels.insert(episode.into(), level.into());
    }

    /// Says who may watch an episode from now on, as the catalogue does.
    pub(crate) async fn change(&self, episode: &str, level: &str) {
        self.open(episode, level);
        self.tell("changed", &format!("/episodes/{episode}")).await;
    }

    /// Publishes an event and delivers all it causes.
    pub(crate) async fn tell(&self, kind: &str, uri: &str) {
        self.bench.service().post("/house/news", json!({"kind": kind, "uri": uri})).await.expect("told");
        self.bench.settle().await;
    }

    /// What the stand-in heard about assets since it was asked last.
    pub(crate) fn heard(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.ledger.lock().expect("no panic").heard)
    }

    /// The kinds of what it heard.
    pub(crate) fn heard_kinds(&self) -> Vec<String> {
        self.heard().into_iter().map(|(kind, _)| kind).collect()
    }

    /// Every blob.
    pub(crate) async fn blobs(&self) -> Vec<BlobMeta> {
        self.bench.host().ports().blobs.list("").await.expect("a list")
    }

    pub(crate) async fn keys(&self) -> Vec<String> {
        self.blobs().await.into_iter().map(|blob| blob.key).collect()
    }

    pub(crate) async fn read(&self, key: &str) -> Vec<u8> {
        let mut bytes = self.bench.host().ports().blobs.read(key, None).await.expect("a blob");
        let mut all = Vec::new();
        while let Some(chunk) = callboard::ports::next_bytes(&mut bytes).await {
            all.extend_from_slice(&chunk.expect("bytes"));
        }
        all
    }

    /// Somebody who speaks tus.
    pub(crate) fn editor(&self) -> Actor<'_> {
        let (name, version) = VERSION;
        self.bench.editor().with(name, version)
    }

    /// Begins an upload. Gives its URI.
    pub(crate) async fn begin(&self, actor: &Actor<'_>, episode: &str, size_bytes: usize) -> Result<String, Fault> {
        let actor = actor.clone().with("upload-length", &size_bytes.to_string());
        let actor =
            actor.with("upload-metadata", &format!("filename {},episode {}", base64("film.mp4"), base64(episode)));
        let answer = actor.send(Kind::Post, "/uploads", Data::EMPTY).await?;
        match answer.outcome {
            callboard::Outcome::Created(uri) => Ok(uri.to_string()),
            other => panic!("an upload was begun: {other:?}"),
        }
    }

    /// Sends bytes from an offset on, stored in parts of a size as the gateway does. Gives the new offset.
    pub(crate) async fn send(
        &self,
        actor: &Actor<'_>,
        upload: &str,
        offset: u64,
        bytes: &[u8],
        part_bytes: usize,
    ) -> Result<u64, Fault> {
        let actor = actor.clone().with("upload-offset", &offset.to_string());
        let actor = actor.with("content-type", "application/offset+octet-stream");
        let answer = actor.send(Kind::Patch, upload, Data::EMPTY).await?;
        let AnswerBody::Intake(intake) = answer.body else { return Ok(offset_of(&answer)) };
        assert!(intake.range.contains(&offset) && offset + bytes.len() as u64 <= intake.range.end);
        let mut reached = offset;
        for part in bytes.chunks(part_bytes) {
            let key = format!("{}/{reached:020}", intake.prefix);
            self.bench.host().ports().blobs.put(&key, part.to_vec().into()).await.expect("stored");
            let stored = Stored { offset: reached, size_bytes: part.len() as u64, key };
            let answer = self.bench.service().post(intake.then.as_str(), json!(stored)).await?;
            reached = offset_of(&answer);
        }
        Ok(reached)
    }

    /// Uploads a whole file. Gives the upload's URI; nothing is delivered yet.
    pub(crate) async fn upload(&self, episode: &str, bytes: &[u8]) -> String {
        self.bench.clock().advance(1);
        let editor = self.editor();
        let upload = self.begin(&editor, episode, bytes.len()).await.expect("an upload");
        let part_bytes = (bytes.len() / 3).max(1);
        assert_eq!(self.send(&editor, &upload, 0, bytes, part_bytes).await, Ok(bytes.len() as u64));
        upload
    }

    /// Uploads a whole file and lets everything happen that follows from it.
    pub(crate) async fn publish(&self, episode: &str, bytes: &[u8]) -> Value {
        self.upload(episode, bytes).await;
        self.bench.settle().await;
        self.asset(episode).await
    }

    /// The asset of an episode as editors see it.
    pub(crate) async fn asset(&self, episode: &str) -> Value {
        self.bench.editor().get(&format!("/episodes/{episode}/asset")).await.expect("an asset").json()
    }
}

pub(crate) fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

pub(crate) fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(have, _)| *have == name).map(|(_, value)| value.as_str())
}

fn offset_of(answer: &Answer) -> u64 {
    assert_eq!((header(answer, "tus-resumable"), header(answer, "cache-control")), (Some("1.0.0"), Some("no-store")));
    header(answer, "upload-offset").expect("an offset").parse().expect("a number")
}

/// What the catalogue and the access decision answer, from the ledger.
fn stand_in(ledger: &Shared) -> Service {
    let level_of = |ledger: &Shared| {
        let ledger = ledger.clone();
        move |episode: &str| ledger.lock().expect("no panic").levels.get(episode).cloned()
    };
    let (facts, decision, public, hear) = (level_of(ledger), level_of(ledger), level_of(ledger), ledger.clone());
    let facts = move |_: Env, msg: Msg<Empty>| {
        let level = facts(msg.param("id"));
        let series = if msg.param("id") == EPISODE { "one" } else { "two" };
        async move {
            let level = level.ok_or_else(|| Fault::not_found("episode.not_found", "no such episode"))?;
            Ok::<_, Fault>(Reply::ok(json!({"id": msg.param("id"), "series": series, "access": level})))
        }
    };
    let decision = move |env: Env, msg: Msg<Empty>| {
        let rule = decision(msg.param("id")).unwrap_or("hidden".into());
        async move {
            let is_editor =
                env.principal().has_role("editor") || matches!(env.principal(), callboard::Principal::Service(_));
            let is_open = matches!(rule.as_str(), "public" | "unlisted");
            let may_watch = is_open || is_editor || (rule == "members" && env.person().is_ok());
            let visible = may_watch || rule == "members";
            let remedy = (rule == "members").then_some("sign in");
            let reason = "as the test says";
            Ok::<_, Fault>(Reply::ok(
                json!({"visible": visible, "may_watch": may_watch, "rule": rule, "reason": reason, "remedy": remedy}),
            ))
        }
    };
    let public = move |_: Env, msg: Msg<Empty>| {
        let is_public = public(msg.param("id")).is_some_and(|level| matches!(level.as_str(), "public" | "unlisted"));
        async move { Ok::<_, Fault>(Reply::ok(json!({"is_public": is_public}))) }
    };
    let news = |_: Env, msg: Msg<Value>| async move {
        let kind = Kind::from(msg.data["kind"].as_str().expect("a kind").to_owned());
        let uri = uri!("{}", msg.data["uri"].as_str().expect("a URI"))?;
        Ok::<_, Fault>(Reply::<()>::nothing().emit(kind, uri.clone(), json!({"uri": uri, "version": 1})))
    };
    let mut service = Service::new("house")
        .on(Kind::Get, "/episodes/{id}/facts", facts, Who::Services, Stranger::NotFound)
        .on(Kind::Get, "/access/episodes/{id}", decision, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/access/episodes/{id}/public", public, Who::Services, Stranger::NotFound)
        .on(Kind::Post, "/house/news", news, Who::Services, Stranger::NotFound);
    for kind in ["processing", "playable", "ready", "failed", "removed", "revoked"] {
        let hear = hear.clone();
        let listen = move |_: Env, msg: Msg<Value>| {
            assert_eq!(msg.data["uri"], msg.uri.as_str());
            hear.lock().expect("no panic").heard.push((msg.kind.to_string(), msg.data));
            async { Ok::<_, Fault>(Reply::<()>::nothing()) }
        };
        service = service.on(event(kind), "/assets/{id}", listen, Who::Services, Stranger::NotFound);
    }
    service
}
