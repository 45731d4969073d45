//! Calls to other systems over HTTP/1.1: a connection each, so that it is known what was sent when something breaks. Names are
//! looked up here and the address that was judged is the one that is called. Nothing is followed and nothing is retried.

mod addresses;

use bytes::Bytes;
use callboard::outside::{Origin, Outside, Request, Response, unanswered, unreachable};
use callboard::{BoxFuture, Fault};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Longest time until a connection stands, within the time of the whole.
const CONNECT_MS_MAX: u64 = 10_000;
/// Longest name and value of the headers that are taken.
const HEADERS_BYTES_MAX: usize = 64 * 1024;

/// The real outside.
#[derive(Clone)]
pub struct HttpOutside {
    tls: TlsConnector,
    /// Whether addresses that are not public may be called too.
    is_anywhere: bool,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl HttpOutside {
    /// Trusts the certificates that browsers trust.
    pub fn new() -> Self {
        Self::trusting(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }

    fn trusting(roots: RootCertStore) -> Self {
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Self { tls: TlsConnector::from(Arc::new(config)), is_anywhere: false }
    }

    /// The same for what whoever runs the process chose for it, such as a collector of traces in their own network: it may call
    /// addresses that are not public.
    #[must_use]
    pub fn anywhere(self) -> Self {
        Self { is_anywhere: true, ..self }
    }

    async fn exchange(&self, origin: Origin, request: Request) -> Result<Response, Fault> {
        let connect = Duration::from_millis(request.timeout_ms.min(CONNECT_MS_MAX));
        let stream = tokio::time::timeout(connect, self.connect(&origin)).await;
        let stream = stream.map_err(|_| unreachable(format!("{origin} does not take a connection")))??;
        let asked = ask(&origin, request, stream);
        asked.await
    }

    /// A connection. Whatever goes wrong here, nothing of the request was sent.
    async fn connect(&self, origin: &Origin) -> Result<Box<dyn Stream>, Fault> {
        let tcp = dial(origin, self.is_anywhere).await?;
        drop(tcp.set_nodelay(true));
        if !origin.is_https {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(origin.host.clone());
        let name = name.map_err(|error| unreachable(format!("{origin} cannot be asked over TLS: {error}")))?;
        let stream = self.tls.connect(name, tcp).await;
        stream.map(|stream| Box::new(stream) as _).map_err(|error| unreachable(format!("{origin}: no TLS: {error}")))
    }
}

impl Default for HttpOutside {
    fn default() -> Self {
        Self::new()
    }
}

impl Outside for HttpOutside {
    fn fetch(&self, origin: Origin, request: Request) -> BoxFuture<'_, Result<Response, Fault>> {
        Box::pin(self.exchange(origin, request))
    }
}

/// Connects to the first address that answers, of those that may be called.
async fn dial(origin: &Origin, is_anywhere: bool) -> Result<TcpStream, Fault> {
    let found = lookup_host((origin.host.as_str(), origin.port)).await;
    let found: Vec<SocketAddr> =
        found.map_err(|error| unreachable(format!("{origin} has no address: {error}")))?.collect();
    let may_call = |address: &&SocketAddr| match origin.is_loopback() {
        true => address.ip().is_loopback(),
        false => is_anywhere || addresses::is_public(address.ip()),
    };
    let mut why = None;
    for address in found.iter().filter(may_call) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => why = Some(unreachable(format!("{origin} at {address}: {error}"))),
        }
    }
    let private = || {
        Fault::denied("outside.private", "the other system's name leads to an address that is not public")
            .detail(format!("{origin} is at {found:?}"))
    };
    Err(why.unwrap_or_else(private))
}

/// Sends the request and reads the answer. Whatever goes wrong here, the other system may have received it.
async fn ask(origin: &Origin, request: Request, stream: Box<dyn Stream>) -> Result<Response, Fault> {
    let (timeout, bytes_max) = (Duration::from_millis(request.timeout_ms), request.answer_bytes_max);
    let request = encode(origin, request)?;
    let mut connections = http1::Builder::new();
    let handshake = connections.max_buf_size(HEADERS_BYTES_MAX).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| unreachable(format!("{origin}: {error}")))?;
    // In a set, so that the connection ends with the exchange, however that ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| unanswered(format!("{origin}: {error}")))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, bytes_max).collect().await;
        let body = body.map_err(|error| unanswered(format!("{origin}: the answer breaks off: {error}")))?.to_bytes();
        let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
        let headers = parts.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)));
        Ok(Response { status: parts.status.as_u16(), headers: headers.collect(), body })
    };
    let limited = tokio::time::timeout(timeout, exchange).await;
    limited.unwrap_or_else(|_| Err(unanswered(format!("{origin} has not answered in {} ms", timeout.as_millis()))))
}

fn encode(origin: &Origin, request: Request) -> Result<hyper::Request<Full<Bytes>>, Fault> {
    let mut builder = hyper::Request::builder().method(request.method).uri(&request.path);
    builder =
        builder.header(HOST, origin.authority()).header(USER_AGENT, "showrunner").header(ACCEPT, "application/json");
    if !request.body.media_type.is_empty() {
        builder = builder.header(CONTENT_TYPE, &*request.body.media_type);
    }
    for (name, value) in &request.headers {
        builder = builder.header(*name, value.expose());
    }
    let encoded = builder.body(Full::new(request.body.bytes));
    encoded.map_err(|error| Fault::bug(format!("a request to {origin} cannot be written: {error}")))
}

#[cfg(test)]
mod tests;
