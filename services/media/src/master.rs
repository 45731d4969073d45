//! Our own master playlist, from what was measured: sizes and durations of the segments, and the codecs that the
//! initialisation segments name. ffmpeg's own guesses are not used.

use std::fmt::Write;

use crate::boxes::{Stream, describe};
use crate::encode::{PLAYLIST, Rendition};
use crate::playlist::{Malformed, Playlist};

/// A rendition that has been encoded, and what was found in its folder.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Which it is.
    pub rendition: Rendition,
    /// Its playlist.
    pub playlist: Playlist,
    /// Sizes of the segments in the playlist's order.
    pub sizes_bytes: Vec<u64>,
    /// The bytes of its initialisation segment.
    pub init: Vec<u8>,
}

/// Writes the master playlist of a version: pictures in the given order, with the sound as a group of its own, or the
/// sound alone. `independent` says that every segment begins with a frame that needs no other, true of a ladder.
///
/// # Errors
/// When a rendition is not described by its initialisation segment, or sizes are missing.
pub fn master(renditions: &[Encoded], independent: bool) -> Result<String, Malformed> {
    let mut pictures = Vec::new();
    let mut sounds = Vec::new();
    for encoded in renditions {
        let rate = measure(&encoded.playlist, &encoded.sizes_bytes)?;
        match describe(&encoded.init).ok_or(Malformed("its codec cannot be told"))? {
            Stream::Picture { codec, width, height } => pictures.push((encoded, rate, codec, (width, height))),
            Stream::Sound { codec, channels } => sounds.push((encoded, rate, codec, channels)),
        }
    }
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n");
    if independent {
        text += "#EXT-X-INDEPENDENT-SEGMENTS\n";
    }
    if pictures.is_empty() {
        let (encoded, rate, codec, _) = sounds.first().ok_or(Malformed("there is no rendition"))?;
        let folder = &encoded.rendition.folder;
        let _ = write!(text, "#EXT-X-STREAM-INF:{rate},CODECS=\"{codec}\"\n{folder}/{PLAYLIST}\n");
        return Ok(text);
    }
    for (number, (encoded, _, _, channels)) in sounds.iter().enumerate() {
        text += &alternative(&encoded.rendition, *channels, number == 0);
    }
    for (encoded, rate, codec, (width, height)) in pictures {
        // The group's costliest member may be the one that plays beside the picture.
        let sound = sounds.iter().map(|it| it.1).reduce(Rates::costlier);
        let rate = sound.map_or(rate, |sound| rate.beside(sound));
        let codecs = sounds.first().map_or(codec.clone(), |sound| format!("{codec},{}", sound.2));
        let _ = write!(text, "#EXT-X-STREAM-INF:{rate},CODECS=\"{codecs}\",RESOLUTION={width}x{height}");
        if let Some(frames) = encoded.rendition.frame_rate {
            let _ = write!(text, ",FRAME-RATE={:.3}", frames.hertz());
        }
        text += if sounds.is_empty() { ",CLOSED-CAPTIONS=NONE\n" } else { ",CLOSED-CAPTIONS=NONE,AUDIO=\"audio\"\n" };
        let _ = writeln!(text, "{}/{PLAYLIST}", encoded.rendition.folder);
    }
    Ok(text)
}

fn alternative(rendition: &Rendition, channels: u16, default: bool) -> String {
    let known = rendition.language.as_deref().and_then(|code| LANGUAGES.iter().find(|it| it.0 == code || it.1 == code));
    let (name, language) = match known {
        Some((_, tag, name)) => (*name, format!(",LANGUAGE=\"{tag}\"")),
        None => ("Audio", String::new()),
    };
    let default = if default { "YES" } else { "NO" };
    let folder = &rendition.folder;
    format!(
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"{name}\"{language},DEFAULT={default},AUTOSELECT=YES,\
         CHANNELS=\"{channels}\",URI=\"{folder}/{PLAYLIST}\"\n"
    )
}

/// Bits per second, as RFC 8216 wants them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rates {
    peak_bps: u64,
    average_bps: u64,
}

impl Rates {
    fn beside(self, other: Self) -> Self {
        Self { peak_bps: self.peak_bps + other.peak_bps, average_bps: self.average_bps + other.average_bps }
    }

    fn costlier(self, other: Self) -> Self {
        if other.peak_bps > self.peak_bps { other } else { self }
    }
}

impl std::fmt::Display for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BANDWIDTH={},AVERAGE-BANDWIDTH={}", self.peak_bps, self.average_bps)
    }
}

/// The peak is the highest rate of consecutive segments that together last a half to one and a half target durations;
/// so a last segment of a few frames, which is all keyframe, does not count alone.
fn measure(playlist: &Playlist, sizes_bytes: &[u64]) -> Result<Rates, Malformed> {
    if sizes_bytes.len() != playlist.segments.len() {
        return Err(Malformed("the size of a segment is missing"));
    }
    let target_us = playlist.target_s * 1_000_000;
    let average_bps = bits_per_second(sizes_bytes.iter().sum(), playlist.duration_us());
    let mut peak_bps = average_bps;
    for first in 0..sizes_bytes.len() {
        let (mut bytes, mut length_us) = (0, 0);
        for (size, segment) in sizes_bytes[first..].iter().zip(&playlist.segments[first..]) {
            bytes += size;
            length_us += segment.duration_us;
            if length_us * 2 > target_us * 3 {
                break;
            }
            if length_us * 2 >= target_us {
                peak_bps = peak_bps.max(bits_per_second(bytes, length_us));
            }
        }
    }
    Ok(Rates { peak_bps, average_bps })
}

fn bits_per_second(bytes: u64, length_us: u64) -> u64 {
    (bytes * 8_000_000).div_ceil(length_us.max(1))
}

/// Languages by the code that containers use, the tag that playlists want, and their own name; any other goes unnamed.
const LANGUAGES: [(&str, &str, &str); 30] = [
    ("ara", "ar", "العربية"),
    ("ben", "bn", "বাংলা"),
    ("bul", "bg", "Български"),
    ("ces", "cs", "Čeština"),
    ("dan", "da", "Dansk"),
    ("deu", "de", "Deutsch"),
    ("ger", "de", "Deutsch"),
    ("ell", "el", "Ελληνικά"),
    ("eng", "en", "English"),
    ("fas", "fa", "فارسی"),
    ("fin", "fi", "Suomi"),
    ("fra", "fr", "Français"),
    ("fre", "fr", "Français"),
    ("heb", "he", "עברית"),
    ("hin", "hi", "हिन्दी"),
    ("hun", "hu", "Magyar"),
    ("ind", "id", "Bahasa Indonesia"),
    ("ita", "it", "Italiano"),
    ("jpn", "ja", "日本語"),
    ("kor", "ko", "한국어"),
    ("nld", "nl", "Nederlands"),
    ("nor", "no", "Norsk"),
    ("pol", "pl", "Polski"),
    ("por", "pt", "Português"),
    ("rus", "ru", "Русский"),
    ("spa", "es", "Español"),
    ("swe", "sv", "Svenska"),
    ("tur", "tr", "Türkçe"),
    ("ukr", "uk", "Українська"),
    ("zho", "zh", "中文"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::samples::{picture, sound};
    use crate::playlist::{Segment, samples::WHOLE};
    use crate::rate::Rate;
    use proptest::prelude::*;

    fn video(lines: u16, width: u16, sizes_bytes: [u64; 3]) -> Encoded {
        let frame_rate = Some(Rate { frames: 30000, seconds: 1001 });
        Encoded {
            rendition: Rendition { folder: format!("v{lines}"), frame_rate, language: None },
            playlist: Playlist::parse(WHOLE).expect("a playlist"),
            sizes_bytes: sizes_bytes.to_vec(),
            init: picture(width, lines),
        }
    }

    fn audio(language: &str) -> Encoded {
        let rendition = Rendition { folder: "audio".into(), frame_rate: None, language: Some(language.into()) };
        Encoded { rendition, init: sound(), ..video(0, 0, [64_000, 64_000, 32_000]) }
    }

    #[test]
    fn a_ladder_has_a_level_for_each_rung_and_a_group_for_the_sound() {
        let renditions = [video(360, 640, [200_000, 300_000, 90_000]), audio("deu")];
        let text = master(&renditions, true).expect("a master playlist");
        let expected = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Deutsch\",LANGUAGE=\"de\",DEFAULT=YES,AUTOSELECT=YES,\
            CHANNELS=\"2\",URI=\"audio/index.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=728000,AVERAGE-BANDWIDTH=600000,CODECS=\"avc1.64001f,mp4a.40.2\",\
            RESOLUTION=640x360,FRAME-RATE=29.970,CLOSED-CAPTIONS=NONE,AUDIO=\"audio\"\nv360/index.m3u8\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_silent_video_has_no_group() {
        let text = master(&[video(360, 640, [1, 1, 1])], true).expect("a master playlist");
        assert!(!text.contains("AUDIO") && !text.contains("mp4a"));
    }

    #[test]
    fn sound_alone_is_its_own_level() {
        let text = master(&[audio("und")], false).expect("a master playlist");
        let level = "#EXT-X-STREAM-INF:BANDWIDTH=128000,AVERAGE-BANDWIDTH=128000,CODECS=\"mp4a.40.2\"";
        assert_eq!(text, format!("#EXTM3U\n#EXT-X-VERSION:7\n{level}\naudio/index.m3u8\n"));
    }

    #[test]
    fn a_language_cannot_write_into_the_playlist() {
        let renditions = [video(360, 640, [1, 1, 1]), audio("x\",URI=\"http://evil\n#EXT")];
        let text = master(&renditions, true).expect("a master playlist");
        assert!(!text.contains("evil") && text.contains("NAME=\"Audio\",DEFAULT"));
    }

    #[test]
    fn a_short_last_segment_does_not_set_the_peak() {
        let mut encoded = video(360, 640, [400_000, 400_000, 50_000]);
        encoded.playlist.segments[2].duration_us = 33_333;
        let rates = measure(&encoded.playlist, &encoded.sizes_bytes).expect("rates");
        // The last two together: 450,000 bytes in 4.033 s.
        assert_eq!(rates.peak_bps, 892_563);
    }

    #[test]
    fn an_unmeasured_segment_is_an_error() {
        let encoded = Encoded { sizes_bytes: vec![1, 2], ..video(360, 640, [0; 3]) };
        assert_eq!(master(&[encoded], true), Err(Malformed("the size of a segment is missing")));
        assert_eq!(master(&[], true), Err(Malformed("there is no rendition")));
    }

    proptest! {
        #[test]
        fn the_peak_is_never_below_the_average(
            segments in prop::collection::vec((1u64..5_000_000, 1u64..8_000_000), 1..40), target_s in 1u64..9,
        ) {
            let sizes: Vec<u64> = segments.iter().map(|it| it.0).collect();
            let segments =
                segments.iter().map(|it| Segment { name: "a".into(), duration_us: it.1 }).collect();
            let playlist = Playlist { init: "i".into(), target_s, segments };
            let rates = measure(&playlist, &sizes).expect("rates");
            prop_assert!(rates.peak_bps >= rates.average_bps);
        }

        #[test]
        fn every_master_playlist_is_read_by_another_reader(sizes in any::<[u32; 12]>(), levels in 1usize..4, with_sound: bool) {
            let all = [(360, 640), (480, 854), (720, 1280)];
            let mut renditions: Vec<Encoded> = all[..levels]
                .iter()
                .zip(sizes.chunks(3))
                .map(|((lines, width), it)| video(*lines, *width, [it[0].into(), it[1].into(), it[2].into()]))
                .collect();
            if with_sound {
                renditions.push(audio("fra"));
            }
            let text = master(&renditions, true).expect("a master playlist");
            let (rest, read) = m3u8_rs::parse_master_playlist(text.as_bytes()).expect("a playlist");
            prop_assert!(rest.is_empty() && read.independent_segments);
            prop_assert_eq!(read.variants.len(), levels);
            prop_assert_eq!(read.alternatives.len(), usize::from(with_sound));
            prop_assert!(read.variants.iter().all(|it| it.average_bandwidth.expect("there") <= it.bandwidth));
        }
    }
}
