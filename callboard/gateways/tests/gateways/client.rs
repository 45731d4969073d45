//! A small HTTP/1.1 client that sends exactly what a test wants, also what no proper client would send.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request being put together.
pub(crate) struct Request {
    address: SocketAddr,
    method: String,
    target: String,
    host: Option<String>,
    headers: String,
    body: Vec<u8>,
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(address: SocketAddr, method: &str, target: &str) -> Self {
        Self {
            address,
            method: method.into(),
            target: target.into(),
            host: Some("localhost".into()),
            headers: String::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        self.host = Some(host.into());
        self
    }

    pub(crate) fn without_host(mut self) -> Self {
        self.host = None;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len();
        self.header("content-type", media_type).header("content-length", length)
    }

    pub(crate) fn json(self, text: impl Into<Vec<u8>>) -> Self {
        self.body("application/json", text)
    }

    pub(crate) fn head(&self) -> String {
        let host = self.host.as_ref().map(|host| format!("host: {host}\r\n")).unwrap_or_default();
        format!("{} {} HTTP/1.1\r\n{host}{}\r\n", self.method, self.target, self.headers)
    }

    /// Sends the request and leaves the connection open.
    pub(crate) async fn open(self) -> Connection {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut bytes = self.head().into_bytes();
        bytes.extend(&self.body);
        stream.write_all(&bytes).await.unwrap();
        Connection { stream, seen: Vec::new() }
    }

    pub(crate) async fn send(self) -> Response {
        let is_head = self.method == "HEAD";
        let mut connection = self.header("connection", "close").open().await;
        connection.response(is_head).await
    }
}

/// An open connection.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    seen: Vec<u8>,
}

impl Connection {
    async fn more(&mut self) -> bool {
        let mut chunk = [0; 65536];
        let count = self.stream.read(&mut chunk).await.unwrap_or(0);
        self.seen.extend(&chunk[..count]);
        count > 0
    }

    /// Reads until a text has come, and gives everything up to its end. Panics where the connection ends before.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.seen.windows(text.len()).position(|window| window == text.as_bytes()) {
                let rest = self.seen.split_off(at + text.len());
                return String::from_utf8(std::mem::replace(&mut self.seen, rest)).unwrap();
            }
            assert!(
                self.more().await,
                "the connection ended; before it came {:?}",
                String::from_utf8_lossy(&self.seen)
            );
        }
    }

    /// Everything up to the end of the connection.
    pub(crate) async fn rest(mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    pub(crate) async fn response(&mut self, is_head: bool) -> Response {
        let head = self.until("\r\n\r\n").await;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.into(), value.into()));
        let mut response = Response { status, headers: headers.collect(), body: Vec::new() };
        let length = response.header("content-length").and_then(|text| text.parse().ok());
        match length {
            _ if is_head || matches!(status, 204 | 304) => {}
            Some(length) => {
                while self.seen.len() < length {
                    assert!(self.more().await, "the body ended before its length");
                }
                let rest = self.seen.split_off(length);
                response.body = std::mem::replace(&mut self.seen, rest);
            }
            None => response.body = self.chunks().await,
        }
        response
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.until("\r\n").await;
            let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
            while self.seen.len() < size + 2 {
                assert!(self.more().await, "a chunk ended before its size");
            }
            let rest = self.seen.split_off(size + 2);
            body.extend(&self.seen[..size]);
            self.seen = rest;
            if size == 0 {
                return body;
            }
        }
    }
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?} has no JSON"))
    }

    /// Status and code of a problem document.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.header("x-request-id"), self.json()["instance"].as_str(), "the id is said twice alike");
        (self.status, self.json()["code"].as_str().unwrap().to_owned())
    }
}
