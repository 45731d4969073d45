//! How times, lengths and fault messages read on a page.

use callboard::Fault;

/// A length as `21:14` or `1:02:03`.
pub(crate) fn length(duration_ms: u64) -> String {
    let seconds = duration_ms.div_ceil(1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A fragment as the start of a sentence, with a full stop.
pub(crate) fn sentence(fragment: &str) -> String {
    let fragment = fragment.trim();
    let mut letters = fragment.chars();
    let Some(first) = letters.next() else { return String::new() };
    let stop = if fragment.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    format!("{}{}{stop}", first.to_uppercase(), letters.as_str())
}

/// A text with the marks of the manual, `**` around what is bold and backticks around code, as HTML.
pub(crate) fn marked(text: &str) -> String {
    between(text, "`", "code", |text| between(text, "**", "b", escape))
}

/// Puts what stands between two marks into an element; a mark without its second stays what it is.
fn between(text: &str, mark: &str, element: &str, outside: impl Fn(&str) -> String) -> String {
    let mut html = String::new();
    let mut rest = text;
    while let Some((before, inside, after)) = pair(rest, mark) {
        html.extend([&outside(before), "<", element, ">", &escape(inside), "</", element, ">"]);
        rest = after;
    }
    html + &outside(rest)
}

fn pair<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let (before, tail) = text.split_once(mark)?;
    let (inside, after) = tail.split_once(mark)?;
    Some((before, inside, after))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What a form says about a fault: beside its fields where it names them, above them otherwise.
#[derive(Debug, Default)]
pub(crate) struct Complaint {
    fields: Vec<(String, String)>,
    /// What belongs to no field.
    pub(crate) general: Option<String>,
}

impl Complaint {
    /// Sorts a fault's errors into the fields that a form has.
    pub(crate) fn about(fault: &Fault, fields: &[&str]) -> Self {
        let known: Vec<(String, String)> = fault
            .errors
            .iter()
            .filter(|error| fields.contains(&error.field.as_str()))
            .map(|error| (error.field.clone(), sentence(&error.message)))
            .collect();
        let general = known.is_empty().then(|| sentence(&fault.message));
        Self { fields: known, general }
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
    fn lengths_read_as_on_a_clock() {
        assert_eq!((length(0), length(20_000), length(19_001)), ("0:00".into(), "0:20".into(), "0:20".into()));
        assert_eq!((length(1_274_000), length(3_723_000)), ("21:14".into(), "1:02:03".into()));
    }

    #[test]
    fn marks_become_elements_and_markup_becomes_text() {
        assert_eq!(marked("no channel `a<b`; **see** *it*"), "no channel <code>a&lt;b</code>; <b>see</b> *it*");
        assert_eq!(marked("`/media/**` & **x** `**`"), "<code>/media/**</code> &amp; <b>x</b> <code>**</code>");
        assert_eq!(marked("a ` b ** <i>"), "a ` b ** &lt;i&gt;");
    }

    #[test]
    fn a_complaint_stands_beside_its_field_or_above_the_form() {
        let fault = Fault::bad_input("x", "the input is not valid").field("title", "write at most 120 characters");
        let beside = Complaint::about(&fault, &["title"]);
        assert_eq!((beside.of("title"), beside.general.as_deref()), (Some("Write at most 120 characters."), None));
        let above = Complaint::about(&fault, &["email"]);
        assert_eq!((above.of("email"), above.general.as_deref()), (None, Some("The input is not valid.")));
    }
}
