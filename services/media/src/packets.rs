//! Reading every packet's time once, without decoding: keyframe gaps, evenness of the frame rate, the true length, and
//! whether the end is missing. What the header claims is not believed.

use std::collections::HashMap;
use std::path::Path;

use crate::command::Command;
use crate::probe::check_length;
use crate::rate::Rate;
use crate::refusal::Refusal;
use crate::source::{DURATION_MS_MAX, Source, Video};

/// Most bytes of [`command`]'s answer that make sense; a source that prints more is refused by whoever reads it.
pub const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The command that prints `stream,time,duration,flags` of each packet, up to a little beyond the longest source.
#[must_use]
pub fn command(path: &Path) -> Command {
    let seconds = DURATION_MS_MAX / 1000 + 10;
    Command::ffprobe()
        .args(&["-of", "csv=p=0", "-show_entries", "packet=stream_index,pts_time,duration_time,flags"])
        .option("-read_intervals", format!("%+{seconds}"))
        .source(path)
}

/// The source with what [`command`] printed about it.
///
/// # Errors
/// Refuses a file that ends before its header says it does, one that is too long, and one without a packet to play.
pub fn measure(source: Source, stdout: &str, stderr: &str) -> Result<Source, Refusal> {
    if CUT_OFF.iter().any(|it| stderr.contains(it)) {
        return Err(Refusal::Truncated);
    }
    let mut streams: HashMap<u32, Vec<Packet>> = HashMap::new();
    for (stream, packet) in stdout.lines().filter_map(packet) {
        streams.entry(stream).or_default().push(packet);
    }
    let played = |index: u32| streams.get(&index).into_iter().flatten().filter(|it| !it.hidden);
    let indexes = source.video.iter().map(|it| it.index).chain(source.audio.iter().map(|it| it.index));
    let shown: Vec<&Packet> = indexes.flat_map(played).collect();
    let first_us = shown.iter().map(|it| it.at_us).min().ok_or(Refusal::NothingToPlay)?;
    let last_us = shown.iter().map(|it| it.at_us + it.length_us).max().unwrap_or(first_us);
    let duration_ms = u64::try_from((last_us - first_us) / 1000).unwrap_or(0);
    check_length(duration_ms)?;
    let every_last_us = streams.values().flatten().map(|it| it.at_us + it.length_us).max().unwrap_or(last_us);
    let all_ms = u64::try_from((every_last_us - first_us) / 1000).unwrap_or(0);
    if all_ms + MISSING_MS_MAX + source.duration_ms / 50 < source.duration_ms {
        return Err(Refusal::Truncated);
    }
    let video = source.video.map(|it| {
        let packets = streams.remove(&it.index).unwrap_or_default();
        paced(it, &packets)
    });
    Ok(Source { duration_ms: duration_ms.max(1), video, audio: source.audio })
}

/// What ffmpeg prints about a container whose bytes end too early.
const CUT_OFF: [&str; 2] = ["partial file", "File ended prematurely"];

/// Headers round; this much and a fiftieth may be missing at the end.
const MISSING_MS_MAX: u64 = 1_000;

/// Frames count as even when no distance is off by more than this, or a tenth: containers round to milliseconds.
const UNEVEN_US_MAX: i64 = 2_000;

#[derive(Clone, Copy)]
struct Packet {
    at_us: i64,
    length_us: i64,
    key: bool,
    /// Before the start that an edit list sets.
    hidden: bool,
}

fn packet(line: &str) -> Option<(u32, Packet)> {
    let mut fields = line.split(',');
    let stream = fields.next()?.parse().ok()?;
    let at_us = microseconds(fields.next()?)?;
    let length_us = microseconds(fields.next()?).unwrap_or(0);
    let flags = fields.next()?;
    Some((stream, Packet { at_us, length_us, key: flags.contains('K'), hidden: flags.contains('D') }))
}

fn microseconds(seconds: &str) -> Option<i64> {
    let seconds: f64 = seconds.parse().ok()?;
    // A billion seconds is far beyond any limit and keeps sums within range.
    (seconds.abs() < 1e9).then_some((seconds * 1e6).round() as i64)
}

fn paced(mut video: Video, packets: &[Packet]) -> Video {
    video.trimmed = packets.iter().any(|it| it.hidden);
    let mut times: Vec<i64> = packets.iter().map(|it| it.at_us).collect();
    times.sort_unstable();
    let mut distances: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    distances.sort_unstable();
    if let Some(usual) = distances.get(distances.len() / 2) {
        let slack = (usual / 10).max(UNEVEN_US_MAX);
        video.variable_rate = distances.iter().any(|it| (it - usual).abs() > slack);
        let average = average(&times).unwrap_or(video.frame_rate);
        let wrong = (average.hertz() / video.frame_rate.hertz() - 1.0).abs() > 0.01;
        if video.variable_rate || wrong {
            video.frame_rate = average;
        }
    }
    video.keyframe_gap_ms = keyframe_gap_ms(packets);
    video
}

fn average(times: &[i64]) -> Option<Rate> {
    let length_us = times.last()? - times.first()?;
    let thousandths = (times.len() as i64 - 1).checked_mul(1_000_000_000)?.checked_div(length_us)?;
    let frames = u32::try_from(thousandths).ok().filter(|it| *it > 0)?;
    Some(Rate { frames, seconds: 1000 })
}

/// The longest time between two keyframes, or from the last one to the end. `None` when the first frame is none, so
/// that nothing could be shown at the start.
fn keyframe_gap_ms(packets: &[Packet]) -> Option<u64> {
    packets.first().filter(|it| it.key)?;
    let end_us = packets.iter().map(|it| it.at_us + it.length_us).max()?;
    let mut keys: Vec<i64> = packets.iter().filter(|it| it.key).map(|it| it.at_us).collect();
    keys.push(end_us);
    keys.sort_unstable();
    let longest_us = keys.windows(2).map(|pair| pair[1] - pair[0]).max()?;
    u64::try_from(longest_us / 1000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Quick, quick};
    use crate::source::samples;
    use proptest::prelude::*;
    use std::fmt::Write;

    /// Frames of a picture at the given milliseconds, a keyframe at every `gop`th.
    fn frames(times_ms: &[u64], gop: usize) -> String {
        times_ms.iter().enumerate().fold(String::new(), |mut lines, (number, time)| {
            let flags = if number % gop == 0 { "K_" } else { "__" };
            let _ = writeln!(lines, "0,{}.{:03}000,0.033333,{flags},", time / 1000, time % 1000);
            lines
        })
    }

    fn even(count: u64) -> Vec<u64> {
        (0..count).map(|number| (number * 100 + 1) / 3).collect()
    }

    fn measured(stdout: &str) -> Video {
        let source = Source { duration_ms: 0, ..samples::source() };
        measure(source, stdout, "").expect("a source").video.expect("a picture")
    }

    #[test]
    fn evenly_spaced_frames_are_constant_although_milliseconds_round() {
        let video = measured(&frames(&even(300), 250));
        assert!(!video.variable_rate);
        assert_eq!(video.keyframe_gap_ms, Some(8_333));
    }

    #[test]
    fn one_late_frame_makes_the_rate_variable() {
        let mut times = even(300);
        times.remove(100);
        let video = measured(&frames(&times, 250));
        assert!(video.variable_rate);
        assert!((video.frame_rate.hertz() - 29.9).abs() < 0.1, "{}", video.frame_rate);
    }

    #[test]
    fn a_header_with_a_wrong_rate_is_corrected() {
        let lying = Video { frame_rate: Rate { frames: 1000, seconds: 1 }, ..samples::video() };
        let source = Source { duration_ms: 0, video: Some(lying), audio: Vec::new() };
        let video = measure(source, &frames(&even(300), 250), "").expect("a source").video.expect("a picture");
        assert!((video.frame_rate.hertz() - 30.0).abs() < 0.01, "{}", video.frame_rate);
    }

    #[test]
    fn frames_stored_out_of_order_are_even_all_the_same() {
        let lines = frames(&even(60), 60);
        let mut lines: Vec<&str> = lines.lines().collect();
        for group in lines[1..].chunks_mut(3) {
            group.rotate_right(1);
        }
        assert!(!measured(&lines.join("\n")).variable_rate);
    }

    #[test]
    fn a_source_that_does_not_begin_with_a_keyframe_is_not_copied() {
        let lines = frames(&even(90), 30);
        let (_, rest) = lines.split_once('\n').expect("two lines");
        let video = measured(rest);
        assert_eq!(video.keyframe_gap_ms, None);
        let source = Source { video: Some(video), ..samples::source() };
        assert!(matches!(quick(&source), Quick::Transcode { .. }));
    }

    #[test]
    fn hidden_frames_do_not_count_as_length_but_as_trimmed() {
        let lines = format!("0,-0.500000,0.033333,KD,\n\n{}", frames(&even(30), 30));
        let source = measure(Source { duration_ms: 0, ..samples::source() }, &lines, "").expect("a source");
        assert_eq!(source.duration_ms, 1_000);
        assert!(source.video.expect("a picture").trimmed);
    }

    #[test]
    fn a_file_that_ends_early_is_refused() {
        let lines = frames(&even(90), 30);
        assert_eq!(measure(samples::source(), &lines, ""), Err(Refusal::Truncated), "3 of 10 seconds");
        let lines = frames(&even(300), 30);
        assert!(measure(samples::source(), &lines, "").is_ok());
        let partial = "[mov @ 0x5] stream 1, offset 0x19b45: partial file";
        assert_eq!(measure(samples::source(), &lines, partial), Err(Refusal::Truncated));
    }

    #[test]
    fn a_header_that_hides_the_length_does_not_help() {
        let lines = frames(&[0, 33, 607_000], 1);
        let refusal = measure(Source { duration_ms: 5_000, ..samples::source() }, &lines, "");
        assert_eq!(refusal, Err(Refusal::TooLong { duration_ms: 607_033 }));
    }

    #[test]
    fn a_file_without_packets_has_nothing_to_play() {
        assert_eq!(measure(samples::source(), "", ""), Err(Refusal::NothingToPlay));
    }

    proptest! {
        #[test]
        fn any_text_is_measured_or_refused(text in "([0-9]{1,2},-?[0-9./NAe]{0,12},[0-9./NA]{0,9},[KD_]{0,3},?\n){0,20}") {
            let _ = measure(samples::source(), &text, "");
        }

        #[test]
        fn the_gap_is_never_longer_than_the_picture(gop in 1usize..400, count in 2u64..400) {
            let video = measured(&frames(&even(count), gop));
            prop_assert!(video.keyframe_gap_ms.expect("measured") <= count * 100 / 3 + 34);
            prop_assert!(!video.variable_rate);
        }
    }
}
