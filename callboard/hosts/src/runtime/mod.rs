//! The Lambda Runtime API (2018-06-01) as a server for one process: clients of AWS run against it unmodified. It gives out one
//! invocation at a time; who starts and ends the process is decided elsewhere.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use callboard_hosts::runtime::{Invocation, Limits, Runtime};
//! let runtime = Runtime::bind(Limits::default()).await?;
//! // Start a process with AWS_LAMBDA_RUNTIME_API = runtime.address(), then:
//! runtime.ready().await?;
//! let answered = runtime.invoke(Invocation::new("1", "{}", i64::MAX)).await?;
//! # drop(answered); Ok(())
//! # }
//! ```

mod invocation;
mod machine;
mod server;
mod streaming;

pub(crate) use invocation::is_json;
pub use invocation::{Answered, Begun, FunctionError, Invocation, InvokeError, Prelude};

use callboard::BoxFuture;
use http_body_util::Full;
use hyper::http::request::Parts;
use machine::State;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::AbortHandle;

/// Bounds of what a process may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest answer, in bytes.
    pub answer_bytes_max: usize,
    /// Largest streamed answer, in bytes.
    pub streamed_bytes_max: usize,
    /// Connections at once.
    pub connections_max: usize,
}

impl Default for Limits {
    /// Those of AWS, but 20 MiB for what is streamed and kept in memory; what is passed on while it comes has no bound.
    fn default() -> Self {
        Self { answer_bytes_max: (6 << 20) + 100, streamed_bytes_max: 20 << 20, connections_max: 32 }
    }
}

/// What else is answered to the process, below paths other than those of the Runtime API.
pub type Beside = Arc<dyn Fn(Parts) -> BoxFuture<'static, hyper::Response<Full<bytes::Bytes>>> + Send + Sync>;

/// The server of one process. It ends when it is dropped.
pub struct Runtime {
    shared: Arc<Shared>,
    address: SocketAddr,
    turn: tokio::sync::Mutex<()>,
    accepting: AbortHandle,
}

/// What the connections of a process share.
pub(crate) struct Shared {
    limits: Limits,
    beside: Option<Beside>,
    stage: Mutex<Stage>,
    /// Tells connections that wait for work.
    work: Notify,
    /// Whether the process has asked for work, or said that it cannot start.
    started: watch::Sender<Option<Result<(), FunctionError>>>,
}

/// Where the process stands, what waits for it, and who waits for its answer.
pub(crate) struct Stage {
    state: State,
    pending: Option<Invocation>,
    asker: Option<oneshot::Sender<Result<Answered, InvokeError>>>,
    /// Whoever passes a streamed answer on while it comes.
    live: Option<oneshot::Sender<Begun>>,
}

impl Shared {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runtime {
    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    /// Where the system gives none.
    pub async fn bind(limits: Limits) -> io::Result<Self> {
        Self::serve(TcpListener::bind("127.0.0.1:0").await?, limits, None)
    }

    /// Serves on a listener; `beside` answers what is not of the Runtime API.
    ///
    /// # Errors
    /// Where the listener has no address.
    pub fn serve(listener: TcpListener, limits: Limits, beside: Option<Beside>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            limits,
            beside,
            stage: Mutex::new(Stage { state: State::Starting, pending: None, asker: None, live: None }),
            work: Notify::new(),
            started: watch::Sender::new(None),
        });
        let accepting = tokio::spawn(server::accept(shared.clone(), listener)).abort_handle();
        Ok(Self { shared, address, turn: tokio::sync::Mutex::default(), accepting })
    }

    /// Where the process finds it: the value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the process asks for work the first time.
    ///
    /// # Errors
    /// What the process says where it cannot start.
    pub async fn ready(&self) -> Result<(), InvokeError> {
        let mut started = self.shared.started.subscribe();
        let started = started.wait_for(Option::is_some).await.map_err(|_| InvokeError::Broken)?;
        started.clone().unwrap_or(Ok(())).map_err(InvokeError::Init)
    }

    /// Whether the process has answered everything it was given.
    pub fn is_idle(&self) -> bool {
        !matches!(self.shared.stage().state, State::Busy(_) | State::Answering(_))
    }

    /// Gives the process an invocation and waits for its answer, without any deadline. Others wait their turn. Where nobody waits
    /// any more the process is still at work: end it, or wait until it [is idle](Self::is_idle).
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn invoke(&self, invocation: Invocation) -> Result<Answered, InvokeError> {
        self.invoke_live(invocation, None).await
    }

    /// The same; a streamed answer that is no JSON goes to `live` as it comes. What is then given at its end has an empty body.
    ///
    /// # Errors
    /// Why there is no answer, or why it is not whole.
    pub async fn invoke_live(
        &self,
        invocation: Invocation,
        live: Option<oneshot::Sender<Begun>>,
    ) -> Result<Answered, InvokeError> {
        let _turn = self.turn.lock().await;
        let (asker, answer) = oneshot::channel();
        let id = invocation.id.clone();
        {
            let mut stage = self.shared.stage();
            stage.pending = Some(invocation);
            stage.asker = Some(asker);
            stage.live = live;
        }
        let _taken_back = TakenBack { shared: &self.shared, id };
        self.shared.work.notify_one();
        answer.await.unwrap_or(Err(InvokeError::Broken))
    }
}

/// Takes back an invocation that nobody waits for before a process took it.
struct TakenBack<'a> {
    shared: &'a Shared,
    id: String,
}

impl Drop for TakenBack<'_> {
    fn drop(&mut self) {
        let mut stage = self.shared.stage();
        if stage.pending.as_ref().is_some_and(|pending| pending.id == self.id) {
            stage.pending = None;
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
