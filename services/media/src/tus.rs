//! The words of tus 1.0 (<https://tus.io/protocols/resumable-upload>): what a client says in headers, and what it hears.

use crate::model::{canonical, stored};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard::{Fault, Head, Reply};

/// The version of the protocol that is spoken.
pub(crate) const VERSION: &str = "1.0.0";

/// What goes beyond the core of the protocol.
pub(crate) const EXTENSIONS: &str = "creation,termination";

/// The media type of a part.
const PART: &str = "application/offset+octet-stream";

/// Longest metadata.
const METADATA_BYTES_MAX: usize = 4096;

/// Most entries of the metadata.
const ENTRIES_MAX: usize = 16;

/// Longest name of a file.
const FILENAME_CHARS_MAX: usize = 255;

/// What a client says about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// Name of the file on the producer's machine; only ever shown.
    pub(crate) filename: String,
    /// The episode it is for.
    pub(crate) episode: String,
    /// Whether everything else goes first.
    pub(crate) is_low: bool,
}

/// Refuses a client that speaks another version.
///
/// # Errors
/// `precondition_failed` with the versions that are spoken.
pub(crate) fn check_version(head: &Head) -> Result<(), Fault> {
    match head.meta("tus-resumable") {
        Some(VERSION) => Ok(()),
        _ => {
            let message = format!("send `Tus-Resumable: {VERSION}`; no other version is spoken");
            Err(say(Fault::conflict("precondition_failed", message)).header("tus-version", VERSION))
        }
    }
}

/// The size of the file that will come.
///
/// # Errors
/// `media.upload_length`, `media.empty`, `media.upload_too_large`.
pub(crate) fn length(head: &Head, size_bytes_max: u64) -> Result<u64, Fault> {
    if head.meta("upload-defer-length").is_some() {
        let message = "say the size of the file in `Upload-Length`; it cannot be deferred";
        return Err(Fault::bad_input("media.upload_length", message));
    }
    let size_bytes = head.meta("upload-length").and_then(number).ok_or_else(|| {
        Fault::bad_input("media.upload_length", "send the size of the file in bytes as `Upload-Length`")
    })?;
    if size_bytes == 0 {
        return Err(Fault::bad_input("media.empty", "the file is empty: choose the video and upload it again"));
    }
    if size_bytes > size_bytes_max || stored(size_bytes) == i64::MAX {
        let message = format!("the file has {size_bytes} bytes: this channel takes at most {size_bytes_max}");
        return Err(Fault::too_large("media.upload_too_large", message));
    }
    Ok(size_bytes)
}

/// Where a part begins.
///
/// # Errors
/// `media.offset`, `media_type`.
pub(crate) fn offset(head: &Head) -> Result<u64, Fault> {
    if let Some(media_type) = head.meta("content-type")
        && media_type.split(';').next().map(str::trim) != Some(PART)
    {
        return Err(Fault::bad_input("media_type", format!("send the bytes as `{PART}`, not `{media_type}`")));
    }
    head.meta("upload-offset").and_then(number).ok_or_else(|| {
        Fault::bad_input("media.offset", "say in `Upload-Offset` where the bytes begin; ask the upload for it")
    })
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads `filename bmFtZQ==,episode …`. Entries that mean nothing here are ignored.
///
/// # Errors
/// `media.upload_metadata` says which entry is wrong.
pub(crate) fn metadata(text: &str) -> Result<Metadata, Fault> {
    if text.len() > METADATA_BYTES_MAX || text.split(',').count() > ENTRIES_MAX {
        let most = format!("at most {ENTRIES_MAX} entries in {METADATA_BYTES_MAX} bytes");
        return Err(wrong("upload-metadata", format!("send {most}")));
    }
    let (mut filename, mut episode, mut priority) = (None, None, None);
    for entry in text.split(',') {
        let (key, value) = entry.trim().split_once(' ').unwrap_or((entry.trim(), ""));
        let place = match key {
            "filename" => &mut filename,
            "episode" => &mut episode,
            "priority" => &mut priority,
            _ => continue,
        };
        let bytes = STANDARD.decode(value.trim()).ok();
        let value = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let value = value.ok_or_else(|| wrong(key, "encode its UTF-8 text as base64".into()))?;
        if place.replace(value).is_some() {
            return Err(wrong(key, "send it once".into()));
        }
    }
    let filename = filename.unwrap_or_default();
    if filename.chars().count() > FILENAME_CHARS_MAX || filename.chars().any(char::is_control) {
        let most = format!("use at most {FILENAME_CHARS_MAX} characters, and no control characters");
        return Err(wrong("filename", most));
    }
    let is_low = match priority.as_deref() {
        None | Some("normal") => false,
        Some("low") => true,
        Some(_) => return Err(wrong("priority", "say `normal` or `low`".into())),
    };
    let episode = episode.filter(|id| canonical(id).is_some());
    let episode = episode.ok_or_else(|| wrong("episode", "send the id of the episode the video is for".into()))?;
    Ok(Metadata { filename, episode, is_low })
}

fn wrong(field: &str, remedy: String) -> Fault {
    let message = format!("`{field}` of `Upload-Metadata` is not as expected: {remedy}");
    Fault::bad_input("media.upload_metadata", message).field(field, remedy)
}

/// Adds to an answer what every answer of the protocol carries.
pub(crate) fn answer<T>(reply: Reply<T>) -> Reply<T> {
    reply.header("tus-resumable", VERSION).header("cache-control", "no-store")
}

/// Adds to a fault what every answer of the protocol carries.
pub(crate) fn say(fault: Fault) -> Fault {
    fault.header("tus-resumable", VERSION).header("cache-control", "no-store")
}

/// The answer that says how much has arrived.
pub(crate) fn arrived(offset_bytes: u64) -> Reply {
    answer(Reply::nothing()).header("upload-offset", offset_bytes.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EPISODE: &str = "019b0000-0000-7000-8000-000000000001";

    fn encoded(entries: &[(&str, &str)]) -> String {
        let entries: Vec<String> =
            entries.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
        entries.join(",")
    }

    #[test]
    fn what_browsers_send_is_read() {
        let text = format!("{},relativePath", encoded(&[("filename", "Kränkung 🎬.mp4"), ("episode", EPISODE)]));
        let expected = Metadata { filename: "Kränkung 🎬.mp4".into(), episode: EPISODE.into(), is_low: false };
        assert_eq!(metadata(&text), Ok(expected));
        assert_eq!(metadata(&encoded(&[("episode", EPISODE), ("priority", "low")])).map(|it| it.is_low), Ok(true));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let upper = EPISODE.to_uppercase();
        let long = "x".repeat(256);
        for (text, field) in [
            (String::new(), "episode"),
            (encoded(&[("episode", "1")]), "episode"),
            (encoded(&[("episode", &upper)]), "episode"),
            (format!("episode {EPISODE}"), "episode"),
            (encoded(&[("episode", EPISODE), ("episode", EPISODE)]), "episode"),
            (encoded(&[("episode", EPISODE), ("filename", "a\nb")]), "filename"),
            (encoded(&[("episode", EPISODE), ("filename", &long)]), "filename"),
            (encoded(&[("episode", EPISODE), ("priority", "highest")]), "priority"),
            (",".repeat(ENTRIES_MAX), "upload-metadata"),
            ("x".repeat(METADATA_BYTES_MAX + 1), "upload-metadata"),
        ] {
            let fault = metadata(&text).expect_err("it is wrong");
            assert_eq!((fault.code, fault.errors[0].field.as_str()), ("media.upload_metadata", field), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_metadata_is_read_or_refused(text in "((filename|episode|priority| |,|=)|[ -~]){0,40}") {
            if let Ok(metadata) = metadata(&text) {
                prop_assert!(canonical(&metadata.episode).is_some());
            }
        }

        #[test]
        fn a_number_is_only_digits(text in "[-+ 0-9.e]{0,22}") {
            prop_assert!(number(&text).is_none_or(|read| text.trim_start_matches('0') == read.to_string().trim_start_matches('0')));
        }
    }
}
