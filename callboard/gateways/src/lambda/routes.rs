//! What a deployment says about its sources: which of them leads where. Text of one line a source, read once at start.

use super::arrival::Arrival;
use super::fields::short;
use callboard::{Fault, Kind, Tenant, Uri};

/// What the sources of a deployment are for.
#[derive(Clone, Debug, Default)]
pub struct Routes(Vec<Route>);

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    source: String,
    pub(crate) aim: Aim,
    /// Its channel, where it is not the usual one.
    pub(crate) tenant: Option<Tenant>,
}

/// What becomes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// This happens on a URI, of which `{name}` segments and `**` are parts of the event.
    On(Kind, String),
    /// The event is a CloudEvent of ours and names its own URI, which must lie here or below.
    Own(Uri),
    /// It only says that something waits.
    Due,
}

const FORM: &str =
    "write `SOURCE KIND /uri`, `SOURCE own /uri` or `SOURCE due`, and ` in CHANNEL` where it is not the usual one";

impl Routes {
    /// Reads lines such as `arn:aws:sqs:*:*:letters post /letters in demo`; `;` separates lines too, `#` begins a remark. A `*` in a
    /// source stands for any text. The first line that fits is taken.
    ///
    /// # Errors
    /// Which line is wrong, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.split(['\n', ';']).map(|line| line.split('#').next().unwrap_or_default().trim());
        lines.filter(|line| !line.is_empty()).map(Route::parse).collect::<Result<_, _>>().map(Self)
    }

    /// The line for a source.
    ///
    /// # Errors
    /// `event.unmapped`, with the line to add.
    pub(crate) fn find(&self, source: &str) -> Result<&Route, Fault> {
        self.0.iter().find(|route| fits(&route.source, source)).ok_or_else(|| {
            let source = short(source);
            let message =
                format!("nothing is said about `{source}`; add `{source} post /uri` to the setting lambda_sources");
            Fault::not_found("event.unmapped", message)
        })
    }
}

impl Route {
    fn parse(line: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("`{line}`: {what}; {FORM}");
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let tenant = match words.as_slice() {
            [.., "in", tenant] => {
                let tenant = Tenant::new(tenant);
                words.truncate(words.len() - 2);
                Some(tenant)
            }
            _ => None,
        };
        let (source, aim) = match words.as_slice() {
            [source, "due"] => (*source, Aim::Due),
            [source, "own", above] => {
                (*source, Aim::Own(Uri::parse(above).map_err(|error| wrong(&error.to_string()))?))
            }
            [source, kind, address] => {
                check_address(address).map_err(|what| wrong(&what))?;
                (*source, Aim::On(Kind::from(kind.to_ascii_lowercase()), (*address).to_owned()))
            }
            _ => return Err(wrong("a line has three words")),
        };
        Ok(Self { source: source.to_owned(), aim, tenant })
    }
}

/// Checks a URI with `{name}` segments and `**` at the end.
fn check_address(address: &str) -> Result<(), String> {
    let plain: Vec<&str> =
        address.split('/').map(|segment| if is_part(segment).is_some() { "x" } else { segment }).collect();
    let last = plain.len() - 1;
    if address.split('/').enumerate().any(|(at, segment)| segment == "**" && at != last) {
        return Err("`**` stands only at the end".to_owned());
    }
    match plain.iter().find(|segment| segment.contains(['{', '}', '*'])) {
        Some(segment) => Err(format!("`{segment}` mixes text with a part; use a whole segment")),
        None => Uri::parse(&plain.join("/")).map(drop).map_err(|error| error.to_string()),
    }
}

/// The name of the part of the event that a segment stands for.
fn is_part(segment: &str) -> Option<&str> {
    if segment == "**" {
        return Some(segment);
    }
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')).then_some(name)
}

/// The URI of an event.
///
/// # Errors
/// `event.address` where it has no such part, or the part cannot stand there.
pub(crate) fn address_of(address: &str, arrival: &Arrival<'_>) -> Result<Uri, Fault> {
    let wrong =
        |what: String| Fault::bad_input("event.address", format!("`{address}` of lambda_sources {}", short(&what)));
    let mut text = String::new();
    for segment in address.split('/').skip(1) {
        text.push('/');
        let Some(name) = is_part(segment) else {
            text.push_str(segment);
            continue;
        };
        let value = arrival.part(name).ok_or_else(|| {
            let names: Vec<&str> = arrival.parts.iter().map(|(name, _)| *name).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            wrong(format!("wants the part `{name}`, and this event has {names}"))
        })?;
        // A part that brings a `/` of its own would lead to another function than whoever wrote the line meant.
        if name != "**" && value.contains('/') {
            return Err(wrong(format!(
                "wants one segment for `{name}`, and `{value}` are several; use `/**` at the end"
            )));
        }
        text.push_str(value);
    }
    Uri::parse(&text).map_err(|error| wrong(format!("leads to `{text}`: {error}")))
}

/// Whether a text is of a form in which `*` stands for any text.
fn fits(form: &str, text: &str) -> bool {
    let mut parts = form.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arrival(parts: &[(&'static str, &str)]) -> Arrival<'static> {
        let mut arrival = Arrival::new("aws:s3", "arn:aws:s3:::footage");
        arrival.parts = parts.iter().map(|(name, value)| (*name, (*value).to_owned().into())).collect();
        arrival
    }

    #[test]
    fn lines_say_what_a_source_is_for() {
        let routes = Routes::parse(
            "# letters\narn:aws:sqs:*:*:letters post /letters/{group} in demo; direct own /letters\n\narn:*:wake due",
        )
        .unwrap();
        let letters = routes.find("arn:aws:sqs:eu-west-1:1:letters").unwrap();
        assert_eq!(letters.aim, Aim::On(Kind::Post, "/letters/{group}".to_owned()));
        assert_eq!(letters.tenant, Some(Tenant::new("demo")));
        assert_eq!(routes.find("direct").unwrap().aim, Aim::Own(Uri::parse("/letters").unwrap()));
        assert_eq!(routes.find("arn:aws:sqs:eu-west-1:1:wake").unwrap().aim, Aim::Due);
        let fault = routes.find("arn:aws:sqs:eu-west-1:1:other").unwrap_err();
        assert_eq!(fault.code, "event.unmapped");
        assert!(fault.message.contains("add `arn:aws:sqs:eu-west-1:1:other post /uri`"), "{fault}");
    }

    #[test]
    fn a_wrong_line_says_what_is_wrong_with_it() {
        for (line, part) in [
            ("arn:x", "three words"),
            ("arn:x post letters", "starts with `/`"),
            ("arn:x post /a/../b", "`.` and `..`"),
            ("arn:x post /a{b}", "mixes text"),
            ("arn:x post /**/a", "only at the end"),
            ("arn:x post /a b", "three words"),
            ("arn:x own ..", "starts with `/`"),
        ] {
            let error = Routes::parse(line).unwrap_err();
            assert!(error.contains(part) && error.contains("SOURCE KIND /uri"), "{line}: {error}");
        }
    }

    #[test]
    fn an_address_takes_parts_of_its_event_and_nothing_escapes_its_segment() {
        let of = |address: &str, key: &str| address_of(address, &arrival(&[("bucket", "footage"), ("**", key)]));
        assert_eq!(of("/in/{bucket}/**", "a/b c.mov").unwrap().as_str(), "/in/footage/a/b c.mov");
        for key in ["../x", "a//b", "a?b", "", "a\\b", "x\u{0}"] {
            assert_eq!(of("/in/**", key).unwrap_err().code, "event.address", "{key}");
        }
        let slash = address_of("/uploads/{key}", &arrival(&[("key", "7/parts")])).unwrap_err();
        assert!(slash.message.contains("use `/**` at the end"), "{slash}");
        let missing = address_of("/uploads/{key}", &arrival(&[("bucket", "b")])).unwrap_err();
        assert!(missing.message.contains("wants the part `key`, and this event has bucket"), "{missing}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}|(arn:[a-z*:]{0,9} (post|own|due) [/a-z{}*]{0,12}( in x)?[;\n]?){1,3}") {
            let _ = Routes::parse(&text);
        }

        #[test]
        fn a_form_fits_whatever_its_stars_stand_for(parts in proptest::collection::vec("[a-c:]{0,3}", 1..4), between in "[a-c]{0,4}") {
            prop_assert!(fits(&parts.join("*"), &parts.join(&between)));
        }

        #[test]
        fn no_part_leads_outside_its_place(key in "\\PC{0,12}|[./\\\\%?#]{0,6}") {
            if let Ok(uri) = address_of("/in/{key}/parts", &arrival(&[("key", &key)])) {
                prop_assert_eq!(uri.segments().count(), 3);
                prop_assert!(uri.as_str().ends_with("/parts"));
            }
            if let Ok(uri) = address_of("/in/**", &arrival(&[("**", &key)])) {
                prop_assert!(uri.is_within(&Uri::parse("/in").unwrap()));
            }
        }
    }
}
