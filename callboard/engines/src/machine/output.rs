//! What a program prints, in bounded memory, however much and in whatever form it prints.

use callboard::ports::OnLine;
use std::collections::VecDeque;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Standard output kept.
pub(super) const STDOUT_BYTES_MAX: usize = 4 << 20;
/// Standard error kept.
pub(super) const STDERR_BYTES_MAX: usize = 8 << 10;
/// A longer line is given in pieces.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Bytes read at once.
const CHUNK_BYTES: usize = 16 << 10;

/// Reads to the end; gives the first 4 MiB, or nothing where somebody hears the lines.
pub(super) async fn read_stdout(mut pipe: impl AsyncRead + Unpin, on_line: Option<OnLine>) -> io::Result<Vec<u8>> {
    let mut lines = on_line.map(Lines::new);
    let mut kept = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let size = pipe.read(&mut chunk).await?;
        let bytes = &chunk[..size];
        match &mut lines {
            Some(lines) if size == 0 => lines.end(),
            Some(lines) => lines.take(bytes),
            None => kept.extend_from_slice(&bytes[..size.min(STDOUT_BYTES_MAX - kept.len())]),
        }
        if size == 0 {
            return Ok(kept);
        }
    }
}

/// Reads to the end; gives the last 8 KiB.
pub(super) async fn read_tail(mut pipe: impl AsyncRead + Unpin) -> io::Result<String> {
    let mut tail = VecDeque::with_capacity(STDERR_BYTES_MAX);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let size = pipe.read(&mut chunk).await?;
        if size == 0 {
            let tail = Vec::from(tail);
            // The cut may have gone through a character; the rest of it is left out.
            let start = tail.iter().take(4).position(|byte| byte & 0xC0 != 0x80).unwrap_or(0);
            return Ok(String::from_utf8_lossy(&tail[start..]).into_owned());
        }
        let bytes = &chunk[size.saturating_sub(STDERR_BYTES_MAX)..size];
        tail.drain(..(tail.len() + bytes.len()).saturating_sub(STDERR_BYTES_MAX));
        tail.extend(bytes);
    }
}

/// Cuts bytes into lines.
struct Lines {
    on_line: OnLine,
    begun: Vec<u8>,
}

impl Lines {
    fn new(on_line: OnLine) -> Self {
        Self { on_line, begun: Vec::new() }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        let first = pieces.next().expect("a split has a first piece");
        self.add(first);
        for piece in pieces {
            self.give();
            self.add(piece);
        }
    }

    fn add(&mut self, piece: &[u8]) {
        self.begun.extend_from_slice(piece);
        if self.begun.len() > LINE_BYTES_MAX {
            self.give();
        }
    }

    fn give(&mut self) {
        let line = String::from_utf8_lossy(&self.begun);
        (self.on_line)(line.trim_end_matches('\r'));
        self.begun.clear();
    }

    fn end(&mut self) {
        if !self.begun.is_empty() {
            self.give();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::{Arc, Mutex};

    fn lines_of(chunks: &[&[u8]]) -> Vec<String> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = heard.clone();
        let mut lines = Lines::new(Box::new(move |line| ear.lock().expect("no panic").push(line.to_owned())));
        chunks.iter().for_each(|chunk| lines.take(chunk));
        lines.end();
        heard.lock().expect("no panic").clone()
    }

    #[test]
    fn lines_are_whole_whatever_the_chunks_and_the_last_needs_no_end() {
        assert_eq!(lines_of(&[b"frame=1\nfra", b"me=", b"2\r\n\nend"]), ["frame=1", "frame=2", "", "end"]);
        assert_eq!(lines_of(&[]), [""; 0]);
    }

    #[test]
    fn a_line_without_end_is_given_in_pieces() {
        let chunk = vec![b'x'; CHUNK_BYTES];
        let lines = lines_of(&[chunk.as_slice(); 20]);
        assert_eq!(lines.concat().len(), 20 * CHUNK_BYTES);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= LINE_BYTES_MAX + CHUNK_BYTES));
    }

    #[tokio::test]
    async fn only_the_first_of_a_long_output_and_the_last_of_a_long_complaint_are_kept() {
        let long: Vec<u8> = (0..STDOUT_BYTES_MAX + 100_000).map(|at| (at % 251) as u8).collect();
        assert!(read_stdout(long.as_slice(), None).await.expect("bytes") == long[..STDOUT_BYTES_MAX]);
        let complaint = format!("{}the end", "ä".repeat(STDERR_BYTES_MAX));
        let tail = read_tail(complaint.as_bytes()).await.expect("text");
        assert!(tail.ends_with("ääthe end"), "{tail}");
        assert!(tail.len() <= STDERR_BYTES_MAX && !tail.contains('\u{FFFD}'));
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_chunks(text in "[a\r\nä]{0,40}", cuts in prop::collection::vec(0..40_usize, 0..5)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(lines_of(&chunks), lines_of(&[bytes]));
        }
    }
}
