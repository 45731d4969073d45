//! Form encoding, as far as this client needs it: both directions of `application/x-www-form-urlencoded`.

use callboard::Data;

/// Fields of a form, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(String);

impl Form {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(&encode(name));
        self.0.push('=');
        self.0.push_str(&encode(value));
        self
    }

    pub(crate) fn data(self) -> Data {
        Data::form(self.0)
    }
}

/// A text as it stands in a path or a form.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The fields of an encoded form, in order; what is no UTF-8 is replaced.
pub(crate) fn decode(form: &str) -> Vec<(String, String)> {
    let pairs = form.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

fn plain(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&byte, behind)) = rest.split_first() {
        let hex = (byte == b'%').then(|| behind.get(..2)).flatten().and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &behind[2..];
            }
            None => {
                bytes.push(if byte == b'+' { b' ' } else { byte });
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_form_reads_back(fields in proptest::collection::vec(("\\PC{1,12}", "\\PC{0,12}"), 0..6)) {
            let form = fields.iter().fold(Form::new(), |form, (name, value)| form.field(name, value));
            prop_assert!(form.0.is_ascii());
            prop_assert_eq!(decode(&form.0), fields);
        }

        #[test]
        fn no_form_panics(text in "[%a-f0-9+&=é]{0,24}") {
            let _ = decode(&text);
        }
    }
}
