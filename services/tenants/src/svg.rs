//! Reads the part of XML that drawings need into tags and text. What is harmless and says nothing is skipped:
//! comments, the XML declaration, a document type without entities. It does not know SVG.

/// A piece of a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// The start of an element.
    Open(Tag<'a>),
    /// The end of an element.
    Close(&'a str),
    /// Text between tags, as it stands.
    Text(&'a str),
}

/// The start of an element.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tag<'a> {
    pub(crate) name: &'a str,
    /// Names and values, as they stand between the quotes.
    pub(crate) attributes: Vec<(&'a str, &'a str)>,
    /// Whether it ends at once: `<path/>`.
    pub(crate) is_empty: bool,
}

/// Walks through a document.
pub(crate) struct Scanner<'a> {
    rest: &'a str,
}

const DAMAGED: &str = "the file is not well-formed XML; export it again";

impl<'a> Scanner<'a> {
    /// Begins.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text.strip_prefix('\u{feff}').unwrap_or(text) }
    }

    /// The next piece; none at the end. An error says what is wrong and what to do.
    pub(crate) fn next(&mut self) -> Result<Option<Piece<'a>>, String> {
        while self.skip_silent()? {}
        let Some(behind) = self.rest.strip_prefix('<') else {
            let end = self.rest.find('<').unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Ok((!text.is_empty()).then_some(Piece::Text(text)));
        };
        self.rest = behind;
        if self.take("/") {
            let name = self.name()?;
            self.space();
            return if self.take(">") { Ok(Some(Piece::Close(name))) } else { Err(DAMAGED.to_owned()) };
        }
        self.tag().map(|tag| Some(Piece::Open(tag)))
    }

    /// Skips one thing that says nothing; false where there is none.
    fn skip_silent(&mut self) -> Result<bool, String> {
        let (start, end) = match self.rest {
            text if text.starts_with("<!--") => ("<!--", "-->"),
            text if text.starts_with("<?xml") => ("<?xml", "?>"),
            text if text.starts_with("<!DOCTYPE") => ("<!DOCTYPE", ">"),
            text if text.starts_with("<?") => return Err("leave out processing instructions (`<?…?>`)".to_owned()),
            text if text.starts_with("<!") => return Err("leave out `<!…>` sections; export a plain SVG".to_owned()),
            _ => return Ok(false),
        };
        let (inside, rest) = self.rest[start.len()..].split_once(end).ok_or(DAMAGED)?;
        if start == "<!DOCTYPE" && inside.contains('[') {
            return Err("leave out the entities of the document type; export a plain SVG".to_owned());
        }
        self.rest = rest;
        Ok(true)
    }

    fn tag(&mut self) -> Result<Tag<'a>, String> {
        let mut tag = Tag { name: self.name()?, attributes: Vec::new(), is_empty: false };
        loop {
            let had_space = self.space();
            if self.take(">") {
                return Ok(tag);
            }
            if self.take("/>") {
                tag.is_empty = true;
                return Ok(tag);
            }
            if !had_space {
                return Err(DAMAGED.to_owned());
            }
            tag.attributes.push(self.attribute()?);
        }
    }

    fn attribute(&mut self) -> Result<(&'a str, &'a str), String> {
        let name = self.name()?;
        self.space();
        if !self.take("=") {
            return Err(DAMAGED.to_owned());
        }
        self.space();
        let quote = if self.take("\"") {
            '"'
        } else if self.take("'") {
            '\''
        } else {
            return Err(DAMAGED.to_owned());
        };
        let (value, rest) = self.rest.split_once(quote).ok_or(DAMAGED)?;
        if value.contains('<') {
            return Err(DAMAGED.to_owned());
        }
        self.rest = rest;
        Ok((name, value))
    }

    fn name(&mut self) -> Result<&'a str, String> {
        let is_part = |sign: char| sign.is_ascii_alphanumeric() || "_-.:".contains(sign);
        let end = self.rest.find(|sign| !is_part(sign)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            return Err(DAMAGED.to_owned());
        }
        self.rest = rest;
        Ok(name)
    }

    fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Skips white space; whether there was some.
    fn space(&mut self) -> bool {
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let had_some = rest.len() < self.rest.len();
        self.rest = rest;
        had_some
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
        let mut scanner = Scanner::new(text);
        std::iter::from_fn(|| scanner.next().transpose()).collect()
    }

    #[test]
    fn a_drawing_is_read_and_silent_things_are_skipped() {
        let text = "\u{feff}<?xml version='1.0'?><!DOCTYPE svg PUBLIC \"a\" \"b\"><svg a = '1'\n b=\"x>y\"><!-- <x> --><g/> t</svg >";
        let tag = |name, attributes, is_empty| Piece::Open(Tag { name, attributes, is_empty });
        let want = vec![
            tag("svg", vec![("a", "1"), ("b", "x>y")], false),
            tag("g", vec![], true),
            Piece::Text(" t"),
            Piece::Close("svg"),
        ];
        assert_eq!(pieces(text), Ok(want));
    }

    #[test]
    fn what_could_hide_something_is_refused() {
        for text in [
            "<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>",
            "<?php x ?>",
            "<![CDATA[<script>]]>",
            "<svg a='<script>'/>",
            "<svg a=1/>",
            "<svg a/>",
            "<svg a='1'b='2'/>",
            "<svg a='1",
            "<!-- never ends",
            "<",
            "< svg/>",
            "</svg",
            "<svg/ >",
            "<1svg/>",
        ] {
            assert!(pieces(text).is_err(), "{text} should be refused");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end_or_refused(text in "([<>/!?='\"a-c:\\- ]|<a |<!--|-->|/>|é){0,40}") {
            let _ = pieces(&text);
        }
    }
}
