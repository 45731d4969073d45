//! Event streams: what happens on a URI and below it, waited for instead of asked for again and again.

use crate::exchange::{Visitor, receive_head};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Longest wait for anything a channel does by itself.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct News {
    reader: BufReader<TcpStream>,
    until: Instant,
}

impl News {
    /// Listens from now on to a URI of the API and everything below it.
    #[track_caller]
    pub(crate) fn of(visitor: &Visitor, uri: &str) -> Self {
        let connection = visitor.connect();
        let head = visitor.head("GET", &format!("/api{uri}/**"), &[("accept", "text/event-stream")], 0);
        std::io::Write::write_all(&mut &connection, head.as_bytes()).unwrap();
        let mut reader = BufReader::new(connection);
        let (status, _) = receive_head(&mut reader);
        assert_eq!(status, 200, "{uri} can be listened to");
        Self { reader, until: Instant::now() + PATIENCE }
    }

    /// The next event, by its kind and data.
    #[track_caller]
    pub(crate) fn next(&mut self) -> (String, Value) {
        let mut kind = String::new();
        loop {
            assert!(Instant::now() < self.until, "nothing more happened in {PATIENCE:?}");
            let mut line = String::new();
            let count = self.reader.read_line(&mut line).expect("there is a heartbeat at least");
            assert!(count > 0, "the stream ended");
            if let Some(text) = line.strip_prefix("event:") {
                kind = text.trim().to_owned();
            } else if let Some(text) = line.strip_prefix("data:") {
                return (kind, serde_json::from_str(text.trim()).unwrap_or(Value::Null));
            }
        }
    }

    /// Waits for an event.
    #[track_caller]
    pub(crate) fn until(&mut self, mut is_it: impl FnMut(&str, &Value) -> bool) -> Value {
        loop {
            let (kind, data) = self.next();
            if is_it(&kind, &data) {
                return data;
            }
        }
    }
}
