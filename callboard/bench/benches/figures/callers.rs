//! Callers who each start one run after another over HTTP and wait for its end. The same for ours and for the peer, but that
//! ours tells the end on an event stream and the peer in the answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// No run that is measured takes longer.
const LIMIT: Duration = Duration::from_secs(30);

/// How a run is started, and where its end is told.
#[derive(Clone, Copy)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) path: &'static str,
    /// Path of a caller's event stream; without one the answer comes at the end.
    pub(crate) stream: Option<&'static str>,
}

/// What callers saw in one round.
pub(crate) struct Load {
    pub(crate) per_s: f64,
    /// Of every run, shortest first.
    pub(crate) times: Vec<Duration>,
}

impl Load {
    /// The time within which 99 of 100 end.
    pub(crate) fn p99(&self) -> Duration {
        self.times.get(self.times.len() * 99 / 100).copied().unwrap_or_default()
    }
}

/// So many callers, spread over the doors, go on for so long; runs that are under way then are waited for.
///
/// # Errors
/// Where a run is refused or does not end.
pub(crate) fn run(doors: &[Door], callers: u32, time: Duration) -> Result<Load, String> {
    let is_over = AtomicBool::new(false);
    let callers = (0..callers).zip(doors.iter().cycle()).map(|(number, door)| Caller::connect(*door, number));
    let callers = callers.collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    let seen: Vec<Result<Vec<Duration>, String>> = thread::scope(|scope| {
        let is_over = &is_over;
        let threads: Vec<_> =
            callers.into_iter().map(|mut caller| scope.spawn(move || caller.go_on(is_over))).collect();
        thread::sleep(time);
        is_over.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a caller panicked".into()))).collect()
    });
    let elapsed = start.elapsed();
    let mut times = Vec::new();
    for one in seen {
        times.extend(one?);
    }
    times.sort_unstable();
    Ok(Load { per_s: times.len() as f64 / elapsed.as_secs_f64(), times })
}

struct Caller {
    door: Door,
    body: String,
    connection: Connection,
    stream: Option<Connection>,
}

impl Caller {
    fn connect(door: Door, number: u32) -> Result<Self, String> {
        let stream = match door.stream {
            None => None,
            Some(path) => {
                let mut stream = Connection::open(door.address)?;
                stream.listen(&format!("{path}/{number}"))?;
                Some(stream)
            }
        };
        let body = format!("{{\"caller\":{number}}}");
        Ok(Self { door, body, connection: Connection::open(door.address)?, stream })
    }

    fn go_on(&mut self, is_over: &AtomicBool) -> Result<Vec<Duration>, String> {
        let mut times = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            let start = Instant::now();
            self.connection.post(self.door.path, &self.body)?;
            if let Some(stream) = &mut self.stream {
                stream.wait_for("event: finished")?;
            }
            times.push(start.elapsed());
        }
        Ok(times)
    }
}

/// A connection that is kept.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self, String> {
        let connect = || -> std::io::Result<TcpStream> {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(LIMIT))?;
            Ok(stream)
        };
        let stream = connect().map_err(|error| format!("{address} does not answer: {error}"))?;
        Ok(Self { address, stream: BufReader::new(stream) })
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<Vec<u8>, String> {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address))
    }

    /// Posts JSON; gives the body of the answer.
    pub(crate) fn post(&mut self, path: &str, body: &str) -> Result<Vec<u8>, String> {
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ))
    }

    fn listen(&mut self, path: &str) -> Result<(), String> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\naccept: text/event-stream\r\n\r\n", self.address);
        self.send(&head)?;
        self.read_head().map(drop)
    }

    /// Reads on until a line that begins so.
    fn wait_for(&mut self, beginning: &str) -> Result<(), String> {
        while !self.line()?.starts_with(beginning) {}
        Ok(())
    }

    fn ask(&mut self, request: &str) -> Result<Vec<u8>, String> {
        self.send(request)?;
        let Some(length) = self.read_head()? else { return self.read_chunks() };
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).map_err(|error| self.lost(&error))?;
        Ok(body)
    }

    fn send(&mut self, text: &str) -> Result<(), String> {
        let address = self.address;
        self.stream.get_mut().write_all(text.as_bytes()).map_err(|error| format!("{address} is gone: {error}"))
    }

    /// Reads a head that tells success; gives the length of the body, or none where it comes in chunks.
    fn read_head(&mut self) -> Result<Option<usize>, String> {
        let status = self.line()?;
        if !status.starts_with("HTTP/1.1 2") {
            return Err(format!("{} answers {status}", self.address));
        }
        let mut length = Some(0);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                return Ok(length);
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok();
            } else if line.starts_with("transfer-encoding:") {
                length = None;
            }
        }
    }

    fn read_chunks(&mut self) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let length = usize::from_str_radix(&line, 16).map_err(|_| format!("`{line}` is no length"))?;
            let at = body.len();
            body.resize(at + length, 0);
            self.stream.read_exact(&mut body[at..]).map_err(|error| self.lost(&error))?;
            self.line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => Err(format!("{} closed the connection", self.address)),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(self.lost(&error)),
        }
    }

    fn lost(&self, error: &std::io::Error) -> String {
        format!("{} does not go on: {error}", self.address)
    }
}
