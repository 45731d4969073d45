//! HTTP/1.1 to a server of this machine, as little as the figures need. No library: it is compiled with everything else.

use serde_json::Value;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer that is measured takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// Somebody who asks one server.
pub(crate) struct Client {
    address: SocketAddr,
    token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, token: None }
    }

    /// The same, proving who they are.
    pub(crate) fn with_token(self, token: String) -> Self {
        Self { token: Some(token), ..self }
    }

    pub(crate) fn get(&self, path: &str) -> Result<Answer, String> {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, data: &Value) -> Result<Answer, String> {
        self.send("POST", path, &[("content-type", "application/json")], data.to_string().as_bytes())
    }

    /// Sends a request and gives the answer, which must be a success.
    ///
    /// # Errors
    /// What the server says is wrong, or that it does not answer.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, String> {
        let answer = self.ask(method, path, headers, body).map_err(|error| format!("{method} {path}: {error}"))?;
        if (200..400).contains(&answer.status) {
            return Ok(answer);
        }
        Err(format!("{method} {path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)))
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer, String> {
        let failed = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect(self.address).map_err(failed)?;
        stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        if let Some(token) = &self.token {
            let _ = write!(head, "authorization: Bearer {token}\r\n");
        }
        if !body.is_empty() {
            let _ = write!(head, "content-length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head += "\r\n";
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).map_err(failed)?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).map_err(failed)?;
        Answer::read(&bytes).ok_or_else(|| "the answer is no HTTP".to_string())
    }
}

impl Answer {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Reads what came until the connection was closed.
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_string()))
        };
        let headers = lines.filter_map(header).collect();
        let mut answer = Self { status, headers, body: bytes[end + 4..].to_vec() };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = join(&answer.body)?;
        }
        Some(answer)
    }
}

/// Joins the chunks of a body.
fn join(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = chunks.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&chunks[..end]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.extend(chunks.get(end + 2..end + 2 + size)?);
        chunks = chunks.get(end + 4 + size..)?;
    }
}

/// Text in base64, as the metadata of an upload wants it.
pub(crate) fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32| char::from(LETTERS[(bits & 63) as usize]);
    let group = |bytes: &[u8]| -> String {
        let bits = bytes.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - bytes.len()));
        (0..4).map(|at| if at <= bytes.len() { letter(bits >> (18 - 6 * at)) } else { '=' }).collect()
    };
    text.as_bytes().chunks(3).map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_and_in_chunks() {
        let answer = Answer::read(b"HTTP/1.1 201 Created\r\nLocation: /a\r\n\r\n{\"id\":7}").unwrap();
        assert_eq!(
            (answer.status, answer.header("location"), answer.json()["id"].as_i64()),
            (201, Some("/a"), Some(7))
        );
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert_eq!(Answer::read(chunked).unwrap().body, b"abcde");
        assert!(Answer::read(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab").is_none());
    }

    #[test]
    fn base64_is_padded() {
        assert_eq!(["", "a", "ab", "abc", "abcd"].map(base64), ["", "YQ==", "YWI=", "YWJj", "YWJjZA=="]);
    }
}
