//! The listener: connections within their limit and time, and an end that lets finish what runs.

use super::body::Received;
use super::gateway::Gateway;
use super::options::{HttpOptions, Limits, Tenants};
use super::stall::Stalling;
use callboard::{Host, Tenant};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// What a connection over the limit is told.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Serves until `shutdown` is done, then takes no more connections, ends event streams, stores what uploads have sent, and
/// waits for everything else that runs, at most `grace_ms`.
pub async fn serve(host: Host, options: HttpOptions, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let limits = options.limits;
    let gateway = Arc::new(Gateway::new(host, options));
    let connections = Arc::new(Semaphore::new(limits.connections_max));
    let give_up = CancellationToken::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.as_mut() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match connections.clone().try_acquire_owned() {
                Ok(permit) => {
                    let connection = connect(gateway.clone(), stream, peer, permit, give_up.clone());
                    gateway.tasks.spawn(connection);
                }
                Err(_) => drop(stream.try_write(FULL)),
            },
            Err(error) => {
                // Out of descriptors, mostly: connections that end will free some.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    gateway.stop.cancel();
    gateway.tasks.close();
    if tokio::time::timeout(Duration::from_millis(limits.grace_ms), gateway.tasks.wait()).await.is_err() {
        tracing::warn!(connections = gateway.tasks.len(), "some requests did not end in time; they are cut off");
        give_up.cancel();
    }
}

/// Serves an application that has one tenant and no pages, until the process is interrupted.
pub async fn run(host: Host, listener: TcpListener) {
    let interrupted = async {
        // Where no signal can be heard, the process ends without asking.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    serve(host, HttpOptions::new(Tenants::Only(Tenant::only())), listener, interrupted).await;
}

async fn connect(
    gateway: Arc<Gateway>,
    stream: TcpStream,
    peer: SocketAddr,
    _permit: OwnedSemaphorePermit,
    give_up: CancellationToken,
) {
    // Answers are written whole; waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    let stop = gateway.stop.clone();
    let address = peer.ip().to_canonical();
    let limits = gateway.options.limits;
    let service = service_fn(move |request| {
        let gateway = gateway.clone();
        async move {
            let outside = gateway.outside(address, &request);
            Ok::<_, Infallible>(gateway.handle(outside, request.map(Received::Coming)).await)
        }
    });
    let stream = Stalling::new(stream, Duration::from_millis(limits.stall_timeout_ms));
    let mut connection = pin!(builder(&limits).serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection.as_mut() => result,
                () = give_up.cancelled() => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection broke");
    }
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.head_timeout_ms))
        .max_headers(limits.headers_max)
        .max_header_size(limits.head_bytes_max);
    builder
}
