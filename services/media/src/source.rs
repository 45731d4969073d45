//! What is known about an uploaded file: its streams and their properties. A value, stored with the flow.

use serde::{Deserialize, Serialize};

use crate::rate::Rate;

/// Longest source that is encoded in one piece, in milliseconds.
pub const DURATION_MS_MAX: u64 = 600_000;

/// A little more is let through, since sound usually ends some frames after the picture.
pub const DURATION_SLACK_MS: u64 = 1_000;

/// A readable file: at least one of picture and sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Length; 0 while the header does not say and the packets were not read.
    pub duration_ms: u64,
    /// The first moving picture.
    pub video: Option<Video>,
    /// Every decodable sound track, in the file's order.
    pub audio: Vec<Audio>,
}

/// The picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Video {
    /// Index of the stream in the file.
    pub index: u32,
    /// ffmpeg's name of the codec, such as `h264`.
    pub codec: String,
    /// Such as `High`; empty when unknown.
    pub profile: String,
    /// Such as 31 for 3.1; 0 when unknown.
    pub level: u32,
    /// Such as `yuv420p`; empty when unknown.
    pub pix_fmt: String,
    /// Stored width in pixels, before rotation.
    pub width: u32,
    /// Stored height in pixels, before rotation.
    pub height: u32,
    /// Shape of a pixel, width to height.
    pub sar: (u32, u32),
    /// Degrees to turn before showing: 0, 90, 180 or 270.
    pub rotation: u16,
    /// Average frame rate.
    pub frame_rate: Rate,
    /// Frames do not follow each other evenly.
    pub variable_rate: bool,
    /// Lines of two moments in one frame.
    pub interlaced: bool,
    /// High dynamic range, and in which transfer.
    pub hdr: Option<Transfer>,
    /// Bits per second; of the whole file when the stream does not say.
    pub bit_rate: u64,
    /// Longest time between two keyframes; `None` before the packets are read, and when the first frame is none.
    pub keyframe_gap_ms: Option<u64>,
    /// An edit list hides frames at the start, which a copy would show.
    pub trimmed: bool,
}

/// How a high dynamic range picture stores light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transfer {
    /// SMPTE ST 2084: HDR10, Dolby Vision.
    Pq,
    /// ARIB STD-B67: broadcast and telephones.
    Hlg,
}

/// One sound track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audio {
    /// Index of the stream in the file.
    pub index: u32,
    /// ffmpeg's name of the codec, such as `aac`.
    pub codec: String,
    /// Such as `LC`; empty when unknown.
    pub profile: String,
    /// Number of channels.
    pub channels: u32,
    /// Samples per second.
    pub sample_rate: u32,
    /// As the file says it, usually three letters such as `deu`.
    pub language: Option<String>,
}

impl Video {
    /// Width and height as shown: turned upright and with square pixels.
    #[must_use]
    pub fn shown(&self) -> (u32, u32) {
        let (num, den) = (u64::from(self.sar.0.max(1)), u64::from(self.sar.1.max(1)));
        let width = (u64::from(self.width) * num + den / 2) / den;
        let width = u32::try_from(width).unwrap_or(u32::MAX).max(1);
        if self.rotation % 180 == 90 { (self.height, width) } else { (width, self.height) }
    }
}

#[cfg(test)]
pub(crate) mod samples {
    //! Sources to start a test from.

    use super::*;

    pub(crate) fn video() -> Video {
        Video {
            index: 0,
            codec: "h264".into(),
            profile: "High".into(),
            level: 31,
            pix_fmt: "yuv420p".into(),
            width: 1280,
            height: 720,
            sar: (1, 1),
            rotation: 0,
            frame_rate: Rate { frames: 30, seconds: 1 },
            variable_rate: false,
            interlaced: false,
            hdr: None,
            bit_rate: 2_700_000,
            keyframe_gap_ms: Some(8_333),
            trimmed: false,
        }
    }

    pub(crate) fn audio() -> Audio {
        Audio {
            index: 1,
            codec: "aac".into(),
            profile: "LC".into(),
            channels: 2,
            sample_rate: 44_100,
            language: Some("deu".into()),
        }
    }

    pub(crate) fn source() -> Source {
        Source { duration_ms: 10_000, video: Some(video()), audio: vec![audio()] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_anamorphic_picture_is_shown_upright_with_square_pixels() {
        let pal = Video { width: 720, height: 576, sar: (64, 45), ..samples::video() };
        assert_eq!(pal.shown(), (1024, 576));
        assert_eq!(Video { rotation: 270, ..pal }.shown(), (576, 1024));
    }
}
