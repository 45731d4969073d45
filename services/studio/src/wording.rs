//! How dates, lists, states and fault messages read in the studio.

use crate::contracts::MediaState;
use callboard::Fault;

/// A date as `2026-01-31`.
pub(crate) fn date(time_ms: i64) -> String {
    let days = time_ms.div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A length as `21:14`.
pub(crate) fn length(duration_ms: u64) -> String {
    let seconds = duration_ms.div_ceil(1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// The words of a field that takes several, separated by commas.
pub(crate) fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A fragment as the start of a sentence, with a full stop.
pub(crate) fn sentence(fragment: &str) -> String {
    let fragment = fragment.trim();
    let mut letters = fragment.chars();
    let Some(first) = letters.next() else { return String::new() };
    let stop = if fragment.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    format!("{}{}{stop}", first.to_uppercase(), letters.as_str())
}

/// A state: a word with an icon and a tone, never a colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) icon: &'static str,
    pub(crate) word: &'static str,
    /// `good`, `warn`, `bad`, or empty.
    pub(crate) tone: &'static str,
}

impl State {
    /// How far an episode's video is.
    pub(crate) fn of_media(state: Option<MediaState>) -> Self {
        let (icon, word, tone) = match state {
            None => ("upload", "No video", ""),
            Some(MediaState::Processing) => ("clock", "Being prepared", "warn"),
            Some(MediaState::Playable) => ("play", "Playable", "good"),
            Some(MediaState::Ready) => ("check", "Ready", "good"),
            Some(MediaState::Failed) => ("info", "Failed", "bad"),
        };
        Self { icon, word, tone }
    }

    /// Where a tip stands.
    pub(crate) fn of_tip(state: &str) -> Self {
        let (icon, word, tone) = match state {
            "pending" => ("clock", "Under way", "warn"),
            "received" => ("check", "Received", "good"),
            "failed" => ("info", "Not charged", ""),
            "refunding" => ("clock", "Being given back", "warn"),
            "refunded" => ("out", "Given back", ""),
            _ => ("info", "Needs a look", "bad"),
        };
        Self { icon, word, tone }
    }

    /// Who may see an item.
    pub(crate) fn of_access(access: &str, is_active: bool) -> Self {
        let (icon, word) = match access {
            _ if !is_active => ("eye-off", "Hidden"),
            "public" => ("globe", "Public"),
            "unlisted" => ("link", "Unlisted"),
            "members" => ("lock", "Members"),
            _ => ("lock", "Private"),
        };
        Self { icon, word, tone: "" }
    }
}

/// What a form says about a fault: beside its fields where it names them, above them otherwise.
#[derive(Debug, Default)]
pub(crate) struct Complaint {
    fields: Vec<(String, String)>,
    /// What belongs to no field.
    pub(crate) general: Option<String>,
}

impl Complaint {
    /// Sorts a fault's errors into the fields that a form has. An error of one element, `tags[2]`, belongs to its list.
    pub(crate) fn about(fault: &Fault, fields: &[&str]) -> Self {
        let field_of = |path: &str| path.split(['[', '.']).next().unwrap_or_default().to_owned();
        let known: Vec<(String, String)> = fault
            .errors
            .iter()
            .map(|error| (field_of(&error.field), sentence(&error.message)))
            .filter(|(field, _)| fields.contains(&field.as_str()))
            .collect();
        let general = known.is_empty().then(|| sentence(&fault.message));
        Self { fields: known, general }
    }

    /// Only a sentence above the form.
    pub(crate) fn general(text: &str) -> Self {
        Self { fields: Vec::new(), general: Some(text.to_owned()) }
    }

    /// What is wrong with a field.
    pub(crate) fn of(&self, field: &str) -> Option<&str> {
        self.fields.iter().find(|(have, _)| have == field).map(|(_, message)| message.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400_000), "2000-02-29");
        assert_eq!(date(1_767_225_599_999), "2025-12-31");
        assert_eq!(date(-1), "1969-12-31");
    }

    #[test]
    fn words_are_split_at_commas_and_empty_ones_dropped() {
        assert_eq!(split(" drama, ,night shift ,"), ["drama", "night shift"]);
        assert!(split(" , ").is_empty());
    }

    #[test]
    fn an_error_of_one_tag_stands_beside_the_tags() {
        let fault = Fault::bad_input("x", "not valid").field("tags[2]", "write at most 40 characters");
        assert_eq!(Complaint::about(&fault, &["tags"]).of("tags"), Some("Write at most 40 characters."));
    }
}
