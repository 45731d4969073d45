//! A process as the Runtime API sees it: one connection, and whatever is written on it.

use callboard_hosts::runtime::Runtime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

pub(crate) struct Wire {
    stream: TcpStream,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Said {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Wire {
    pub(crate) async fn connect(runtime: &Runtime) -> Self {
        Self::to(runtime.address()).await
    }

    pub(crate) async fn to(address: impl ToSocketAddrs) -> Self {
        Self { stream: TcpStream::connect(address).await.expect("the server listens") }
    }

    pub(crate) async fn next(&mut self) -> Said {
        self.ask("GET", "invocation/next", "", b"").await
    }

    pub(crate) async fn answer(&mut self, id: &str, body: &[u8]) -> Said {
        self.ask("POST", &format!("invocation/{id}/response"), "", body).await
    }

    pub(crate) async fn ask(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Said {
        let length = body.len();
        let head = format!(
            "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n"
        );
        self.write(&[head.as_bytes(), body].concat()).await;
        self.read().await.expect("the server answers")
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // The server may have closed already.
        drop(self.stream.write_all(bytes).await);
    }

    pub(crate) async fn chunk(&mut self, piece: &str) {
        self.write(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await;
    }

    /// One response; none where the connection ends before.
    pub(crate) async fn read(&mut self) -> Option<Said> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut said = Said { status, head, body: Vec::new() };
        let length = said.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        said.body.resize(length, 0);
        self.stream.read_exact(&mut said.body).await.ok()?;
        Some(said)
    }
}
