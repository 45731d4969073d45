//! One exchange of HTTP/1.1 on a connection of its own, with nothing between the test and the bytes: requests can be as wrong
//! as they need to be.

use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer slower than this is a failure.
const PATIENCE: Duration = Duration::from_secs(40);

/// Somebody at a server: nobody in particular, or whoever a session's cookie says.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) port: u16,
    pub(crate) cookie: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Visitor {
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, data: &Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], data.to_string().as_bytes())
    }

    pub(crate) fn put(&self, path: &str, data: &Value) -> Answer {
        self.send("PUT", path, &[("content-type", "application/json")], data.to_string().as_bytes())
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut connection = self.connect();
        connection.write_all(self.head(method, path, headers, body.len()).as_bytes()).unwrap();
        // A server that refuses early may have closed its side already; its answer is there to be read all the same.
        let _ = connection.write_all(body);
        receive(connection)
    }

    /// The same at a server that may be gone at any moment; none where no whole answer came.
    pub(crate) fn attempt(&self, method: &str, path: &str, key: &str, data: &Value) -> Option<Answer> {
        let body = if data.is_null() { String::new() } else { data.to_string() };
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let head = self.head(method, path, if key.is_empty() { &headers[..1] } else { &headers }, body.len());
        let exchange = || -> std::io::Result<Vec<u8>> {
            let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
            connection.set_read_timeout(Some(PATIENCE))?;
            connection.write_all(head.as_bytes())?;
            connection.write_all(body.as_bytes())?;
            let mut bytes = Vec::new();
            connection.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        exchange().ok().filter(|bytes| is_whole(bytes)).map(|bytes| receive(&*bytes))
    }

    /// Announces a body, sends its beginning and is gone.
    pub(crate) fn break_off(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        length: usize,
        beginning: &[u8],
    ) {
        let mut connection = self.connect();
        connection.write_all(self.head(method, path, headers, length).as_bytes()).unwrap();
        connection.write_all(beginning).unwrap();
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        connection.set_write_timeout(Some(PATIENCE)).unwrap();
        connection
    }

    /// The head of a request as a browser on a page of this server would send it.
    pub(crate) fn head(&self, method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> String {
        let port = self.port;
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n");
        if headers.iter().all(|(name, _)| *name != "host") {
            write!(head, "Host: localhost:{port}\r\nOrigin: http://localhost:{port}\r\n").unwrap();
        }
        if let Some(cookie) = &self.cookie {
            write!(head, "Cookie: {cookie}\r\n").unwrap();
        }
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head + "\r\n"
    }
}

/// Whether these bytes are an answer from its beginning to its end.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n").filter(|_| bytes.starts_with(b"HTTP/1.1 "))
    else {
        return false;
    };
    let (_, headers) = receive_head(&mut &bytes[..end + 4]);
    let body = &bytes[end + 4..];
    match value(&headers, "content-length").and_then(|text| text.parse::<usize>().ok()) {
        Some(length) => body.len() == length,
        None => value(&headers, "transfer-encoding").is_none() || body.ends_with(b"0\r\n\r\n"),
    }
}

/// Reads an answer to its end.
pub(crate) fn receive(connection: impl Read) -> Answer {
    let mut reader = BufReader::new(connection);
    let (status, headers) = receive_head(&mut reader);
    let mut body = Vec::new();
    match value(&headers, "transfer-encoding") {
        Some(_) => receive_chunks(&mut reader, &mut body),
        None => {
            let length = value(&headers, "content-length").and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
            // The answer to HEAD announces a body and has none.
            let _ = reader.take(length).read_to_end(&mut body);
        }
    }
    Answer { status, headers, body }
}

/// Reads the status and the headers of an answer.
pub(crate) fn receive_head(reader: &mut impl BufRead) -> (u16, Vec<(String, String)>) {
    let mut first = String::new();
    reader.read_line(&mut first).expect("the server answers");
    let status = first.split(' ').nth(1).unwrap_or_else(|| panic!("no answer but `{first}`")).parse().unwrap();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { return (status, headers) };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
}

fn receive_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) {
    loop {
        let mut size = String::new();
        reader.read_line(&mut size).unwrap();
        let size = u64::from_str_radix(size.trim(), 16).expect("a chunk has a size");
        reader.take(size).read_to_end(body).unwrap();
        reader.read_line(&mut String::new()).unwrap();
        if size == 0 {
            return;
        }
    }
}

fn value<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}: {}", self.text()))
    }

    /// The answer of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.text());
        self
    }

    /// The answer of a refusal: its status, its stable code, and words that say what is wrong or what to do.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str, words: &str) -> Self {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}: {}", self.status, self.text());
        let problem = self.json();
        assert_eq!((self.status, problem["code"].as_str()), (status, Some(code)), "{problem:#}");
        assert_eq!(problem["status"], status);
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(words), "`{detail}` does not say `{words}`");
        self
    }
}

/// Reads one request with its body from a connection; none where it is over.
pub(crate) fn read_request(connection: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    connection.read_exact(&mut body).ok()?;
    Some((head, body))
}
