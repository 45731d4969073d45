//! Media over HTTP, to measure against a file server: http://localhost:8080/media/a1/full/seg_1.m4s is public, 1.5 MB.

use callboard_bench::{Bench, Kept};
use callboard_gateways::http;
use std::error::Error;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let bench = Bench::shaped(Vec::new(), Kept::OnFiles, |builder| builder).await;
    let blobs = &bench.host().ports().blobs;
    blobs.put("media/only/a1/full/seg_1.m4s", vec![7; 1_500_000].into()).await?;
    blobs.put("public/only/a1/full", "".into()).await?;
    http::run(bench.host().clone(), TcpListener::bind("127.0.0.1:8080").await?).await;
    Ok(())
}
