//! Runs the service's command lines, as its steps do, and looks at what they leave with ffprobe and box by box.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use media::boxes::find;
use media::command::Command;
use media::encode::{BASE_S, Encoding};
use media::master::{Encoded, master};
use media::playlist::Playlist;
use media::refusal::Refusal;
use media::source::Source;
use media::{packets, probe, progress};

use crate::clips::Desk;

/// Runs one command in `folder`.
pub(crate) fn run(command: &Command, folder: &Path) -> Output {
    let mut process = std::process::Command::new(command.program);
    process.args(&command.args).current_dir(folder).stdin(Stdio::null());
    process.output().expect("ffmpeg and ffprobe must be installed")
}

/// Probes and measures an uploaded file.
pub(crate) fn examine(path: &Path) -> Result<Source, Refusal> {
    let bytes = std::fs::read(path).expect("the uploaded file");
    let head = &bytes[..bytes.len().min(probe::HEAD_BYTES)];
    let folder = path.parent().expect("a file in a folder");
    let output = run(&probe::command(path), folder);
    let source = probe::read(head, &output.stdout, &String::from_utf8_lossy(&output.stderr))?;
    let output = run(&packets::command(path), folder);
    assert!(output.stdout.len() < packets::ANSWER_BYTES_MAX);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    packets::measure(source, &stdout, &stderr)
}

/// A version on disk.
pub(crate) struct Version {
    pub(crate) folder: PathBuf,
    pub(crate) renditions: Vec<Encoded>,
}

/// Makes a version in a folder of this name, and checks that the progress ran from beginning to end.
pub(crate) fn encode(desk: &Desk, name: &str, encoding: &Encoding, duration_ms: u64) -> Version {
    let folder = desk.path(name);
    for rendition in &encoding.renditions {
        std::fs::create_dir_all(folder.join(&rendition.folder)).expect("a writable folder");
    }
    let output = run(&encoding.command, &folder);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8_lossy(&output.stdout);
    let shares: Vec<f64> = printed.lines().filter_map(|line| progress::share(line, duration_ms)).collect();
    assert!(shares.is_sorted() && shares.last() == Some(&1.0), "{shares:?}");
    assert!(shares.iter().rev().nth(1).is_some_and(|it| *it > 0.9), "{shares:?}");
    let renditions = encoding.renditions.iter().map(|rendition| {
        let folder = folder.join(&rendition.folder);
        let text = std::fs::read_to_string(folder.join("index.m3u8")).expect("a playlist");
        let playlist = Playlist::parse(&text).expect("a finished playlist");
        let size = |name: &str| std::fs::metadata(folder.join(name)).expect("a segment").len();
        let sizes_bytes = playlist.segments.iter().map(|it| size(&it.name)).collect();
        let init = std::fs::read(folder.join(&playlist.init)).expect("an initialisation segment");
        Encoded { rendition: rendition.clone(), playlist, sizes_bytes, init }
    });
    Version { renditions: renditions.collect(), folder }
}

impl Version {
    /// The master playlist, read back by an independent reader.
    pub(crate) fn master(&self, independent: bool) -> m3u8_rs::MasterPlaylist {
        let text = master(&self.renditions, independent).expect("a master playlist");
        m3u8_rs::parse_master_playlist_res(text.as_bytes()).expect("a valid master playlist")
    }

    /// Where each segment of a rendition begins and ends in microseconds, as its index box says.
    pub(crate) fn times_us(&self, rendition: &Encoded) -> Vec<(u64, u64)> {
        let folder = self.folder.join(&rendition.rendition.folder);
        let times = rendition.playlist.segments.iter().map(|segment| {
            let bytes = std::fs::read(folder.join(&segment.name)).expect("a segment");
            let index = find(&bytes, &[b"sidx"]).expect("a segment index");
            let u32_at = |at: usize| u64::from(u32::from_be_bytes(index[at..at + 4].try_into().expect("four bytes")));
            let (scale, begin, length) = (u32_at(8), u32_at(12) << 32 | u32_at(16), u32_at(36));
            (begin * 1_000_000 / scale, (begin + length) * 1_000_000 / scale)
        });
        times.collect()
    }

    /// What ffprobe says of a rendition: its first stream's fields, separated by commas.
    pub(crate) fn stream(&self, rendition: &Encoded, fields: &str) -> String {
        self.ask(rendition, &format!("stream={fields}")).lines().next().unwrap_or_default().to_owned()
    }

    /// Times of every frame and whether each is a keyframe, from the beginning of the rendition, by ffprobe.
    pub(crate) fn frames(&self, rendition: &Encoded) -> Vec<(f64, bool)> {
        let answer = self.ask(rendition, "packet=pts_time,flags");
        let mut frames: Vec<(f64, bool)> = answer
            .lines()
            .filter_map(|line| line.split_once(','))
            .map(|(time, flags)| (time.parse().expect("a time"), flags.starts_with('K')))
            .collect();
        let first = frames.iter().map(|it| it.0).fold(f64::MAX, f64::min);
        frames.iter_mut().for_each(|it| it.0 -= first);
        frames.sort_by(|a, b| a.0.total_cmp(&b.0));
        frames
    }

    fn ask(&self, rendition: &Encoded, entries: &str) -> String {
        let folder = self.folder.join(&rendition.rendition.folder);
        let args = ["-v", "error", "-of", "csv=p=0", "-show_entries", entries, "index.m3u8"];
        let output = std::process::Command::new("ffprobe").args(args).current_dir(&folder).output();
        let output = output.expect("ffprobe must be installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Renditions with a picture.
    pub(crate) fn pictures(&self) -> impl Iterator<Item = &Encoded> {
        self.renditions.iter().filter(|it| it.rendition.frame_rate.is_some())
    }

    /// Checks what every version must keep: absolute times from the base on, no gap, and sound beside the picture.
    pub(crate) fn check_continuity(&self) {
        for rendition in &self.renditions {
            let times = self.times_us(rendition);
            let folder = &rendition.rendition.folder;
            let begin = times[0].0.abs_diff(BASE_S * 1_000_000);
            assert!(begin <= 25_000, "{folder} begins {begin} µs beside the base");
            for pair in times.windows(2) {
                assert!(pair[0].1.abs_diff(pair[1].0) <= 2, "{folder} has a gap: {times:?}");
            }
        }
    }

    /// Checks what a ladder must keep: every rung cut at the same times, each segment led by a keyframe.
    pub(crate) fn check_alignment(&self) {
        let mut cuts: Vec<Vec<(u64, u64)>> = self.pictures().map(|it| self.times_us(it)).collect();
        cuts.dedup();
        assert_eq!(cuts.len(), 1, "the rungs are cut at different times");
        for rendition in self.pictures() {
            let frames = self.frames(rendition);
            assert!(frames.len() > 1);
            let mut begin = 0.0;
            for segment in &rendition.playlist.segments {
                let lead = frames.iter().find(|it| (it.0 - begin).abs() < 0.002);
                assert!(lead.is_some_and(|it| it.1), "no keyframe at {begin} in {}", rendition.rendition.folder);
                begin += segment.duration_us as f64 / 1e6;
            }
        }
    }
}
