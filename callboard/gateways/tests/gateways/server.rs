//! A hall that listens, and ends with the test. The only place that starts the gateway.

use crate::client::Request;
use crate::hall::{self, Badges, Doors};
use callboard::{Pass, SigningKey, Tenant, Uri};
use callboard_bench::{Bench, Kept};
use callboard_gateways::http::{self, Asset, Assets, HttpOptions, Pages, Tenants};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct Server {
    pub(crate) bench: Bench,
    pub(crate) address: SocketAddr,
    pub(crate) doors: Doors,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

/// The platform `localhost` with the tenants `demo` (its default) and `other` (also at `other.example`).
pub(crate) fn platform() -> HttpOptions {
    let default = Some(Tenant::new("demo"));
    let mut options = HttpOptions::new(Tenants::Resolved { default, suffix: "localhost".into() });
    options.pages = Some(Pages { fault: Uri::parse("/fault").unwrap(), sign_in: Uri::parse("/sign-in").unwrap() });
    let style = Asset::new("text/css", "body {}").br("br").gzip("gz");
    options.assets =
        Assets::default().with("/assets/1f.css", style).with("/robots.txt", Asset::new("text/plain", "all"));
    options
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(platform(), Kept::InMemory).await
    }

    pub(crate) async fn with(options: HttpOptions, blobs: Kept) -> Self {
        let doors = Doors::new();
        let key = SigningKey::new("k1", [7; 32]);
        let bench = Bench::shaped(vec![hall::service(&doors)], blobs, |builder| builder.handler(Badges).key(key)).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let serving = tokio::spawn(http::serve(bench.host().clone(), options, listener, stopped));
        Self { bench, address, doors, stop, serving }
    }

    pub(crate) fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.address, method, target)
    }

    pub(crate) fn get(&self, target: &str) -> Request {
        self.request("GET", target)
    }

    pub(crate) async fn put_blob(&self, key: &str, bytes: impl Into<bytes::Bytes>) {
        self.bench.host().ports().blobs.put(key, bytes.into()).await.unwrap();
    }

    /// A pass to `/media/~{pass}/a1/full/…` of the tenant `demo`, good for a minute, after `change`.
    pub(crate) fn pass(&self, change: impl FnOnce(&mut Pass)) -> String {
        let mut pass = Pass {
            tenant: "demo".into(),
            folder: "a1".into(),
            version: "full".into(),
            session: "s1".into(),
            purpose: "play".into(),
            last_segment: None,
            expires_ms: callboard_bench::START_MS + 60_000,
        };
        change(&mut pass);
        self.bench.host().key().sign(&pass)
    }

    /// Tells the server to end.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) {
        self.serving.await.unwrap();
    }
}
