//! What can be made to go wrong, and with which requests.

use super::Asked;
use serde::{Deserialize, Serialize};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Announce a payment.
    Create,
    /// See how one stands.
    Read,
    /// Make it.
    Confirm,
    /// Close it.
    Cancel,
    /// Give it back.
    Refund,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Create, Self::Read, Self::Confirm, Self::Cancel, Self::Refund];

    pub(super) fn of(asked: &Asked) -> Self {
        match (asked.method.as_str(), asked.path.rsplit('/').next().unwrap_or_default()) {
            ("GET", _) => Self::Read,
            (_, "confirm") => Self::Confirm,
            (_, "cancel") => Self::Cancel,
            (_, "refunds") => Self::Refund,
            _ => Self::Create,
        }
    }
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It is carried out, and the connection breaks off.
    LoseAnswer,
    /// It is not carried out, and the connection breaks off.
    LoseRequest,
    /// It is not carried out, and there is no answer.
    Hang,
    /// It is carried out, and there is no answer.
    HangAfter,
    /// There is no answer, and it is carried out only just before the next request.
    Late,
    /// 500, and it is not carried out.
    Fail,
    /// 500, although it was carried out.
    FailAfter,
    /// 500, it is not carried out, and the key answers 500 from then on.
    FailKept,
    /// 409: the key is in use.
    Busy,
    /// 429.
    Limit,
    /// It is carried out, and the answer takes a while.
    Delay {
        /// So many milliseconds.
        delay_ms: u64,
    },
    /// It is carried out, and the answer speaks of another amount.
    OtherAmount,
}

impl Trouble {
    /// All of them, but those that only take time.
    pub const ALL: [Self; 11] = [
        Self::LoseAnswer,
        Self::LoseRequest,
        Self::Hang,
        Self::HangAfter,
        Self::Late,
        Self::Fail,
        Self::FailAfter,
        Self::FailKept,
        Self::Busy,
        Self::Limit,
        Self::OtherAmount,
    ];
}

/// What goes wrong with webhooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookTrouble {
    /// Each is sent twice.
    pub is_doubled: bool,
    /// The newest is sent first.
    pub is_reversed: bool,
    /// None is sent.
    pub is_lost: bool,
    /// Each is sent so many milliseconds later.
    pub delay_ms: u64,
}

/// What is planned.
#[derive(Debug, Default)]
pub struct Troubles(Vec<(Operation, Trouble, u32)>);

impl Troubles {
    pub(super) fn plan(&mut self, operation: Operation, trouble: Trouble, times: u32) {
        self.0.push((operation, trouble, times));
    }

    pub(super) fn take(&mut self, operation: Operation) -> Option<Trouble> {
        let at = self.0.iter().position(|(planned, _, times)| *planned == operation && *times > 0)?;
        self.0[at].2 -= 1;
        Some(self.0[at].1)
    }
}
