//! The files: lines of JSON in numbered segments. A segment is removed when its first line is too old or all are too large.

use super::Limits;
use callboard::invocation::Recording;
use callboard::ports::Clock;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most people who were erased that are remembered.
const ERASED_MAX: usize = 256;
/// Largest recording, in bytes; a larger one is kept without what it read.
const LINE_BYTES_MAX: usize = 1 << 20;

pub(super) struct Segments {
    folder: PathBuf,
    limits: Limits,
    clock: Arc<dyn Clock>,
    /// The oldest first; the last one is written to.
    all: VecDeque<Segment>,
    /// Who was erased lately: what is still under way of them is not kept.
    erased: VecDeque<String>,
}

struct Segment {
    number: u64,
    size_bytes: u64,
    /// When its first recording began, in Unix milliseconds; none where it is empty.
    first_ms: Option<i64>,
}

impl Segments {
    pub(super) fn open(folder: &Path, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut numbers: Vec<u64> = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let name = entry?.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            let number: Option<u64> = stem.and_then(|stem| stem.parse().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        let mut segments =
            Self { folder: folder.to_owned(), limits, clock, all: VecDeque::new(), erased: VecDeque::new() };
        for number in numbers {
            let size_bytes = std::fs::metadata(segments.path(number))?.len();
            let first_ms = segments.lines(number).find_map(|line| read(&line)).map(|recording| recording.started_ms);
            segments.all.push_back(Segment { number, size_bytes, first_ms });
        }
        if let Some(last) = segments.all.back() {
            segments.end_line(last.number)?;
        }
        segments.sweep()?;
        Ok(segments)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:08}.jsonl"))
    }

    /// The lines of a segment, whatever stands in them: what a crash cut off is no recording, and is erased all the same.
    fn lines(&self, number: u64) -> impl Iterator<Item = String> {
        let file = File::open(self.path(number)).ok();
        let lines = file.into_iter().flat_map(|file| BufReader::new(file).split(b'\n').map_while(Result::ok));
        lines.map(|line| String::from_utf8_lossy(&line).into_owned())
    }

    /// Ends a line that a crash cut off, so that the next one is whole.
    fn end_line(&self, number: u64) -> Result<()> {
        let text = std::fs::read(self.path(number))?;
        if text.last().is_some_and(|last| *last != b'\n') {
            OpenOptions::new().append(true).open(self.path(number))?.write_all(b"\n")?;
        }
        Ok(())
    }

    pub(super) fn keep(&mut self, recording: &Recording) -> Result<()> {
        let mut line = serde_json::to_vec(recording)?;
        if line.len() > LINE_BYTES_MAX {
            let short = Recording { read: Vec::new(), is_cut: true, ..recording.clone() };
            line = serde_json::to_vec(&short)?;
        }
        let is_theirs = |person: &String| std::str::from_utf8(&line).is_ok_and(|text| mentions(text, person));
        if line.len() > LINE_BYTES_MAX || self.erased.iter().any(is_theirs) {
            return Ok(());
        }
        line.push(b'\n');
        let is_full =
            |last: &Segment| last.size_bytes > 0 && last.size_bytes + line.len() as u64 > self.limits.segment_bytes;
        // A segment goes as a whole when its first recording is too old, so it takes those of an eighth of the time.
        let is_old =
            |last: &Segment| last.first_ms.is_some_and(|at| recording.started_ms - at > self.limits.age_ms / 8);
        if self.all.back().is_none_or(|last| is_full(last) || is_old(last)) {
            let number = self.all.back().map_or(1, |last| last.number + 1);
            self.all.push_back(Segment { number, size_bytes: 0, first_ms: None });
        }
        self.sweep()?;
        let number = self.all.back().map_or(1, |last| last.number);
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(self.path(number))?;
        file.write_all(&line)?;
        if let Some(last) = self.all.back_mut() {
            last.size_bytes += line.len() as u64;
            last.first_ms.get_or_insert(recording.started_ms);
        }
        Ok(())
    }

    /// Removes what is too old, and the oldest while all are too large.
    pub(super) fn sweep(&mut self) -> Result<()> {
        let since_ms = self.clock.now_ms() - self.limits.age_ms;
        loop {
            let size_bytes: u64 = self.all.iter().map(|segment| segment.size_bytes).sum();
            let Some(oldest) = self.all.front() else { return Ok(()) };
            let is_too_much = size_bytes > self.limits.total_bytes && self.all.len() > 1;
            if !is_too_much && oldest.first_ms.is_none_or(|at| at >= since_ms) {
                return Ok(());
            }
            match std::fs::remove_file(self.path(oldest.number)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => drop(self.all.pop_front()),
            }
        }
    }

    /// Recordings, the newest segment first, in each the newest first.
    fn newest(&self) -> impl Iterator<Item = Recording> {
        let since_ms = self.clock.now_ms() - self.limits.age_ms;
        let segments = self.all.iter().rev().map(|segment| segment.number);
        segments
            .flat_map(|number| {
                let mut lines: Vec<String> = self.lines(number).collect();
                lines.reverse();
                lines
            })
            .filter_map(|line| read(&line))
            .filter(move |recording| recording.started_ms >= since_ms)
    }

    pub(super) fn find(&self, id: &str) -> Option<Recording> {
        self.newest().find(|recording| recording.span == id || recording.message.id.to_string() == id)
    }

    pub(super) fn list(&self, limit: usize) -> Vec<Recording> {
        self.newest().take(limit).collect()
    }

    /// Writes every segment that mentions a person anew, without those lines.
    pub(super) fn erase(&mut self, person: &str) -> Result<u64> {
        if self.erased.len() == ERASED_MAX {
            self.erased.pop_front();
        }
        self.erased.push_back(person.to_owned());
        let mut erased = 0;
        for at in 0..self.all.len() {
            let number = self.all[at].number;
            let (gone, left): (Vec<String>, Vec<String>) = self.lines(number).partition(|line| mentions(line, person));
            if gone.is_empty() {
                continue;
            }
            let text: String = left.iter().map(|line| format!("{line}\n")).collect();
            let beside = self.folder.join("erasing");
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&beside, self.path(number))?;
            File::open(&self.folder)?.sync_all()?;
            self.all[at].size_bytes = text.len() as u64;
            erased += gone.len() as u64;
        }
        Ok(erased)
    }
}

fn read(line: &str) -> Option<Recording> {
    serde_json::from_str(line).ok()
}

/// Whether a person's pseudonym stands in a line as a word of its own.
fn mentions(line: &str, person: &str) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    !person.is_empty()
        && line.match_indices(person).any(|(at, _)| {
            let bytes = line.as_bytes();
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            !is_word(before) && !is_word(bytes.get(at + person.len()))
        })
}
