//! Streamed answers on their whole way: from a function in its process through the gateway to whoever asks over HTTP.

use crate::stage::{Stage, released};
use crate::streaming::{CODE, TOML, go, with_pipes};
use bytes::Bytes;
use callboard::Tenant;
use callboard_gateways::http::{self, HttpOptions, Tenants};
use futures_util::FutureExt;
use futures_util::future::Fuse;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::net::{TcpSocket, TcpStream};

/// Longer than a test may take: what ends an answer here is never that its time is over.
const PATIENCE_MS: u64 = 900_000;

/// The size of a large answer, and how much of it systems may hold on its way where nobody takes it: much less, and never all.
const LARGE_BYTES: usize = 256 << 20;
const AHEAD_BYTES_MAX: usize = 32 << 20;

/// What a socket holds of which the size can be chosen, so that little is on its way: systems take more and more where nobody says.
const BUFFER_BYTES: u32 = 256 << 10;

/// Says how much of a large answer it has written wherever the host takes no more: where it answers something else again and again
/// and takes nothing of this meanwhile; it is on one thread. At the end it says so once more.
const LARGE: &str = r#"
import http.client, os, select, socket
api, aside = (http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"]) for _ in range(2))
base = "/2018-06-01/runtime/invocation/"
def takes_more():
    return select.select([], [api.sock], [], 0)[1]
def is_stuck():
    for _ in range(64):
        aside.request("GET", "/")
        aside.getresponse().read()
        if takes_more():
            return False
    return True
api.connect()
api.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 262144)
while True:
    api.request("GET", base + "next")
    work = api.getresponse()
    work.read()
    api.putrequest("POST", base + work.headers["lambda-runtime-aws-request-id"] + "/response")
    api.putheader("transfer-encoding", "chunked")
    api.putheader("lambda-runtime-function-response-mode", "streaming")
    api.putheader("content-type", "text/plain")
    api.endheaders()
    api.sock.setblocking(False)
    written = 0
    for _ in range(SIZE // 65536):
        piece = memoryview(b"10000\r\n" + bytes(65536) + b"\r\n")
        while piece:
            try:
                count = api.sock.send(piece)
                written += count
                piece = piece[count:]
            except BlockingIOError:
                if is_stuck():
                    print(written, flush=True)
                select.select([], [api.sock], [])
    api.sock.setblocking(True)
    print(written, flush=True)
    api.send(b"0\r\n\r\n")
    api.getresponse().read()
"#;

/// Serves the functions over HTTP while the test runs.
async fn door(stage: &Stage) -> SocketAddr {
    let mut options = HttpOptions::new(Tenants::Only(Tenant::new("demo")));
    options.has_only_resources = true;
    options.limits.answer_timeout_ms = PATIENCE_MS;
    let socket = TcpSocket::new_v4().expect("a socket");
    // Its connections have the same.
    socket.set_send_buffer_size(BUFFER_BYTES).expect("a size");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let listener = socket.listen(16).expect("it listens");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(http::serve(stage.bench.host().clone(), options, listener, std::future::pending()));
    address
}

/// What the answer comes over.
type Line = Connection<TokioIo<TcpStream>, Empty<Bytes>>;

/// Somebody who has asked, and takes of the answer only what they ask for. Dropped, they hang up.
struct Caller {
    body: Incoming,
    connection: Fuse<Pin<Box<Line>>>,
}

impl Caller {
    /// Asks, and waits for the head of the answer.
    async fn ask(door: SocketAddr, status: u16) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(BUFFER_BYTES).expect("a size");
        let stream = socket.connect(door).await.expect("a connection");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("it begins");
        let mut connection = Box::pin(connection).fuse();
        let request = Request::get("/do").header("host", "localhost").body(Empty::new()).expect("a request");
        let answer = tokio::select! {
            biased;
            answer = sender.send_request(request) => answer.expect("an answer"),
            ended = &mut connection => panic!("nobody answered: {ended:?}"),
        };
        assert_eq!(answer.status(), status);
        assert!(!answer.headers().contains_key("content-length"), "it comes in chunks");
        Self { body: answer.into_body(), connection }
    }

    /// The next bytes; none where a last chunk said that this is the end, an error where the connection ended without.
    async fn next(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        let mut frame = self.body.frame();
        let frame = loop {
            tokio::select! {
                biased;
                frame = &mut frame => break frame?,
                _ = &mut self.connection => {}
            }
        };
        Some(frame.map(|frame| frame.into_data().expect("data")))
    }

    async fn hears(&mut self, text: &'static str) {
        let bytes = self.next().await.expect("there is more").expect("it is whole");
        assert_eq!(bytes, text);
    }
}

/// Somebody who has the first piece of an answer whose last is held back.
async fn begun(door: SocketAddr) -> Caller {
    let mut caller = Caller::ask(door, 418).await;
    caller.hears("first").await;
    caller
}

/// One process at most, and all the time there is.
fn alone() -> String {
    format!("{TOML}\nprocesses_max = 1\ntimeout_ms = {PATIENCE_MS}")
}

/// Asks once more, and takes it to its end.
async fn is_served(stage: &Stage, door: SocketAddr) {
    let mut caller = begun(door).await;
    let _go = go(stage.folder.path(), b"+");
    caller.hears("last").await;
    assert!(caller.next().await.is_none(), "the answer is whole");
}

fn started(stage: &Stage) -> Option<u64> {
    stage.functions.processes("do").map(|(_, started)| started)
}

#[tokio::test]
async fn the_first_piece_reaches_the_caller_before_the_function_writes_the_last() {
    let stage = with_pipes(&alone(), CODE).await;
    let door = door(&stage).await;
    is_served(&stage, door).await;
    is_served(&stage, door).await;
    assert_eq!(started(&stage), Some(1), "one process did both");
}

#[tokio::test]
async fn who_hangs_up_in_the_middle_ends_the_process_and_the_next_gets_another() {
    let stage = with_pipes(&alone(), CODE).await;
    let door = door(&stage).await;
    drop(begun(door).await);
    released(&stage.folder.path().join("pipes/held")).await;
    is_served(&stage, door).await;
    assert_eq!(started(&stage), Some(2));
}

#[tokio::test]
async fn what_fails_in_its_middle_never_looks_whole_to_the_caller() {
    let exits = CODE.replace("is_good = ", "os._exit(5) # ");
    for (code, processes) in [(CODE, 1), (&exits, 2)] {
        let stage = with_pipes(&alone(), code).await;
        let door = door(&stage).await;
        let mut caller = begun(door).await;
        let _go = go(stage.folder.path(), b"-");
        assert!(caller.next().await.expect("it does not end").is_err(), "no chunk says that this is the end");
        begun(door).await;
        assert_eq!(started(&stage), Some(processes), "the next is served");
    }
}

async fn with_large() -> Stage {
    Stage::new(&alone(), &[("do.py", &LARGE.replace("SIZE", &LARGE_BYTES.to_string()))]).await
}

#[tokio::test]
async fn a_function_gets_ahead_of_who_hesitates_by_no_more_than_what_is_on_its_way() {
    let stage = with_large().await;
    let mut caller = Caller::ask(door(&stage).await, 200).await;
    let mut taken = 0;
    for pause in [0, LARGE_BYTES / 4, LARGE_BYTES / 2] {
        while taken < pause {
            taken += caller.next().await.expect("there is more").expect("it is whole").len();
        }
        // What it said before may be of less than is taken since.
        let written = |(_, _, line): &(String, String, String)| line.parse().ok().filter(|written| *written >= taken);
        let mut lines = stage.lines.subscribe();
        let lines = lines.wait_for(|lines| lines.iter().any(|line| written(line).is_some())).await.expect("a line");
        let written: usize = lines.iter().find_map(written).expect("it is said");
        assert!(written - taken <= AHEAD_BYTES_MAX, "{written} bytes are written where {taken} are taken");
    }
    while let Some(piece) = caller.next().await {
        taken += piece.expect("it is whole").len();
    }
    assert_eq!(taken, LARGE_BYTES);
}

#[tokio::test]
async fn who_hangs_up_while_the_function_waits_for_them_leaves_its_place_to_the_next() {
    let stage = with_large().await;
    let door = door(&stage).await;
    let caller = Caller::ask(door, 200).await;
    stage.printed(1).await;
    drop(caller);
    Caller::ask(door, 200).await;
    assert_eq!(started(&stage), Some(2));
}
