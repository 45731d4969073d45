//! Gateways into callboard: HTTP with live event streams, blobs and media, and the local command line.
//!
//! A whole application over HTTP, here on engines in memory:
//!
//! ```
//! use callboard::{Empty, Fault, Kind, Msg, Reply, Service, Stranger, Who};
//! async fn hello(_: Msg<Empty>) -> Result<Reply<&'static str>, Fault> {
//!     Ok(Reply::ok("Hello, world"))
//! }
//! async fn application(listener: tokio::net::TcpListener) {
//!     let service = Service::new("hello").on(Kind::Get, "/hello", hello, Who::Anyone, Stranger::Denied);
//!     let bench = callboard_bench::Bench::new(vec![service]).await;
//!     callboard_gateways::http::run(bench.host().clone(), listener).await;
//! }
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # use tokio::net::{TcpListener, TcpStream};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! # let listener = TcpListener::bind("127.0.0.1:0").await?;
//! # let address = listener.local_addr()?;
//! # tokio::spawn(application(listener));
//! # let mut stream = TcpStream::connect(address).await?;
//! # stream.write_all(b"GET /api/hello HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
//! # let mut answer = String::new();
//! # stream.read_to_string(&mut answer).await?;
//! # assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\"Hello, world\""), "{answer}");
//! # Ok(())
//! # }
//! ```

pub mod http;
mod intake;
pub mod lambda;
pub mod local;
pub mod socket;
