//! The processes of one function: one more where all are at work, none where nobody calls, and a pause where they do not begin.

use crate::runtime::{Answered, Begun, Beside, Invocation};
use crate::worker::{Failure, Recipe, Worker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

/// First pause after a process did not begin; it doubles.
const PAUSE_MS: u64 = 100;
const PAUSE_MS_MAX: u64 = 30_000;

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(crate) enum NoAnswer {
    /// The process gave none.
    Failed(Failure),
    /// All processes were at work for as long as there was time.
    Busy,
    /// Processes do not begin; the next is tried later.
    Paused {
        /// So much later.
        wait_ms: u64,
        /// Why the last did not begin.
        last: Failure,
    },
}

/// An answer, with the end of what was printed, where it was wanted.
pub(crate) type Result<T> = std::result::Result<T, NoAnswer>;

/// What is given to a process.
pub(crate) struct Work {
    pub(crate) invocation: Invocation,
    /// How long a process may take.
    pub(crate) timeout: Duration,
    /// How long anybody waits for the answer, also while a process begins.
    pub(crate) patience: Duration,
    /// Answers what the process asks meanwhile.
    pub(crate) is_tail_wanted: bool,
    /// Takes a streamed answer as it comes.
    pub(crate) live: Option<oneshot::Sender<Begun>>,
}

/// The processes of a function.
pub(crate) struct Pool {
    recipe: Recipe,
    /// Answers what a process asks; one for each.
    beside: Box<dyn Fn() -> (Beside, Arc<Desk>) + Send + Sync>,
    permits: Semaphore,
    idle_ms: u64,
    state: Mutex<State>,
}

/// Where the invocation of a process is laid open for what it asks.
pub(crate) type Desk = Mutex<Option<crate::reading::Reading>>;

#[derive(Default)]
struct State {
    idle: Vec<Seat>,
    generation: u64,
    failures: u32,
    paused: Option<(Instant, Failure)>,
    is_swept: bool,
    started: u64,
    /// What its author was told last, since a file was saved and since it last worked.
    told: Option<String>,
}

/// A process that waits.
pub(crate) struct Seat {
    pub(crate) worker: Worker,
    pub(crate) desk: Arc<Desk>,
    /// How much of its first invocation's time it took to begin.
    late: Duration,
}

/// How much time an invocation leaves for a process that begins late.
#[derive(Clone, Copy)]
struct Late {
    timeout: Duration,
    begun: Instant,
    patience: Duration,
}

impl Late {
    fn left(&self) -> Duration {
        self.timeout.min(self.patience.saturating_sub(self.begun.elapsed()))
    }
}

impl Pool {
    pub(crate) fn new(
        recipe: Recipe,
        processes_max: usize,
        idle_ms: u64,
        beside: Box<dyn Fn() -> (Beside, Arc<Desk>) + Send + Sync>,
    ) -> Arc<Self> {
        Arc::new(Self { recipe, beside, permits: Semaphore::new(processes_max), idle_ms, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives work to a process that waits, or to a new one.
    pub(crate) async fn run(
        self: Arc<Self>,
        mut work: Work,
        reading: crate::reading::Reading,
    ) -> (Result<Answered>, Vec<u8>) {
        let begun = Instant::now();
        let permit = match tokio::time::timeout(work.timeout.min(work.patience), self.permits.acquire()).await {
            Ok(Ok(permit)) => permit,
            _ => return (Err(NoAnswer::Busy), Vec::new()),
        };
        let late = Late { timeout: work.timeout, begun, patience: work.patience };
        let mut seat = match self.seat(late).await {
            Ok(seat) => seat,
            Err(no_answer) => return (Err(no_answer), Vec::new()),
        };
        lay(&seat.desk, Some(reading));
        let waited = begun.elapsed();
        let taken = std::mem::take(&mut seat.late);
        let left = work.timeout.saturating_sub(taken).min(work.patience.saturating_sub(waited));
        work.invocation.deadline_ms = work.invocation.deadline_ms.saturating_add((waited + left).as_millis() as i64);
        let result = seat.worker.invoke(work.invocation, work.live, left).await;
        lay(&seat.desk, None);
        let tail = match work.is_tail_wanted {
            true => seat.worker.log.tail().await,
            false => Vec::new(),
        };
        match &result {
            Err(failure) if !failure.leaves_process() => Box::pin(seat.worker.end()).await,
            _ => self.give_back(seat),
        }
        drop(permit);
        (result.map_err(NoAnswer::Failed), tail)
    }

    /// A process that waits for work. Starting one is boxed, so that calls of those that wait stay small.
    async fn seat(self: &Arc<Self>, late: Late) -> Result<Seat> {
        loop {
            let Some(mut seat) = self.state().idle.pop() else { return Box::pin(self.start(Some(late))).await };
            if seat.worker.generation == self.state().generation && seat.worker.is_alive() {
                return Ok(seat);
            }
            tokio::spawn(seat.worker.end());
        }
    }

    /// Starts a process. As with AWS, one that does not begin in time begins anew under the timeout of the invocation that waits.
    async fn start(self: &Arc<Self>, late: Option<Late>) -> Result<Seat> {
        let generation = {
            let state = self.state();
            if let Some((until, last)) = &state.paused
                && let Some(wait) = until.checked_duration_since(Instant::now())
            {
                return Err(NoAnswer::Paused { wait_ms: wait.as_millis() as u64 + 1, last: last.clone() });
            }
            state.generation
        };
        let (beside, mut desk) = (self.beside)();
        let timeout = Duration::from_millis(self.recipe.init_timeout_ms);
        let mut started = Worker::start(&self.recipe, beside, generation, timeout).await;
        let mut taken = Duration::ZERO;
        if let Some(late) = late
            && started.as_ref().is_err_and(Failure::is_late)
        {
            let (again, beside) = (Instant::now(), (self.beside)());
            desk = beside.1;
            started = Worker::start(&self.recipe, beside.0, generation, late.left()).await;
            taken = again.elapsed();
        }
        let mut state = self.state();
        match started {
            Ok(worker) => {
                (state.failures, state.paused) = (0, None);
                state.started += 1;
                Ok(Seat { worker, desk, late: taken })
            }
            Err(failure) => {
                if state.generation == generation {
                    let pause_ms = (PAUSE_MS << state.failures.min(16)).min(PAUSE_MS_MAX);
                    state.failures += 1;
                    state.paused = Some((Instant::now() + Duration::from_millis(pause_ms), failure.clone()));
                }
                Err(NoAnswer::Failed(failure))
            }
        }
    }

    fn give_back(self: &Arc<Self>, mut seat: Seat) {
        seat.worker.idle_since = Instant::now();
        let mut state = self.state();
        if seat.worker.generation != state.generation {
            tokio::spawn(seat.worker.end());
            return;
        }
        state.idle.push(seat);
        if !std::mem::replace(&mut state.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self), Duration::from_millis(self.idle_ms)));
        }
    }

    /// Starts a process before anybody calls.
    ///
    /// # Errors
    /// Why it does not begin.
    pub(crate) async fn prepare(self: &Arc<Self>) -> Result<()> {
        let seat = self.start(None).await?;
        self.give_back(seat);
        Ok(())
    }

    /// The function's files have changed: what waits is ended, and what works is ended once it has answered.
    pub(crate) fn renew(&self) {
        let mut state = self.state();
        state.generation += 1;
        (state.failures, state.paused, state.told) = (0, None, None);
        for seat in state.idle.drain(..) {
            tokio::spawn(seat.worker.end());
        }
    }

    /// Whether this is something else than its author was told last; from now on it is that.
    pub(crate) fn is_news(&self, message: &str) -> bool {
        let told = self.state().told.replace(message.to_owned());
        told.as_deref() != Some(message)
    }

    /// It works: what goes wrong from now on is news.
    pub(crate) fn works(&self) {
        self.state().told = None;
    }

    /// How many processes wait, and how many were started in all.
    pub(crate) fn counts(&self) -> (usize, u64) {
        let state = self.state();
        (state.idle.len(), state.started)
    }
}

fn lay(desk: &Desk, reading: Option<crate::reading::Reading>) {
    *desk.lock().unwrap_or_else(PoisonError::into_inner) = reading;
}

/// Ends processes that had nothing to do for long enough, until none waits.
async fn sweep(pool: std::sync::Weak<Pool>, idle: Duration) {
    loop {
        tokio::time::sleep(idle).await;
        let Some(pool) = pool.upgrade() else { return };
        let (mut ended, is_done) = {
            let mut state = pool.state();
            let seats = std::mem::take(&mut state.idle);
            let (ended, kept): (Vec<_>, Vec<_>) =
                seats.into_iter().partition(|seat| seat.worker.idle_since.elapsed() >= idle);
            state.idle = kept;
            let is_done = state.idle.is_empty();
            state.is_swept = !is_done;
            (ended, is_done)
        };
        for seat in ended.drain(..) {
            seat.worker.end().await;
        }
        if is_done {
            return;
        }
    }
}
