//! Uploads and assets as they are stored, and where their blobs lie. Pure.

use callboard::{Datum, Fault, Id, Tenant, Uri, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The version that is playable soonest.
pub(crate) const QUICK: &str = "quick";

/// The version with every rendition.
pub(crate) const FULL: &str = "full";

/// An upload.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) episode: String,
    pub(crate) series: String,
    pub(crate) uploader: String,
    pub(crate) filename: String,
    pub(crate) is_low: bool,
    pub(crate) size_bytes: u64,
    pub(crate) offset_bytes: u64,
    pub(crate) state: UploadState,
    pub(crate) asset: Option<String>,
    pub(crate) progress_ms: i64,
}

/// Where an upload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UploadState {
    /// Bytes are missing.
    Open,
    /// It is being published.
    Complete,
    /// Nothing happens to it any more; its last answer is kept for a while.
    Done,
}

impl UploadState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Done => "done",
        }
    }
}

/// The video of an episode.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Asset {
    pub(crate) id: String,
    pub(crate) episode: String,
    pub(crate) upload: String,
    pub(crate) filename: String,
    pub(crate) state: AssetState,
    pub(crate) stage: String,
    pub(crate) reason_code: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) duration_ms: Option<i64>,
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) has_quick: bool,
    pub(crate) has_full: bool,
    pub(crate) has_poster: bool,
    pub(crate) reach: Reach,
    pub(crate) created_ms: i64,
    pub(crate) version: i64,
}

/// What others hear of an asset; its version is a slot where the commit finds it out.
#[derive(Serialize, JsonSchema)]
pub(crate) struct News<Version = i64> {
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) asset: String,
    pub(crate) episode: String,
    /// The version that plays.
    pub(crate) media_version: Option<String>,
    /// What happened to it.
    pub(crate) state: String,
    pub(crate) duration_ms: Option<i64>,
    /// Why it failed, for people.
    pub(crate) reason: Option<String>,
}

/// What whoever looks at an upload or its episode hears while it is made playable.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Progress {
    /// The step that is at work, `ready` or `failed`.
    pub(crate) stage: String,
    /// How much of it is done, from 0 to 1.
    pub(crate) fraction: f64,
    /// The rendition that is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rendition: Option<String>,
    /// What goes on, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

/// The news that passes issued until now do not count any more.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes what `tell` of the exposure adds to the news")]
pub(crate) struct Revoked {
    #[serde(flatten)]
    news: News,
    /// A pass that ends later was issued after this, in Unix milliseconds.
    expires_ms_max: i64,
}

/// What others hear of an upload that has arrived whole.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Arrived {
    pub(crate) uri: Uri,
    pub(crate) version: i64,
    pub(crate) asset: String,
    pub(crate) episode: String,
}

/// Where an asset stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AssetState {
    /// Nothing can be played yet.
    Processing,
    /// The quick version plays.
    Playable,
    /// Every rendition plays.
    Ready,
    /// It cannot be published.
    Failed,
}

impl AssetState {
    pub(crate) fn is_playable(self) -> bool {
        matches!(self, Self::Playable | Self::Ready)
    }
}

/// Whom an asset is open to, from the widest to the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reach {
    /// Whoever has the address.
    Public,
    /// Whoever is signed in.
    Members,
    /// Editors.
    Closed,
}

impl Reach {
    /// From the rule by which access decided; a rule that is not known opens nothing.
    pub(crate) fn of(rule: &str) -> Self {
        match rule {
            "public" | "unlisted" => Self::Public,
            "members" => Self::Members,
            _ => Self::Closed,
        }
    }
}

impl From<Reach> for Datum {
    fn from(reach: Reach) -> Self {
        let text = match reach {
            Reach::Public => "public",
            Reach::Members => "members",
            Reach::Closed => "closed",
        };
        text.into()
    }
}

impl Asset {
    pub(crate) fn uri(&self) -> Result<Uri, Fault> {
        uri!("/assets/{}", self.id)
    }

    /// Names of the versions that are stored.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &'static str> + use<> {
        [(self.has_quick, QUICK), (self.has_full, FULL)]
            .into_iter()
            .filter_map(|(is_there, name)| is_there.then_some(name))
    }

    /// The version that plays.
    pub(crate) fn playing(&self) -> Option<&'static str> {
        self.versions().last()
    }

    /// What others hear of it. `version` is the row's new version, or a slot for it.
    pub(crate) fn news(&self, state: &str, version: impl Serialize) -> Result<Value, Fault> {
        Ok(json!(News {
            uri: self.uri()?,
            version,
            asset: self.id.clone(),
            episode: self.episode.clone(),
            media_version: self.playing().map(str::to_owned),
            state: state.to_owned(),
            duration_ms: self.duration_ms,
            reason: self.reason.clone(),
        }))
    }
}

/// A part of an upload that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Part {
    pub(crate) offset_bytes: u64,
    pub(crate) size_bytes: u64,
    pub(crate) blob: String,
}

/// Everything that arrived of an upload lies below this key.
pub(crate) fn upload_blobs(tenant: &Tenant, upload: &str) -> String {
    format!("uploads/{tenant}/{upload}")
}

/// Everything that is delivered of an asset lies below this key.
pub(crate) fn asset_blobs(tenant: &Tenant, asset: &str) -> String {
    format!("media/{tenant}/{asset}")
}

/// One version of an asset.
pub(crate) fn version_blobs(tenant: &Tenant, asset: &str, version: &str) -> String {
    format!("media/{tenant}/{asset}/{version}")
}

/// The markers of versions that are delivered without a pass.
pub(crate) fn asset_markers(tenant: &Tenant, asset: &str) -> String {
    format!("public/{tenant}/{asset}")
}

/// The marker of one version.
pub(crate) fn version_marker(tenant: &Tenant, asset: &str, version: &str) -> String {
    format!("public/{tenant}/{asset}/{version}")
}

/// An id as we write it. Any other spelling is none: text such as `?` would change what the question is.
pub(crate) fn canonical(id: &str) -> Option<&str> {
    id.parse::<Id>().ok().filter(|parsed| parsed.to_string() == id).map(|_| id)
}

/// A count of bytes as a record holds it; limits are checked before, so it fits.
pub(crate) fn stored(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
