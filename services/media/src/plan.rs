//! Decisions about a measured source: may its streams be copied for the first playable version, and which rungs does
//! the ladder have. Pure rules; the command lines follow from them in [`crate::encode`].

use serde::{Deserialize, Serialize};

use crate::rate::Rate;
use crate::source::{Audio, Source, Transfer, Video};

/// How the first playable version is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quick {
    /// The streams are put into segments as they are.
    Copy,
    /// Encoded at the lowest rung.
    Transcode {
        /// Why a copy would not play everywhere.
        because: String,
    },
}

/// Everything that is encoded from a source, in ascending order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ladder {
    /// The picture; `None` for sound alone.
    pub picture: Option<Picture>,
    /// The sound track that is encoded; `None` for a silent source.
    pub sound: Option<Audio>,
    /// Length of the source.
    pub duration_ms: u64,
}

/// How the picture is encoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Index of the stream in the file.
    pub index: u32,
    /// The frame rate of every rung.
    pub rate: Rate,
    /// Lines of two moments are made into frames first.
    pub deinterlace: bool,
    /// Light is mapped to the range of an ordinary screen.
    pub tonemap: Option<Transfer>,
    /// Ascending by size, at least one.
    pub rungs: Vec<Rung>,
}

/// One size of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// The short side it is called after: 360, 480, 720, 1080, or a smaller source's own.
    pub lines: u32,
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Most kilobits per second.
    pub rate_kbps_max: u32,
}

/// The short sides of the ladder and their most kilobits per second.
pub const RUNGS: [(u32, u32); 4] = [(360, 800), (480, 1_400), (720, 2_800), (1080, 5_000)];

/// A copied source may have this many bits per second.
pub const COPY_BIT_RATE_MAX: u64 = 8_000_000;

/// A copied source may have its keyframes this far apart.
pub const COPY_KEYFRAME_GAP_MS_MAX: u64 = 10_000;

/// Decides how the first playable version of a measured source is made.
#[must_use]
pub fn quick(source: &Source) -> Quick {
    let objection = source.video.as_ref().and_then(picture_objection).or_else(|| sound_objection(&source.audio));
    match objection {
        None => Quick::Copy,
        Some(because) => Quick::Transcode { because },
    }
}

fn picture_objection(video: &Video) -> Option<String> {
    let (width, height) = (video.width.max(video.height), video.width.min(video.height));
    let profiles = ["Constrained Baseline", "Baseline", "Main", "High"];
    let gap_ms = video.keyframe_gap_ms.unwrap_or(u64::MAX);
    let checks = [
        (video.codec != "h264", "the picture is not H.264"),
        (!profiles.contains(&video.profile.as_str()), "its H.264 profile is unusual"),
        (!matches!(video.pix_fmt.as_str(), "yuv420p" | "yuvj420p"), "the picture is not 8-bit 4:2:0"),
        (video.interlaced, "the picture is interlaced"),
        (video.hdr.is_some(), "the picture is HDR"),
        (width > 1920 || height > 1080, "the picture is larger than 1080p"),
        (video.frame_rate.hertz() > 60.5, "there are more than 60 frames a second"),
        (video.bit_rate == 0 || video.bit_rate > COPY_BIT_RATE_MAX, "there are more than 8 Mb/s"),
        (video.rotation != 0, "the picture is rotated"),
        (video.sar != (1, 1), "its pixels are not square"),
        (video.variable_rate, "the frame rate varies"),
        (gap_ms > COPY_KEYFRAME_GAP_MS_MAX, "keyframes are more than 10 s apart"),
        (video.trimmed, "its beginning is cut by an edit list"),
    ];
    checks.into_iter().find(|(bad, _)| *bad).map(|(_, because)| because.to_owned())
}

fn sound_objection(audio: &[Audio]) -> Option<String> {
    let sound = audio.first()?;
    let checks = [
        (sound.codec != "aac" || sound.profile != "LC", "the sound is not AAC-LC"),
        (sound.channels > 2, "the sound has more than two channels"),
        (sound.sample_rate > 48_000, "the sound has more than 48 kHz"),
    ];
    checks.into_iter().find(|(bad, _)| *bad).map(|(_, because)| because.to_owned())
}

impl Ladder {
    /// Everything the source is encoded to.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        let picture = source.video.as_ref().map(|video| Picture {
            index: video.index,
            rate: video.frame_rate.standard(),
            deinterlace: video.interlaced,
            tonemap: video.hdr,
            rungs: rungs(video.shown()),
        });
        Self { picture, sound: source.audio.first().cloned(), duration_ms: source.duration_ms }
    }

    /// The same with the lowest rung alone, which is encoded soonest.
    #[must_use]
    pub fn lowest(mut self) -> Self {
        if let Some(picture) = &mut self.picture {
            picture.rungs.truncate(1);
        }
        self
    }

    /// Length of a segment in microseconds.
    #[must_use]
    pub fn segment_us(&self) -> u64 {
        self.picture.as_ref().map_or(4_000_000, |picture| picture.rate.segment_us())
    }
}

/// The rungs of a picture shown at this size: never larger than it is, and at least one.
///
/// A short side up to a sixteenth below a rung counts as that rung, at its own size, so that 1916×1072 is 1080 lines
/// and not 720.
#[must_use]
pub fn rungs(shown: (u32, u32)) -> Vec<Rung> {
    let short = shown.0.min(shown.1);
    let reached = |lines: u32| u64::from(short) * 16 >= u64::from(lines) * 15;
    let mut rungs: Vec<Rung> = RUNGS
        .into_iter()
        .filter(|(lines, _)| reached(*lines))
        .map(|(lines, rate_kbps_max)| rung(shown, lines, rate_kbps_max))
        .collect();
    if rungs.is_empty() {
        rungs.push(rung(shown, even(short), RUNGS[0].1));
    }
    rungs
}

fn rung((width, height): (u32, u32), lines: u32, rate_kbps_max: u32) -> Rung {
    let (short, long) = (width.min(height), width.max(height));
    let side = even(short.min(lines));
    let scaled = u64::from(long) * u64::from(side) / u64::from(short);
    // Rounding to the nearest even number keeps the shape; it must not exceed the source by doing so.
    let nearest = if short <= lines { u64::from(even(long)) } else { (scaled + 1) & !1 };
    let long = even(u32::try_from(nearest).unwrap_or(u32::MAX).min(long));
    let (width, height) = if width < height { (side, long) } else { (long, side) };
    Rung { lines, width, height, rate_kbps_max }
}

fn even(length: u32) -> u32 {
    (length & !1).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::samples;
    use proptest::prelude::*;

    fn sizes(shown: (u32, u32)) -> Vec<(u32, u32)> {
        rungs(shown).iter().map(|it| (it.width, it.height)).collect()
    }

    #[test]
    fn the_ladder_ends_where_the_source_does() {
        assert_eq!(sizes((1920, 1080)), [(640, 360), (854, 480), (1280, 720), (1920, 1080)]);
        assert_eq!(sizes((3840, 2160)), [(640, 360), (854, 480), (1280, 720), (1920, 1080)]);
        assert_eq!(sizes((1280, 720)), [(640, 360), (854, 480), (1280, 720)]);
        assert_eq!(sizes((1080, 1920)), [(360, 640), (480, 854), (720, 1280), (1080, 1920)]);
        assert_eq!(sizes((640, 480)), [(480, 360), (640, 480)]);
    }

    #[test]
    fn a_smaller_source_keeps_its_own_size() {
        assert_eq!(sizes((320, 240)), [(320, 240)]);
        assert_eq!(sizes((199, 101)), [(198, 100)]);
        assert_eq!(sizes((1, 1)), [(2, 2)]);
    }

    #[test]
    fn nearly_a_rung_is_that_rung() {
        assert_eq!(sizes((1279, 719)).last(), Some(&(1278, 718)));
        assert_eq!(sizes((1916, 1072)).last(), Some(&(1916, 1072)));
    }

    #[test]
    fn an_ordinary_upload_is_copied() {
        assert_eq!(quick(&samples::source()), Quick::Copy);
        assert_eq!(quick(&Source { audio: Vec::new(), ..samples::source() }), Quick::Copy);
        assert_eq!(quick(&Source { video: None, ..samples::source() }), Quick::Copy);
        let upright = Video { width: 1080, height: 1920, ..samples::video() };
        assert_eq!(quick(&Source { video: Some(upright), ..samples::source() }), Quick::Copy);
    }

    #[test]
    fn a_picture_that_would_not_play_everywhere_is_transcoded() {
        let changes: [fn(&mut Video); 13] = [
            |it| it.codec = "hevc".into(),
            |it| it.profile = "High 10".into(),
            |it| it.pix_fmt = "yuv422p".into(),
            |it| it.interlaced = true,
            |it| it.hdr = Some(Transfer::Hlg),
            |it| (it.width, it.height) = (2560, 1080),
            |it| it.frame_rate = Rate { frames: 120, seconds: 1 },
            |it| it.bit_rate = 8_000_001,
            |it| it.rotation = 90,
            |it| it.sar = (4, 3),
            |it| it.variable_rate = true,
            |it| it.keyframe_gap_ms = Some(10_001),
            |it| it.trimmed = true,
        ];
        let mut reasons: Vec<Quick> = changes
            .into_iter()
            .map(|change| {
                let mut video = samples::video();
                change(&mut video);
                quick(&Source { video: Some(video), ..samples::source() })
            })
            .collect();
        assert!(!reasons.contains(&Quick::Copy));
        reasons.dedup();
        assert_eq!(reasons.len(), changes.len(), "each change has its own reason");
    }

    #[test]
    fn limits_themselves_may_be_copied() {
        let mut video = samples::video();
        (video.width, video.height, video.bit_rate) = (1920, 1080, COPY_BIT_RATE_MAX);
        (video.frame_rate, video.keyframe_gap_ms) = (Rate { frames: 60, seconds: 1 }, Some(10_000));
        assert_eq!(quick(&Source { video: Some(video), ..samples::source() }), Quick::Copy);
    }

    #[test]
    fn sound_that_would_not_play_everywhere_is_transcoded() {
        let changes: [fn(&mut Audio); 4] = [
            |it| it.codec = "mp3".into(),
            |it| it.profile = "HE-AAC".into(),
            |it| it.channels = 6,
            |it| it.sample_rate = 96_000,
        ];
        for change in changes {
            let mut audio = samples::audio();
            change(&mut audio);
            let source = Source { audio: vec![audio], ..samples::source() };
            assert!(matches!(quick(&source), Quick::Transcode { because } if because.contains("sound")));
        }
    }

    proptest! {
        #[test]
        fn rungs_are_even_ascending_and_never_larger(width in 2u32..8192, height in 2u32..8192) {
            let rungs = rungs((width, height));
            prop_assert!(!rungs.is_empty());
            for rung in &rungs {
                prop_assert!(rung.width % 2 == 0 && rung.height % 2 == 0 && rung.width > 0 && rung.height > 0);
                prop_assert!(rung.width <= width && rung.height <= height, "{rung:?}");
            }
            for pair in rungs.windows(2) {
                prop_assert!(pair[0].width.min(pair[0].height) < pair[1].width.min(pair[1].height));
                prop_assert!(pair[0].rate_kbps_max < pair[1].rate_kbps_max);
            }
        }

        #[test]
        fn rungs_keep_the_shape(width in 200u32..4096, height in 200u32..4096) {
            let shape = f64::from(width) / f64::from(height);
            for rung in rungs((width, height)) {
                // One even step on either side is all the rounding there is.
                let least = f64::from(rung.width - 2) / f64::from(rung.height + 2);
                let most = f64::from(rung.width + 2) / f64::from(rung.height - 2);
                prop_assert!(least <= shape && shape <= most, "{width}x{height} became {rung:?}");
            }
        }
    }
}
