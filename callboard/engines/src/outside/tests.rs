//! Exchanges with servers of this machine that answer well, badly, or not at all.

use super::*;
use callboard::Data;
use std::future::Future;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

const ROOT: &[u8] = include_bytes!("certificate/root.der");
const LEAF: &[u8] = include_bytes!("certificate/leaf.der");
const LEAF_KEY: &[u8] = include_bytes!("certificate/leaf.key.der");

/// A server that does this with its one connection; gives its port.
async fn serve<F: Future<Output = ()> + Send + 'static>(work: impl FnOnce(TcpStream) -> F + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        work(stream).await;
    });
    port
}

/// Reads a request up to the end of its body, and answers with these bytes.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, text: &str) -> String {
    let mut asked = Vec::new();
    while !asked.ends_with(b"a=1") && !asked.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.expect("the request goes on");
        asked.push(byte);
        if asked.ends_with(b"\r\n\r\n") && asked.windows(4).any(|four| four == b"POST") {
            while !asked.ends_with(b"a=1") {
                asked.push(stream.read_u8().await.expect("the body goes on"));
            }
        }
    }
    stream.write_all(text.as_bytes()).await.expect("somebody listens");
    stream.shutdown().await.expect("the end is said");
    String::from_utf8(asked).expect("a request is text")
}

fn origin(port: u16) -> Origin {
    Origin::parse(&format!("http://127.0.0.1:{port}")).expect("an origin")
}

fn get() -> Request {
    Request { timeout_ms: 5_000, ..Request::get("shop.url", "/v1/things?limit=3") }
}

async fn fetch(port: u16, request: Request) -> Result<Response, Fault> {
    HttpOutside::new().fetch(origin(port), request).await
}

#[tokio::test]
async fn a_request_and_its_answer_arrive_whole() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let port = serve(|stream| async move {
        let text = "HTTP/1.1 201 Created\r\nX-Kept: yes\r\nContent-Length: 9\r\n\r\n{\"ok\": 1}";
        tell.send(answer(stream, text).await).expect("the test listens");
    });
    let port = port.await;
    let request = Request::post("shop.url", "/v1/things", Data::form("a=1")).header("idempotency-key", "k1");
    let response = fetch(port, request).await.expect("an answer");
    assert_eq!((response.status, response.header("x-kept")), (201, Some("yes")));
    assert_eq!(response.json::<serde_json::Value>().expect("JSON")["ok"], 1);
    let asked = told.await.expect("it was asked");
    assert!(asked.starts_with("POST /v1/things HTTP/1.1\r\n") && asked.ends_with("\r\n\r\na=1"), "{asked}");
    for line in
        [&format!("host: 127.0.0.1:{port}"), "idempotency-key: k1", "content-type: application/x-www-form-urlencoded"]
    {
        assert!(asked.contains(&format!("{line}\r\n")), "{line}\n{asked}");
    }
}

#[tokio::test]
async fn nobody_there_is_told_from_somebody_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    assert_eq!(fetch(port, get()).await.expect_err("nobody listens").code, "outside.unreachable");
    let port = serve(|stream| async move { drop(answer(stream, "").await) }).await;
    assert_eq!(fetch(port, get()).await.expect_err("no answer").code, "outside.unanswered");
    let port = serve(|stream| async move {
        let _kept = stream;
        std::future::pending::<()>().await;
    });
    let hasty = Request { timeout_ms: 50, ..get() };
    assert_eq!(fetch(port.await, hasty).await.expect_err("no answer").code, "outside.unanswered");
}

#[tokio::test]
async fn an_answer_that_is_too_long_or_breaks_off_says_nothing() {
    for text in ["HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{}", "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n"]
    {
        let text = if text.ends_with('}') { text.to_owned() } else { format!("{text}{}", "x".repeat(2000)) };
        let port = serve(|stream| async move { drop(answer(stream, &text).await) }).await;
        let small = Request { answer_bytes_max: 1000, ..get() };
        assert_eq!(fetch(port, small).await.expect_err("no whole answer").code, "outside.unanswered");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let text = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let port = serve(move |stream| async move { drop(answer(stream, text).await) }).await;
    assert_eq!(fetch(port, get()).await.expect("an answer").status, 302);
}

#[tokio::test]
async fn addresses_that_are_not_public_are_not_called() {
    for host in ["10.255.255.1", "169.254.169.254", "[::ffff:127.0.0.1]"] {
        let origin = Origin::parse(&format!("https://{host}")).expect("an origin");
        let fault = HttpOutside::new().fetch(origin, get()).await.expect_err(host);
        assert_eq!(fault.code, "outside.private", "{host}");
    }
}

async fn serve_tls() -> u16 {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(LEAF_KEY));
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![CertificateDer::from(LEAF)], key).expect("a certificate and its key");
    serve(move |stream| async move {
        if let Ok(stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
            answer(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
        }
    })
    .await
}

#[tokio::test]
async fn over_tls_only_who_proves_to_be_it_is_asked() {
    let port = serve_tls().await;
    let origin = |host: &str, port| Origin::parse(&format!("https://{host}:{port}")).expect("an origin");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(ROOT)).expect("a root");
    let knowing = HttpOutside::trusting(roots);
    assert_eq!(knowing.fetch(origin("localhost", port), get()).await.expect("an answer").status, 200);
    let other_name = origin("127.0.0.1", serve_tls().await);
    assert_eq!(knowing.fetch(other_name, get()).await.expect_err("another name").code, "outside.unreachable");
    let stranger = origin("localhost", serve_tls().await);
    assert_eq!(
        HttpOutside::new().fetch(stranger, get()).await.expect_err("an unknown root").code,
        "outside.unreachable"
    );
}
