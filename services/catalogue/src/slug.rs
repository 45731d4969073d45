//! The readable part of an address, made from a title: `Night Shift: Año 1` becomes `night-shift-ano-1`.
//!
//! Letters of every script stay; Latin ones lose their accents.

/// Longest slug, in characters.
const CHARS_MAX: usize = 60;
/// How many numbered forms of a slug are tried before a random tail ends the search.
const NUMBERED_MAX: usize = 20;

/// The slug of a text; empty where the text has no letter or digit.
pub(crate) fn slug_of(text: &str) -> String {
    let mut slug = String::new();
    let mut chars = 0;
    let mut is_gap = false;
    for letter in text.chars().flat_map(char::to_lowercase).filter(|&c| !is_dropped(c)) {
        if !letter.is_alphanumeric() {
            is_gap = true;
            continue;
        }
        let gap = if is_gap && !slug.is_empty() { "-" } else { "" };
        let mut buffer = [0; 4];
        let plain = plain(letter).unwrap_or_else(|| letter.encode_utf8(&mut buffer));
        chars += gap.len() + plain.chars().count();
        if chars > CHARS_MAX {
            break;
        }
        slug.push_str(gap);
        slug.push_str(plain);
        is_gap = false;
    }
    slug
}

/// The slug of a text, or `otherwise` where the text has no letter or digit.
pub(crate) fn slug_or(text: &str, otherwise: &str) -> String {
    Some(slug_of(text)).filter(|slug| !slug.is_empty()).unwrap_or_else(|| otherwise.to_owned())
}

/// Slugs to try for a series, best first; the last has a random tail, so one of them is free.
pub(crate) fn candidates(base: &str, tail: &str) -> Vec<String> {
    let numbered = (2..=NUMBERED_MAX).map(|number| format!("{base}-{number}"));
    std::iter::once(base.to_owned()).chain(numbered).chain([format!("{base}-{}", tail.to_lowercase())]).collect()
}

/// Apostrophes, joiners and combining accents stand inside words and leave no gap.
fn is_dropped(c: char) -> bool {
    matches!(c, '\'' | '’' | '\u{00ad}' | '\u{0300}'..='\u{036f}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// The plain form of an accented Latin letter.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn titles_become_addresses() {
        for (title, slug) in [
            ("Night Shift", "night-shift"),
            ("  Año 1: ¿Qué?  ", "ano-1-que"),
            ("Don’t Look", "dont-look"),
            ("Cafe\u{301} Müßig", "cafe-mussig"),
            ("東京 2049", "東京-2049"),
            ("<script>alert(1)</script>", "script-alert-1-script"),
            ("🎬🍿", ""),
            ("../../etc", "etc"),
        ] {
            assert_eq!(slug_of(title), slug, "{title}");
        }
        assert_eq!(slug_or("🎬", "series"), "series");
    }

    #[test]
    fn one_candidate_is_always_free_and_the_plain_one_comes_first() {
        let all = candidates("pilot", "7xQz");
        assert_eq!((all[0].as_str(), all[1].as_str()), ("pilot", "pilot-2"));
        assert_eq!(all.last().map(String::as_str), Some("pilot-7xqz"));
    }

    proptest! {
        #[test]
        fn a_slug_is_one_clean_segment(title in "\\PC{0,200}") {
            let slug = slug_of(&title);
            prop_assert!(slug.chars().all(|c| c.is_alphanumeric() || c == '-'), "{slug}");
            prop_assert!(!slug.starts_with('-') && !slug.ends_with('-') && !slug.contains("--"), "{slug}");
            prop_assert!(slug.chars().count() <= CHARS_MAX);
        }

        #[test]
        fn the_slug_of_a_slug_is_itself(title in "\\PC{0,200}") {
            let slug = slug_of(&title);
            prop_assert_eq!(slug_of(&slug), slug);
        }

        #[test]
        fn case_and_accents_do_not_matter(title in "[a-zA-Z ]{1,40}") {
            prop_assert_eq!(slug_of(&title.to_uppercase()), slug_of(&title));
            prop_assert_eq!(slug_of(&title.replace('a', "á")), slug_of(&title));
        }
    }
}
