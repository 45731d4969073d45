//! What the forms of a series and of an episode have in common: the fields as they were typed, and what is wrong with them.

use crate::wording::{Complaint, split};
use callboard::{Fault, FaultKind};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// Longest short text, as the counter shows it; the catalogue decides.
pub(crate) const SHORT_CHARS_MAX: usize = 200;
/// Longest long text, as the counter shows it; the catalogue decides.
pub(crate) const LONG_CHARS_MAX: usize = 380;
/// Longest title, as the counter shows it; the catalogue decides.
pub(crate) const TITLE_CHARS_MAX: usize = 120;

/// The fields of a form that faults can name.
const FIELDS: &[&str] = &["title", "short_text", "long_text", "genres", "tags", "access", "season", "number"];

/// The fields as they were typed. A box that is not ticked sends nothing.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Fields {
    pub(crate) intent: String,
    pub(crate) version: Option<i64>,
    pub(crate) title: String,
    pub(crate) short_text: String,
    pub(crate) long_text: String,
    pub(crate) genres: String,
    pub(crate) tags: String,
    pub(crate) access: String,
    pub(crate) active: Option<String>,
    pub(crate) season: String,
    pub(crate) number: String,
}

impl Fields {
    /// What series and episodes share, as the catalogue takes it. Browsers send lines with a carriage return; nobody typed it.
    fn shared(&self) -> Value {
        json!({
            "title": self.title,
            "short_text": self.short_text,
            "long_text": self.long_text.replace("\r\n", "\n"),
            "tags": split(&self.tags),
            "access": self.access,
            "active": self.active.is_some(),
        })
    }

    /// The fields of a series.
    pub(crate) fn series(&self) -> Value {
        let mut value = self.shared();
        value["genres"] = json!(split(&self.genres));
        value
    }

    /// The fields of an episode. An empty number leaves the place to the catalogue.
    ///
    /// # Errors
    /// `data.invalid` where season or number is not a number.
    pub(crate) fn episode(&self) -> Result<Value, Fault> {
        let mut value = self.shared();
        for (field, text) in [("season", &self.season), ("number", &self.number)] {
            if text.trim().is_empty() {
                continue;
            }
            let wrong = || {
                Fault::bad_input("data.invalid", format!("`{field}` is not a number")).field(field, "write a number")
            };
            value[field] = json!(text.trim().parse::<i64>().map_err(|_| wrong())?);
        }
        Ok(value)
    }

    /// How many characters a field has, as its counter shows.
    pub(crate) fn count(&self, field: &str) -> usize {
        let text = match field {
            "title" => &self.title,
            "short_text" => &self.short_text,
            _ => &self.long_text,
        };
        text.replace("\r\n", "\n").chars().count()
    }

    /// Whether an access is the chosen one.
    pub(crate) fn has_access(&self, access: &str) -> bool {
        self.access == access
    }
}

/// What the form says about a fault; a defect of ours stays a fault.
///
/// # Errors
/// The fault, where no form could say anything useful about it.
pub(crate) fn complain(fault: Fault) -> Result<Complaint, Fault> {
    match (fault.kind, fault.code) {
        (_, "precondition_failed") => Ok(Complaint::general(
            "Somebody else has changed this in the meantime. What you typed is still here: save again to put it in place of theirs, \
             or open the page again to see it.",
        )),
        (FaultKind::BadInput | FaultKind::Conflict | FaultKind::TooMany | FaultKind::TooLarge, _) => {
            Ok(Complaint::about(&fault, FIELDS))
        }
        _ => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_that_is_not_ticked_is_false_and_lines_are_as_typed() {
        let fields = Fields { long_text: "one\r\ntwo".into(), genres: "Drama, Night".into(), ..Fields::default() };
        let value = fields.series();
        assert_eq!(value["active"], false);
        assert_eq!((&value["long_text"], &value["genres"]), (&json!("one\ntwo"), &json!(["Drama", "Night"])));
        assert_eq!(fields.count("long_text"), 7);
    }

    #[test]
    fn an_episode_without_a_number_goes_behind_the_last() {
        let fields = Fields { season: "2".into(), ..Fields::default() };
        let value = fields.episode().expect("numbers");
        assert_eq!((&value["season"], value.get("number")), (&json!(2), None));
        let wrong = Fields { number: "two".into(), ..Fields::default() }.episode().expect_err("no number");
        assert_eq!(complain(wrong).expect("for the form").of("number"), Some("Write a number."));
    }

    #[test]
    fn a_defect_of_ours_is_no_complaint_about_the_form() {
        assert!(complain(Fault::bug("x")).is_err() && complain(Fault::not_found("x", "gone")).is_err());
        assert!(complain(Fault::conflict("precondition_failed", "x")).expect("for the form").general.is_some());
    }
}
