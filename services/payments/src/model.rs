//! What a tip is, where it stands, and what of it who sees.

use crate::currency;
use crate::records::TIP;
use callboard::{Env, Fault, Uri, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest note, in characters.
pub(crate) const NOTE_CHARS_MAX: usize = 200;

/// What others hear of a tip that was received or given back.
#[derive(Serialize, JsonSchema)]
pub(crate) struct News {
    pub(crate) uri: Uri,
    pub(crate) series: String,
    /// In the currency's smallest unit.
    pub(crate) amount: i64,
    pub(crate) currency: String,
}

/// Where a tip stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Its flow runs.
    Pending,
    /// Charged, booked, and everybody knows.
    Received,
    /// Nothing was charged, or it was given back.
    Failed,
    /// Nobody knows whether it is charged; a person looks.
    Stuck,
    /// It is being given back.
    Refunding,
    /// It was given back.
    Refunded,
}

/// The steps of its flow that people see.
pub(crate) const STAGES: [(&str, &str); 5] = [
    ("intent", "Announced to the payment service"),
    ("charge", "Paid"),
    ("ledger", "Written into the books"),
    ("thank_you", "Receipt made out"),
    ("event", "Told to the channel"),
];

/// A tip as it is stored.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tip {
    pub(crate) id: String,
    pub(crate) person: String,
    pub(crate) request_key: String,
    pub(crate) name: String,
    pub(crate) is_anonymous: bool,
    pub(crate) series: String,
    pub(crate) series_title: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) note: String,
    pub(crate) card: String,
    pub(crate) state: State,
    pub(crate) stage: String,
    pub(crate) reason_code: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) intent: Option<String>,
    pub(crate) receipt: Option<String>,
    pub(crate) correlation: String,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    pub(crate) version: i64,
}

/// A tip as it is shown. Who gave it anonymously is shown to nobody but themselves.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct View {
    id: String,
    status_uri: String,
    correlation: String,
    from: Option<String>,
    anonymous: bool,
    series: String,
    series_title: String,
    amount: i64,
    currency: String,
    amount_text: String,
    note: String,
    state: State,
    stages: Vec<Stage>,
    reason_code: Option<String>,
    reason: Option<String>,
    receipt: Option<String>,
    created_ms: i64,
    updated_ms: i64,
    version: i64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Stage {
    id: &'static str,
    word: &'static str,
    is_done: bool,
}

impl Tip {
    /// Its address.
    pub(crate) fn uri(&self) -> Result<Uri, Fault> {
        uri!("/tips/{}", self.id)
    }

    /// What of it this viewer sees.
    pub(crate) fn view(self, viewer: Option<&str>) -> Result<View, Fault> {
        let is_own = viewer == Some(self.person.as_str());
        let currency = currency::find(&self.currency)?;
        let at = STAGES.iter().position(|(id, _)| *id == self.stage).unwrap_or(STAGES.len());
        let stages = STAGES.iter().enumerate().map(|(place, &(id, word))| Stage { id, word, is_done: place < at });
        Ok(View {
            status_uri: self.uri()?.to_string(),
            stages: stages.collect(),
            amount_text: currency.show(self.amount),
            from: (is_own || !self.is_anonymous).then_some(self.name),
            id: self.id,
            correlation: self.correlation,
            anonymous: self.is_anonymous,
            series: self.series,
            series_title: self.series_title,
            amount: self.amount,
            currency: self.currency,
            note: self.note,
            state: self.state,
            reason_code: self.reason_code,
            reason: self.reason,
            receipt: self.receipt,
            created_ms: self.created_ms,
            updated_ms: self.updated_ms,
            version: self.version,
        })
    }
}

/// A tip by its id.
///
/// # Errors
/// `tip.not_found`
pub(crate) async fn load(env: &Env, id: &str) -> Result<Tip, Fault> {
    let found: Option<Tip> = env.query(&TIP, params![id]).await?.first()?;
    found.ok_or_else(no_tip)
}

/// No such tip, or none that the caller may know of.
pub(crate) fn no_tip() -> Fault {
    Fault::not_found("tip.not_found", "there is no such tip, or it is not yours to see")
}
