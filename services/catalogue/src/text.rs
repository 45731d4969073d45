//! Rules for what people write: how long, and which characters. Text is stored as it is; pages escape it.

use callboard::{Fault, FieldError};

/// Longest title of a series, season or episode.
const TITLE_CHARS_MAX: usize = 120;
/// Longest short text.
const SHORT_CHARS_MAX: usize = 200;
/// Longest long text.
const LONG_CHARS_MAX: usize = 380;
/// Longest genre or tag.
const WORD_CHARS_MAX: usize = 40;

/// Collects what is wrong with the fields of one input, so that a person sees all of it at once.
#[derive(Default)]
pub(crate) struct Fields {
    errors: Vec<FieldError>,
}

impl Fields {
    /// A title: one line with something to see in it.
    pub(crate) fn title(&mut self, field: &str, text: &str) -> String {
        let title = self.text(field, text, TITLE_CHARS_MAX, false);
        if title.is_empty() && self.errors.iter().all(|error| error.field != field) {
            self.wrong(field, "write a title; this one has nothing to see");
        }
        title
    }

    /// A title that may be missing.
    pub(crate) fn optional_title(&mut self, field: &str, text: &str) -> String {
        self.text(field, text, TITLE_CHARS_MAX, false)
    }

    /// A short text: one line.
    pub(crate) fn short(&mut self, field: &str, text: &str) -> String {
        self.text(field, text, SHORT_CHARS_MAX, false)
    }

    /// A long text: lines are kept.
    pub(crate) fn long(&mut self, field: &str, text: &str) -> String {
        self.text(field, text, LONG_CHARS_MAX, true)
    }

    /// Genres or tags: short words, each once, told apart by `key`.
    pub(crate) fn words(
        &mut self,
        field: &str,
        words: &[String],
        count_max: usize,
        key: impl Fn(&str) -> String,
    ) -> Vec<String> {
        if words.len() > count_max {
            self.wrong(field, format!("use at most {count_max}; these are {}", words.len()));
            return Vec::new();
        }
        let mut kept: Vec<String> = Vec::new();
        for (at, word) in words.iter().enumerate() {
            let place = format!("{field}[{at}]");
            let word = self.text(&place, word, WORD_CHARS_MAX, false);
            if key(&word).is_empty() {
                self.wrong(place, "write at least one letter or digit");
            } else if kept.iter().all(|have| key(have) != key(&word)) {
                kept.push(word);
            }
        }
        kept
    }

    /// A number within bounds.
    pub(crate) fn number(&mut self, field: &str, number: i64, most: i64) -> i64 {
        if !(1..=most).contains(&number) {
            self.wrong(field, format!("use a number from 1 to {most}, not {number}"));
        }
        number
    }

    fn text(&mut self, field: &str, text: &str, chars_max: usize, has_lines: bool) -> String {
        clean(text, chars_max, has_lines).unwrap_or_else(|message| {
            self.wrong(field, message);
            String::new()
        })
    }

    fn wrong(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError { field: field.into(), message: message.into() });
    }

    /// Refuses the input where anything was wrong.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        let Some(first) = self.errors.first() else { return Ok(()) };
        let others = match self.errors.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        let mut fault = Fault::bad_input("item.invalid", format!("{}: {}{others}", first.field, first.message));
        fault.errors = self.errors;
        Err(fault)
    }
}

/// Trims a text and checks it: characters are Unicode scalar values, as a person's editor counts them or nearly so.
fn clean(text: &str, chars_max: usize, has_lines: bool) -> Result<String, String> {
    let text = if has_lines { text.replace("\r\n", "\n") } else { text.to_owned() };
    let text = text.trim();
    if text.chars().all(is_invisible) {
        return Ok(String::new());
    }
    if let Some(control) = text.chars().find(|&c| is_forbidden(c) && !(has_lines && c == '\n')) {
        return Err(format!("remove the control character U+{:04X}", u32::from(control)));
    }
    match text.chars().count() {
        count if count > chars_max => Err(format!("use at most {chars_max} characters; these are {count}")),
        _ => Ok(text.to_owned()),
    }
}

/// Control characters, and those that make following text run backwards.
fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202d}' | '\u{202e}')
}

/// Characters that leave nothing to see when they stand alone.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{00ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{2800}' | '\u{3164}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slug::slug_of;
    use proptest::prelude::*;

    #[test]
    fn the_border_counts_scalar_values_not_bytes() {
        let most = "🎬".repeat(120);
        let mut fields = Fields::default();
        assert_eq!(fields.title("title", &format!("  {most}\t")), most);
        fields.finish().expect("120 characters are allowed");
        let mut fields = Fields::default();
        fields.title("title", &format!("{most}🎬"));
        let fault = fields.finish().expect_err("121 are not");
        assert_eq!(fault.code, "item.invalid");
        assert_eq!(fault.errors[0].field, "title");
        assert!(fault.message.contains("at most 120 characters; these are 121"), "{}", fault.message);
    }

    #[test]
    fn markup_is_only_text() {
        let text = "<script>alert('x')</script> & \"more\"";
        assert_eq!(clean(text, 200, false), Ok(text.to_owned()));
    }

    #[test]
    fn a_title_needs_something_to_see() {
        for title in ["", "   ", "\u{200b}\u{200d}", "\n"] {
            let mut fields = Fields::default();
            fields.title("title", title);
            let fault = fields.finish().expect_err("nothing to see");
            assert_eq!(fault.errors.len(), 1, "{title:?}");
        }
    }

    #[test]
    fn lines_stay_only_in_a_long_text() {
        assert_eq!(clean("one\r\ntwo", 380, true), Ok("one\ntwo".to_owned()));
        for text in ["one\ntwo", "bell\u{7}", "back\u{202e}wards", "nul\0"] {
            assert!(clean(text, 200, false).is_err(), "{text:?}");
        }
    }

    #[test]
    fn every_wrong_field_is_named() {
        let mut fields = Fields::default();
        fields.title("title", "");
        fields.short("short_text", &"x".repeat(201));
        fields.words("tags", &["ok".into(), "!!".into()], 16, slug_of);
        fields.number("season", 0, 999);
        let fault = fields.finish().expect_err("four mistakes");
        let names: Vec<&str> = fault.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(names, ["title", "short_text", "tags[1]", "season"]);
    }

    #[test]
    fn a_genre_stands_once_whatever_its_case() {
        let words = ["Sci-Fi", "sci fi", "Drama"].map(str::to_owned);
        assert_eq!(Fields::default().words("genres", &words, 8, slug_of), ["Sci-Fi", "Drama"]);
    }

    proptest! {
        #[test]
        fn clean_text_is_within_its_bounds_and_stays_as_it_is(text in any::<String>(), has_lines: bool) {
            if let Ok(kept) = clean(&text, 50, has_lines) {
                prop_assert!(kept.chars().count() <= 50);
                prop_assert!(kept.chars().all(|c| !c.is_control() || (has_lines && c == '\n')));
                prop_assert_eq!(kept.trim(), &kept);
                prop_assert_eq!(clean(&kept, 50, has_lines), Ok(kept.clone()));
            }
        }

        #[test]
        fn text_that_fits_is_never_changed(text in "[a-zA-Z<>&;🎬é][a-zA-Z <>&;🎬é]{0,48}[a-zA-Z<>&;🎬é]") {
            prop_assert_eq!(clean(&text, 50, false), Ok(text));
        }
    }
}
