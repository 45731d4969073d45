//! The smallest application over HTTP, without tenants, pages or files: `cargo run --example hello`, then open
//! http://localhost:8080/api/hello. The second listener gives the same answer from bare axum, to measure against.

use callboard::{Empty, Fault, Kind, Msg, Reply, Service, Stranger, Who};
use callboard_bench::Bench;
use callboard_gateways::http;
use tokio::net::TcpListener;

async fn hello(_: Msg<Empty>) -> Result<Reply<&'static str>, Fault> {
    Ok(Reply::ok("Hello, world"))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let service = Service::new("hello").on(Kind::Get, "/hello", hello, Who::Anyone, Stranger::Denied);
    let bench = Bench::new(vec![service]).await;
    tokio::spawn(serve_bare(TcpListener::bind("127.0.0.1:8081").await?));
    http::run(bench.host().clone(), TcpListener::bind("127.0.0.1:8080").await?).await;
    Ok(())
}

async fn serve_bare(listener: TcpListener) -> std::io::Result<()> {
    let answer = || async { ([("content-type", "application/json")], "\"Hello, world\"") };
    axum::serve(listener, axum::Router::new().route("/api/hello", axum::routing::get(answer))).await
}
