//! Asking ffprobe what a file is: the command line, and the reading of its answer into a [`Source`] or a [`Refusal`].
//! Frames are not counted here; that is [`crate::packets`].

use std::path::Path;

use serde::Deserialize;

use crate::command::{Command, PIXELS_MAX};
use crate::rate::Rate;
use crate::refusal::Refusal;
use crate::source::{Audio, DURATION_MS_MAX, DURATION_SLACK_MS, Source, Transfer, Video};

/// How many bytes of the file's beginning [`read`] wants to see.
pub const HEAD_BYTES: usize = 1024;

const FIELDS: &str = "format=duration,bit_rate:stream=index,codec_type,codec_name,profile,codec_tag_string,pix_fmt,\
                      level,width,height,sample_aspect_ratio,r_frame_rate,avg_frame_rate,field_order,color_transfer,\
                      bit_rate,channels,sample_rate:stream_tags=language:stream_disposition=attached_pic:\
                      stream_side_data=rotation:error";

/// The command that describes the file at `path` as JSON.
#[must_use]
pub fn command(path: &Path) -> Command {
    Command::ffprobe().args(&["-of", "json", "-show_error", "-show_entries", FIELDS]).source(path)
}

/// Reads what [`command`] printed; `head` is the beginning of the file, up to [`HEAD_BYTES`].
///
/// # Errors
/// The reason to refuse the file. The exit status is not needed: ffprobe prints no streams when it fails.
pub fn read(head: &[u8], stdout: &[u8], stderr: &str) -> Result<Source, Refusal> {
    if head.is_empty() {
        return Err(Refusal::Empty);
    }
    if names_other_files(head) {
        return Err(Refusal::Playlist);
    }
    if let Some(format) = refused_format(stderr) {
        return Err(format);
    }
    if let Some((width, height)) = refused_frame(stderr) {
        return Err(Refusal::FrameTooLarge { width, height });
    }
    let report: Report = serde_json::from_slice(stdout).unwrap_or_default();
    match report.format {
        Some(format) if report.error.is_none() => source(&format, &report.streams),
        _ => Err(unreadable(head, stderr)),
    }
}

fn source(format: &Format, streams: &[Stream]) -> Result<Source, Refusal> {
    if streams.iter().any(|stream| PROTECTED.contains(&stream.codec_tag_string.as_str())) {
        return Err(Refusal::Encrypted);
    }
    let pictures = || streams.iter().filter(|it| it.codec_type == "video" && it.disposition.attached_pic == 0);
    let sounds = || streams.iter().filter(|it| it.codec_type == "audio");
    let decodable = |stream: &&Stream| !matches!(stream.codec_name.as_str(), "" | "unknown" | "none");
    if let Some(unknown) = pictures().next().filter(|it| !decodable(it)) {
        return Err(Refusal::Codec(tag_name(unknown)));
    }
    let video = pictures().next().map(|it| video(it, format)).transpose()?;
    let audio: Vec<Audio> = sounds().filter(decodable).filter(|it| it.channels > 0).map(audio).collect();
    match (sounds().next(), &video) {
        (None, None) => return Err(Refusal::NothingToPlay),
        (Some(unknown), _) if audio.is_empty() => return Err(Refusal::Codec(tag_name(unknown))),
        _ => {}
    }
    let duration_ms = milliseconds(&format.duration).unwrap_or(0);
    check_length(duration_ms)?;
    Ok(Source { duration_ms, video, audio })
}

/// Refuses a source that is longer than what is encoded in one piece.
pub(crate) fn check_length(duration_ms: u64) -> Result<(), Refusal> {
    if duration_ms > DURATION_MS_MAX + DURATION_SLACK_MS {
        return Err(Refusal::TooLong { duration_ms });
    }
    Ok(())
}

fn video(stream: &Stream, format: &Format) -> Result<Video, Refusal> {
    let (width, height) = (stream.width, stream.height);
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(Refusal::FrameTooLarge { width: width.into(), height: height.into() });
    }
    if width == 0 || height == 0 {
        return Err(Refusal::Damaged);
    }
    let average = Rate::parse(&stream.avg_frame_rate);
    let ticks = Rate::parse(&stream.r_frame_rate);
    let turned = stream.side_data_list.iter().find_map(|it| it.rotation).unwrap_or(0.0);
    Ok(Video {
        index: stream.index,
        codec: stream.codec_name.clone(),
        profile: stream.profile.clone(),
        level: u32::try_from(stream.level).unwrap_or(0),
        pix_fmt: stream.pix_fmt.clone(),
        width,
        height,
        sar: ratio(&stream.sample_aspect_ratio).unwrap_or((1, 1)),
        rotation: quarter_turn(turned),
        frame_rate: average.or(ticks).unwrap_or(Rate { frames: 30, seconds: 1 }),
        variable_rate: average.is_none() || average != ticks,
        interlaced: matches!(stream.field_order.as_str(), "tt" | "bb" | "tb" | "bt"),
        hdr: match stream.color_transfer.as_str() {
            "smpte2084" => Some(Transfer::Pq),
            "arib-std-b67" => Some(Transfer::Hlg),
            _ => None,
        },
        bit_rate: stream.bit_rate.parse().or_else(|_| format.bit_rate.parse()).unwrap_or(0),
        keyframe_gap_ms: None,
        trimmed: false,
    })
}

fn audio(stream: &Stream) -> Audio {
    Audio {
        index: stream.index,
        codec: stream.codec_name.clone(),
        profile: stream.profile.clone(),
        channels: stream.channels,
        sample_rate: stream.sample_rate.parse().unwrap_or(0),
        language: stream.tags.language.clone(),
    }
}

fn quarter_turn(degrees: f64) -> u16 {
    let quarters = (degrees / 90.0).round().rem_euclid(4.0);
    90 * (quarters as u16 % 4)
}

fn ratio(text: &str) -> Option<(u32, u32)> {
    let (num, den) = text.split_once(':')?;
    let (num, den) = (num.parse().ok()?, den.parse().ok()?);
    (num > 0 && den > 0).then_some((num, den))
}

/// Milliseconds of a decimal number of seconds; `None` for `N/A`, the infinite and the negative.
pub(crate) fn milliseconds(seconds: &str) -> Option<u64> {
    let seconds: f64 = seconds.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then_some((seconds * 1000.0).round() as u64)
}

/// The name of a codec without a decoder: its tag in the file, reduced to what may stand in a message.
fn tag_name(stream: &Stream) -> String {
    let plain: String = stream.codec_tag_string.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    if plain.is_empty() { "of this file".into() } else { plain }
}

fn names_other_files(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let beginnings: [&[u8]; 5] = [b"#EXTM3U", b"ffconcat", b"[playlist]", b"<MPD", b"<smil"];
    beginnings.iter().any(|it| text.starts_with(it)) || text.starts_with(b"<?xml") && contains(text, b"<MPD")
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// `[hls @ 0x55…] Format not on whitelist 'mov,…'` names the demuxer that would have been used.
fn refused_format(stderr: &str) -> Option<Refusal> {
    let line = stderr.lines().find(|line| line.contains("Format not on whitelist"))?;
    let name = line.strip_prefix('[')?.split([' ', ',']).next()?;
    let name: String = name.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '_').take(24).collect();
    Some(match name.as_str() {
        "hls" | "concat" | "dash" | "sdp" | "rtsp" | "imf" => Refusal::Playlist,
        "tty" | "" => Refusal::NotAVideo,
        _ if name.ends_with("_pipe") || name.starts_with("image2") => Refusal::NotAVideo,
        _ => Refusal::Container(name),
    })
}

/// `Picture size 8192x4096 exceeds …` is printed by every decoder that meets too large a frame.
fn refused_frame(stderr: &str) -> Option<(u64, u64)> {
    let (_, rest) = stderr.split_once("Picture size ")?;
    let (width, height) = rest.split(' ').next()?.split_once('x')?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

/// What a file is that ffprobe could not open: cut off, damaged, or no video at all.
fn unreadable(head: &[u8], stderr: &str) -> Refusal {
    let iso = head.get(4..8).is_some_and(|kind| ISO_BOXES.iter().any(|it| it.as_slice() == kind));
    let matroska = head.starts_with(b"\x1a\x45\xdf\xa3");
    let transport = head.len() > 376 && [0, 188, 376].iter().all(|at| head[*at] == 0x47);
    let cut = ["moov atom not found", "End of file", "ended prematurely"].iter().any(|it| stderr.contains(it));
    match iso || matroska || transport {
        true if cut => Refusal::Truncated,
        true => Refusal::Damaged,
        false => Refusal::NotAVideo,
    }
}

const ISO_BOXES: [&[u8; 4]; 9] = [b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof"];

const PROTECTED: [&str; 4] = ["encv", "enca", "drmi", "drms"];

#[derive(Default, Deserialize)]
struct Report {
    #[serde(default)]
    streams: Vec<Stream>,
    format: Option<Format>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Format {
    duration: String,
    bit_rate: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stream {
    index: u32,
    codec_type: String,
    codec_name: String,
    codec_tag_string: String,
    profile: String,
    level: i64,
    pix_fmt: String,
    width: u32,
    height: u32,
    sample_aspect_ratio: String,
    r_frame_rate: String,
    avg_frame_rate: String,
    field_order: String,
    color_transfer: String,
    bit_rate: String,
    channels: u32,
    sample_rate: String,
    tags: Tags,
    disposition: Disposition,
    side_data_list: Vec<SideData>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tags {
    language: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Disposition {
    attached_pic: u8,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const MP4: &[u8] = b"\0\0\0\x20ftypisom";

    fn picture() -> Value {
        json!({"index": 0, "codec_type": "video", "codec_name": "h264", "profile": "High", "level": 31,
            "width": 1280, "height": 720, "sample_aspect_ratio": "1:1", "pix_fmt": "yuv420p",
            "field_order": "progressive", "r_frame_rate": "30/1", "avg_frame_rate": "30/1",
            "codec_tag_string": "avc1", "bit_rate": "2677490", "disposition": {"attached_pic": 0}})
    }

    fn sound() -> Value {
        json!({"index": 1, "codec_type": "audio", "codec_name": "aac", "profile": "LC", "channels": 2,
            "sample_rate": "44100", "codec_tag_string": "mp4a", "tags": {"language": "deu"}})
    }

    fn probed(streams: &[Value], duration: &str) -> Result<Source, Refusal> {
        let report = json!({"streams": streams, "format": {"duration": duration, "bit_rate": "2815469"}});
        read(MP4, report.to_string().as_bytes(), "")
    }

    fn with(mut stream: Value, field: &str, value: Value) -> Value {
        stream[field] = value;
        stream
    }

    #[test]
    fn an_ordinary_mp4_is_read_whole() {
        let source = probed(&[picture(), sound()], "10.000000").expect("a source");
        let mut expected = crate::source::samples::source();
        let video = expected.video.as_mut().expect("a picture");
        (video.keyframe_gap_ms, video.bit_rate) = (None, 2_677_490);
        assert_eq!(source, expected);
    }

    #[test]
    fn cover_art_is_no_picture() {
        let cover = with(picture(), "disposition", json!({"attached_pic": 1}));
        let source = probed(&[cover, sound()], "3.0").expect("a source");
        assert_eq!(source.video, None);
    }

    #[test]
    fn a_telephone_held_upright_is_turned() {
        for (said, read) in [(-90.0, 270), (90.0, 90), (180.0, 180), (-0.0, 0), (359.9, 0)] {
            let turned = with(picture(), "side_data_list", json!([{}, {"rotation": said}]));
            let video = probed(&[turned], "3.0").expect("a source").video.expect("a picture");
            assert_eq!(video.rotation, read, "{said}");
        }
    }

    #[test]
    fn light_and_lines_are_recognised() {
        let hlg = with(with(picture(), "color_transfer", json!("arib-std-b67")), "field_order", json!("tb"));
        let video = probed(&[hlg], "3.0").expect("a source").video.expect("a picture");
        assert_eq!((video.hdr, video.interlaced), (Some(Transfer::Hlg), true));
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_its_reason() {
        let subtitle = json!({"codec_type": "subtitle", "codec_name": "mov_text"});
        let unknown = with(with(picture(), "codec_name", json!("unknown")), "codec_tag_string", json!("zz\"\n1"));
        let cases = [
            (probed(&[subtitle], "3.0"), Refusal::NothingToPlay),
            (probed(&[], "3.0"), Refusal::NothingToPlay),
            (probed(&[picture()], "601.001"), Refusal::TooLong { duration_ms: 601_001 }),
            (probed(&[unknown], "3.0"), Refusal::Codec("zz1".into())),
            (probed(&[with(picture(), "codec_tag_string", json!("encv"))], "3.0"), Refusal::Encrypted),
            (
                probed(&[with(picture(), "width", json!(100_000))], "3.0"),
                Refusal::FrameTooLarge { width: 100_000, height: 720 },
            ),
        ];
        for (answer, refusal) in cases {
            assert_eq!(answer, Err(refusal));
        }
        assert!(probed(&[picture()], "600.9").is_ok(), "sound that ends a little late is no reason to refuse");
    }

    #[test]
    fn what_ffprobe_could_not_open_is_told_apart() {
        let whitelist = |name: &str| format!("[{name} @ 0x55] Format not on whitelist 'mov,matroska,mpegts'\n");
        let missing = "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x55] moov atom not found\n";
        let cases: [(&[u8], String, Refusal); 9] = [
            (b"", missing.into(), Refusal::Empty),
            (b"hello, text", missing.into(), Refusal::NotAVideo),
            (MP4, missing.into(), Refusal::Truncated),
            (MP4, "invalid data".into(), Refusal::Damaged),
            (b"\xef\xbb\xbf#EXTM3U\n", missing.into(), Refusal::Playlist),
            (b"x", whitelist("concat"), Refusal::Playlist),
            (b"RIFF", whitelist("avi"), Refusal::Container("avi".into())),
            (b"\x89PNG", whitelist("png_pipe"), Refusal::NotAVideo),
            (
                MP4,
                "[h264 @ 0x5] [IMGUTILS @ 0x7] Picture size 8192x4096 exceeds specified max pixel count".into(),
                Refusal::FrameTooLarge { width: 8192, height: 4096 },
            ),
        ];
        for (head, stderr, refusal) in cases {
            assert_eq!(read(head, b"{", &stderr), Err(refusal), "{stderr}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_a_source_or_a_refusal(
            head in prop::collection::vec(any::<u8>(), 0..600),
            stdout in prop::collection::vec(any::<u8>(), 0..200),
            stderr in ".{0,200}",
        ) {
            let _ = read(&head, &stdout, &stderr);
        }

        #[test]
        fn any_field_may_be_strange(text in ".{0,12}", width in any::<u32>(), height in any::<u32>()) {
            for field in ["avg_frame_rate", "sample_aspect_ratio", "codec_tag_string", "field_order", "bit_rate"] {
                let strange = with(with(picture(), "width", json!(width)), "height", json!(height));
                if let Ok(source) = probed(&[with(strange, field, json!(text))], &text) {
                    let video = source.video.expect("a picture");
                    prop_assert!(u64::from(video.width) * u64::from(video.height) <= PIXELS_MAX);
                    prop_assert!(video.shown().0 > 0 && video.shown().1 > 0);
                }
            }
        }
    }
}
