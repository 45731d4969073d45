//! What processes print, by line, each with the invocation it was printed in, bounded in length and in rate.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt};

/// A longer line is cut.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// So many lines may come at once, and so many a second from then on; more are counted.
const LINES_AT_ONCE: f64 = 1_000.0;
const LINES_PER_S: f64 = 100.0;
/// The end of what an invocation printed.
const TAIL_BYTES_MAX: usize = 4 * 1024;
/// How long nothing is read of who prints too fast: 16 KiB each time cost the server little.
const BRAKE: Duration = Duration::from_millis(2);
/// How often to look whether everything printed so far was read, each a millisecond apart.
const LOOKS_MAX: usize = 50;

/// Hears of every line: the function, the invocation, the line.
pub type OnLine = Arc<dyn Fn(&str, &str, &str) + Send + Sync>;

/// The log of one process.
pub(crate) struct Log {
    function: Arc<str>,
    on_line: Option<OnLine>,
    state: Mutex<State>,
    /// Both pipes, to see whether something is in them still.
    pipes: Mutex<Vec<OwnedFd>>,
}

struct State {
    invocation: String,
    tail: VecDeque<u8>,
    credit: f64,
    at: Instant,
    dropped: u64,
}

impl Log {
    pub(crate) fn new(function: Arc<str>, on_line: Option<OnLine>) -> Arc<Self> {
        let state = State {
            invocation: String::new(),
            tail: VecDeque::new(),
            credit: LINES_AT_ONCE,
            at: Instant::now(),
            dropped: 0,
        };
        Arc::new(Self { function, on_line, state: Mutex::new(state), pipes: Mutex::default() })
    }

    /// Reads a pipe to its end.
    pub(crate) fn read(self: &Arc<Self>, pipe: impl AsyncRead + AsFd + Send + Unpin + 'static) {
        if let Ok(copy) = pipe.as_fd().try_clone_to_owned() {
            self.pipes.lock().unwrap_or_else(PoisonError::into_inner).push(copy);
        }
        tokio::spawn(read_lines(self.clone(), pipe));
    }

    /// What is printed from now on belongs to this invocation.
    pub(crate) fn begin(&self, invocation: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        invocation.clone_into(&mut state.invocation);
        state.tail.clear();
    }

    /// The end of what the invocation printed, up to 4 KiB, once everything it printed has been read.
    pub(crate) async fn tail(&self) -> Vec<u8> {
        for _ in 0..LOOKS_MAX {
            let is_read = {
                let pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
                pipes.iter().all(|pipe| !matches!(rustix::io::ioctl_fionread(pipe), Ok(waiting) if waiting > 0))
            };
            if is_read {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Whoever reads may hold what was in the pipe a moment ago.
        tokio::task::yield_now().await;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).tail.iter().copied().collect()
    }

    /// Tells a line; says whether there was credit for it.
    fn line(&self, line: &[u8]) -> bool {
        let (text, invocation, dropped);
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if !state.may_speak() {
                return false;
            }
            let line = String::from_utf8_lossy(line);
            text = line.trim_end_matches('\r').to_owned();
            state.tail.extend(text.bytes().chain([b'\n']));
            let over = state.tail.len().saturating_sub(TAIL_BYTES_MAX);
            state.tail.drain(..over);
            (invocation, dropped) = (state.invocation.clone(), std::mem::take(&mut state.dropped));
        }
        if dropped > 0 {
            self.tell(&invocation, &format!("… {dropped} lines were dropped: it prints too fast"));
        }
        self.tell(&invocation, &text);
        true
    }

    fn tell(&self, invocation: &str, line: &str) {
        match &self.on_line {
            Some(on_line) => on_line(&self.function, invocation, line),
            None => tracing::info!(function.name = &*self.function, invocation.id = invocation, "{line}"),
        }
    }
}

impl State {
    fn may_speak(&mut self) -> bool {
        let now = Instant::now();
        let earned = now.duration_since(self.at).as_secs_f64() * LINES_PER_S;
        self.credit = (self.credit + earned).min(LINES_AT_ONCE);
        self.at = now;
        if self.credit < 1.0 {
            self.dropped += 1;
            return false;
        }
        self.credit -= 1.0;
        true
    }
}

async fn read_lines(log: Arc<Log>, mut pipe: impl AsyncRead + Unpin) {
    let (mut chunk, mut begun) = (vec![0; 16 * 1024], Vec::new());
    while let Ok(size @ 1..) = pipe.read(&mut chunk).await {
        let mut is_too_fast = false;
        let mut pieces = chunk[..size].split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let room = LINE_BYTES_MAX.saturating_sub(begun.len());
            begun.extend_from_slice(&piece[..piece.len().min(room)]);
            if pieces.peek().is_some() {
                is_too_fast = !log.line(&begun);
                begun.clear();
            }
        }
        if is_too_fast || begun.len() == LINE_BYTES_MAX {
            tokio::time::sleep(BRAKE).await;
        }
    }
    if !begun.is_empty() {
        log.line(&begun);
    }
    let dropped = {
        let mut state = log.state.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.dropped)
    };
    if dropped > 0 {
        log.tell("", &format!("… {dropped} lines were dropped: it printed too fast"));
    }
}
