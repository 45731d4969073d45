//! Why an uploaded file cannot become a video, in the producer's words. Each has a stable code and a page in the docs.

use serde::{Deserialize, Serialize};

use crate::source::DURATION_MS_MAX;

/// A reason to refuse a file. It is final: the same bytes are refused again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The file has no bytes.
    Empty,
    /// The bytes are of no video container.
    NotAVideo,
    /// A text that names other files.
    Playlist,
    /// A container that is not accepted, by ffmpeg's name for it.
    Container(String),
    /// The end is missing.
    Truncated,
    /// The container is accepted, but cannot be read.
    Damaged,
    /// Protected by digital rights management.
    Encrypted,
    /// A frame is larger than [`crate::command::PIXELS_MAX`].
    FrameTooLarge {
        /// Pixels.
        width: u64,
        /// Pixels.
        height: u64,
    },
    /// Longer than [`DURATION_MS_MAX`].
    TooLong {
        /// How long it is.
        duration_ms: u64,
    },
    /// Neither picture nor sound.
    NothingToPlay,
    /// A codec nobody here can decode, by its name or tag.
    Codec(String),
}

impl Refusal {
    /// The stable code, also the name of its page in the docs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "media.empty",
            Self::NotAVideo => "media.not_a_video",
            Self::Playlist => "media.playlist",
            Self::Container(_) => "media.container_unsupported",
            Self::Truncated => "media.truncated",
            Self::Damaged => "media.damaged",
            Self::Encrypted => "media.encrypted",
            Self::FrameTooLarge { .. } => "media.frame_too_large",
            Self::TooLong { .. } => "media.too_long",
            Self::NothingToPlay => "media.nothing_to_play",
            Self::Codec(_) => "media.codec_unsupported",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty: choose the video and upload it again"),
            Self::NotAVideo => f.write_str("this is not a video file: upload MP4, MOV, MKV, WebM or MPEG-TS"),
            Self::Playlist => f.write_str("this is a playlist, not a video: upload the video file it names"),
            Self::Container(name) => write!(f, "{name} files are not supported: convert it to MP4 and upload that"),
            Self::Truncated => f.write_str("the end of the file is missing: export or copy it again, then upload it"),
            Self::Damaged => f.write_str("the file is damaged and cannot be read: export it again, then upload it"),
            Self::Encrypted => f.write_str("the file is copy-protected: upload one without protection"),
            Self::FrameTooLarge { width, height } => {
                write!(f, "the picture is {width}×{height}: scale it to at most 4096×2176 and upload that")
            }
            Self::TooLong { duration_ms } => {
                let (seconds, minutes_max) = (duration_ms / 1000, DURATION_MS_MAX / 60_000);
                let (minutes, seconds) = (seconds / 60, seconds % 60);
                write!(
                    f,
                    "the video lasts {minutes}:{seconds:02}: longer than {minutes_max} minutes is not supported yet"
                )
            }
            Self::NothingToPlay => f.write_str("the file has neither picture nor sound: check what was exported"),
            Self::Codec(name) => write!(f, "the codec {name} is not supported: export as H.264 with AAC sound"),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_too_long_video_is_told_its_length_and_the_limit() {
        let text = Refusal::TooLong { duration_ms: 754_900 }.to_string();
        assert_eq!(text, "the video lasts 12:34: longer than 10 minutes is not supported yet");
    }
}
