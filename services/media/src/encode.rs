//! The command lines that make a version playable: the streams copied into segments, or the ladder from one decode.
//! Outputs are named relative to the version's folder. No playlist of our own is written here ([`crate::master`]).

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::plan::{Ladder, Picture, Rung};
use crate::rate::Rate;
use crate::source::{Audio, Source, Transfer};

/// Every version's timestamps begin here, so that a longer source can be encoded in chunks and captions agree.
pub const BASE_S: u64 = 10;

/// The name of each rendition's playlist in its folder.
pub const PLAYLIST: &str = "index.m3u8";

/// The name of each rendition's initialisation segment in its folder.
pub const INIT: &str = "init.mp4";

/// Threads of the decoder, of the filters and of each encoder: a process is meant to have two cores to itself.
pub const THREADS: u32 = 2;

/// A process to run in the version's folder, and what it leaves there.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoding {
    /// What to run.
    pub command: Command,
    /// What it writes; the folders must exist before.
    pub renditions: Vec<Rendition>,
}

/// One stream cut into segments: a folder with [`INIT`], `00000.m4s` and so on, and [`PLAYLIST`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendition {
    /// Name of the folder: `v` and the lines of the picture, or `audio`.
    pub folder: String,
    /// The picture's frame rate; `None` for sound.
    pub frame_rate: Option<Rate>,
    /// The sound's language, as the source says it.
    pub language: Option<String>,
}

/// Puts the picture and the sound of `source`, a file at `path`, into segments as they are.
#[must_use]
pub fn copy(source: &Source, path: &Path) -> Encoding {
    let mut command = input(path, source.duration_ms);
    let mut renditions = Vec::new();
    if let Some(video) = &source.video {
        let rendition = Rendition::picture(video.width.min(video.height), video.frame_rate);
        command = command.option("-map", format!("0:{}", video.index)).args(&["-c", "copy"]);
        command = segments(command, &rendition, 4_000_000);
        renditions.push(rendition);
    }
    if let Some(audio) = source.audio.first() {
        let rendition = Rendition::sound(audio);
        // Transport streams carry AAC in frames with headers; the filter leaves any other as it is.
        command = command.option("-map", format!("0:{}", audio.index)).args(&["-c", "copy", "-bsf:a", "aac_adtstoasc"]);
        command = segments(command, &rendition, 4_000_000);
        renditions.push(rendition);
    }
    Encoding { command, renditions }
}

/// Encodes every rung and the sound of the file at `path`, decoding it once.
#[must_use]
pub fn ladder(ladder: &Ladder, path: &Path) -> Encoding {
    let mut command = input(path, ladder.duration_ms);
    let mut renditions = Vec::new();
    if let Some(picture) = &ladder.picture {
        command = command.option("-filter_complex_threads", THREADS).option("-filter_complex", graph(picture));
        for rung in &picture.rungs {
            let rendition = Rendition::picture(rung.lines, picture.rate);
            command = command.option("-map", format!("[v{}]", rung.lines));
            command = segments(h264(command, rung, picture.rate), &rendition, ladder.segment_us());
            renditions.push(rendition);
        }
    }
    if let Some(audio) = &ladder.sound {
        let rendition = Rendition::sound(audio);
        command = command.option("-map", format!("0:{}", audio.index));
        command = segments(aac(command), &rendition, ladder.segment_us());
        renditions.push(rendition);
    }
    Encoding { command, renditions }
}

impl Rendition {
    fn picture(lines: u32, rate: Rate) -> Self {
        Self { folder: format!("v{lines}"), frame_rate: Some(rate), language: None }
    }

    fn sound(audio: &Audio) -> Self {
        Self { folder: "audio".into(), frame_rate: None, language: audio.language.clone() }
    }
}

/// The input, read no further than what was measured: a time stamp far in the future must not make frames for hours.
fn input(path: &Path, duration_ms: u64) -> Command {
    let length_ms = duration_ms + 1_000;
    let length = format!("{}.{:03}", length_ms / 1000, length_ms % 1000);
    Command::ffmpeg().option("-threads", THREADS).option("-t", length).source(path)
}

/// The filters from the decoded picture to one labelled output for each rung.
fn graph(picture: &Picture) -> String {
    let largest = picture.rungs.last().expect("a picture has at least one rung");
    let mut chain = Vec::new();
    if picture.deinterlace {
        chain.push("bwdif=mode=send_frame".to_owned());
    }
    chain.push(format!("fps={}:start_time=0", picture.rate));
    if let Some(transfer) = picture.tonemap {
        chain.push(tonemap(transfer, largest.width, largest.height));
    }
    let labels: String = picture.rungs.iter().map(|rung| format!("[s{}]", rung.lines)).collect();
    chain.push(format!("split={}{labels}", picture.rungs.len()));
    let mut graph = format!("[0:{}]{}", picture.index, chain.join(","));
    for Rung { lines, width, height, .. } in &picture.rungs {
        graph += &format!(";[s{lines}]scale={width}:{height},setsar=1,format=yuv420p[v{lines}]");
    }
    graph
}

/// Filters that bring high dynamic range light to an ordinary screen; scaled first, because the mapping is costly.
#[must_use]
pub(crate) fn tonemap(transfer: Transfer, width: u32, height: u32) -> String {
    let transfer = match transfer {
        Transfer::Pq => "smpte2084",
        Transfer::Hlg => "arib-std-b67",
    };
    format!(
        "zscale=w={width}:h={height}:tin={transfer}:pin=bt2020:min=bt2020nc:t=linear:npl=100,format=gbrpf32le,\
         zscale=p=bt709,tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
    )
}

fn h264(command: Command, rung: &Rung, rate: Rate) -> Command {
    command
        .args(&["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-pix_fmt", "yuv420p", "-crf", "23"])
        .option("-maxrate", format!("{}k", rung.rate_kbps_max))
        .option("-bufsize", format!("{}k", 2 * rung.rate_kbps_max))
        .option("-g", rate.gop())
        .option("-keyint_min", rate.gop())
        .args(&["-sc_threshold", "0", "-fps_mode", "passthrough"])
        .option("-threads", THREADS)
}

fn aac(command: Command) -> Command {
    command
        .args(&["-af", "aresample=async=1:first_pts=0"])
        .args(&["-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-ac", "2"])
}

/// One stream's output as files of about `segment_us`, without anything personal from the source's metadata.
///
/// `frag_discont` and `negative_cts_offsets` make decode times absolute and remove the edit list that players read
/// differently, so picture and sound stay together and chunks join.
fn segments(command: Command, rendition: &Rendition, segment_us: u64) -> Command {
    let folder = &rendition.folder;
    command
        .args(&["-map_metadata", "-1", "-map_chapters", "-1"])
        .option("-output_ts_offset", BASE_S)
        .args(&["-f", "hls", "-hls_segment_type", "fmp4", "-hls_playlist_type", "vod", "-hls_list_size", "0"])
        .option("-hls_time", format!("{}.{:06}", segment_us / 1_000_000, segment_us % 1_000_000))
        .option("-hls_segment_options", "movflags=+frag_discont+negative_cts_offsets")
        .option("-hls_fmp4_init_filename", INIT)
        .option("-hls_segment_filename", format!("{folder}/%05d.m4s"))
        .args(&[format!("{folder}/{PLAYLIST}")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::samples;

    fn words(encoding: &Encoding) -> String {
        let args: Vec<_> = encoding.command.args.iter().map(|arg| arg.to_string_lossy()).collect();
        args.join(" ")
    }

    #[test]
    fn one_decode_feeds_every_rung() {
        let encoding = ladder(&Ladder::of(&samples::source()), Path::new("/blobs/x"));
        let words = words(&encoding);
        assert_eq!(words.matches(" -i ").count(), 1);
        assert!(words.contains("[0:0]fps=30/1:start_time=0,split=3[s360][s480][s720];[s360]scale=640:360,setsar=1"));
        let folders: Vec<_> = encoding.renditions.iter().map(|it| it.folder.as_str()).collect();
        assert_eq!(folders, ["v360", "v480", "v720", "audio"]);
    }

    #[test]
    fn keyframes_stand_at_every_second_second_and_segments_at_every_other_keyframe() {
        let mut source = samples::source();
        source.video.as_mut().expect("a picture").frame_rate = Rate { frames: 30000, seconds: 1001 };
        let words = words(&ladder(&Ladder::of(&source), Path::new("/x")));
        assert!(words.contains("-g 60 -keyint_min 60 -sc_threshold 0"));
        assert!(words.contains("-hls_time 4.004000"));
    }

    #[test]
    fn broadcast_and_telephone_pictures_are_prepared_before_they_are_split() {
        let mut source = samples::source();
        let video = source.video.as_mut().expect("a picture");
        (video.interlaced, video.hdr) = (true, Some(Transfer::Hlg));
        let words = words(&ladder(&Ladder::of(&source), Path::new("/x")));
        let place = |word: &str| words.find(word).unwrap_or_else(|| panic!("{word} is missing"));
        assert!(place("bwdif") < place("fps=") && place("fps=") < place("tin=arib-std-b67"));
        assert!(place("tonemap=hable") < place("split="));
    }

    #[test]
    fn a_copy_encodes_nothing_and_takes_no_metadata_along() {
        let encoding = copy(&samples::source(), Path::new("/x"));
        let words = words(&encoding);
        assert!(!words.contains("libx264") && !words.contains("filter"));
        assert_eq!(words.matches("-c copy").count(), 2);
        assert_eq!(words.matches("-map_metadata -1").count(), 2);
        assert_eq!(encoding.renditions[0].folder, "v720");
    }

    #[test]
    fn no_output_name_begins_like_an_option() {
        let encoding = copy(&samples::source(), Path::new("-i"));
        assert!(encoding.renditions.iter().all(|it| it.folder.starts_with(|first: char| first.is_ascii_lowercase())));
    }
}
