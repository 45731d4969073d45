//! One process of a function: started, given one invocation at a time, and ended when it misbehaves or is not needed any more.

use crate::logs::{Log, OnLine};
use crate::runtime::{Answered, Begun, Beside, FunctionError, Invocation, InvokeError, Limits, Runtime};
use crate::sandbox::{Exited, Launch, Launched, Policy, launch};
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

/// How often to look how much memory a working process takes, and how many it has become.
const LOOK_MS: u64 = 25;
/// So often it looks so after the work is done.
const LOOKS_AFTER_WORK: u32 = 10;
/// How often to look while it has nothing to do.
const LOOK_IDLE_MS: u64 = 250;
/// How long to wait for what a process says last, once it has ended.
const LAST_WORDS_MS: u64 = 20;

/// What AWS calls what is over time.
pub(crate) const TIMED_OUT: &str = "Sandbox.Timedout";

/// How to start a process of a function.
pub(crate) struct Recipe {
    pub(crate) function: Arc<str>,
    pub(crate) program: PathBuf,
    pub(crate) policy: Policy,
    pub(crate) command: Vec<OsString>,
    pub(crate) folder: PathBuf,
    /// The file with its handler, where it has one.
    pub(crate) handler: Option<PathBuf>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) init_timeout_ms: u64,
    pub(crate) on_line: Option<OnLine>,
}

impl Recipe {
    fn check_handler(&self) -> Result<(), Failure> {
        match self.handler.as_ref().filter(|handler| !handler.exists()) {
            Some(handler) => Err(Failure::Missing(handler.strip_prefix(&self.folder).unwrap_or(handler).to_owned())),
            None => Ok(()),
        }
    }
}

/// Why a process gave no answer.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The function failed; its process goes on.
    Function(FunctionError),
    /// Its answer is too large, or nothing that can be read; its process goes on.
    Answer(String),
    /// It did not begin: what it said, or how it ended.
    Init(FunctionError),
    /// It was over time.
    Timeout { after_ms: u64 },
    /// It was over memory.
    Memory { most_bytes: u64 },
    /// It has become too many.
    Processes { most: u64 },
    /// It ended.
    Exited(Exited),
    /// Nobody takes the rest of its answer.
    Left,
    /// The file with its handler is gone.
    Missing(PathBuf),
    /// It cannot be started.
    Start(String),
}

impl Failure {
    /// Whether it did not begin in time.
    pub(crate) fn is_late(&self) -> bool {
        matches!(self, Self::Init(error) if error.error_type == TIMED_OUT)
    }

    /// Whether the process can take another invocation.
    pub(crate) fn leaves_process(&self) -> bool {
        matches!(self, Self::Function(_) | Self::Answer(_))
    }
}

/// A process. Dropped, it is ended with everything it started.
pub(crate) struct Worker {
    launched: Option<Launched>,
    runtime: Runtime,
    pub(crate) log: Arc<Log>,
    /// Since when it has nothing to do.
    pub(crate) idle_since: Instant,
    /// Of which state of the function's files it is.
    pub(crate) generation: u64,
    watch: Arc<Watch>,
    /// Looks after it.
    watching: AbortHandle,
    /// Its own folder; removed with it.
    _own: TempDir,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// What a process and what it started may take at most.
#[derive(Clone, Copy)]
struct Most {
    memory_bytes: u64,
    processes: u64,
}

impl Most {
    /// Why it must end, where it takes more.
    fn exceeded_by(self, taken: &Taken) -> Option<Failure> {
        if taken.memory_bytes > self.memory_bytes {
            return Some(Failure::Memory { most_bytes: self.memory_bytes });
        }
        (taken.threads > self.threads()).then_some(Failure::Processes { most: self.processes })
    }

    /// The two of the sandbox are none of its own; the system's limit, which counts threads too, does not bind root.
    fn threads(self) -> u64 {
        self.processes + 2
    }
}

/// What a process and whoever looks after it tell each other.
#[derive(Default)]
struct Watch {
    is_at_work: AtomicBool,
    /// Tells that it has got something to do.
    wakes: Notify,
    /// Why it is ended.
    excess: OnceLock<Failure>,
}

impl Watch {
    fn begin(&self) {
        self.is_at_work.store(true, Ordering::SeqCst);
        self.wakes.notify_waiters();
    }

    fn end(&self) {
        self.is_at_work.store(false, Ordering::SeqCst);
    }

    fn is_at_work(&self) -> bool {
        self.is_at_work.load(Ordering::SeqCst)
    }
}

/// Ends a process that takes too much. It looks often while the process works and for a moment after, so that calls one after the
/// other set no clock each, and rarely while it rests: what it left behind goes on.
async fn look_after(process: u32, control: OwnedFd, most: Most, watch: Arc<Watch>) {
    let mut rested = 0;
    loop {
        if rested < LOOKS_AFTER_WORK {
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
        } else {
            let woken = watch.wakes.notified();
            let rest = Duration::from_millis(LOOK_IDLE_MS);
            if watch.is_at_work() || tokio::time::timeout(rest, woken).await.is_ok() {
                rested = 0;
                continue;
            }
        }
        rested = if watch.is_at_work() { 0 } else { rested + 1 };
        if let Some(excess) = most.exceeded_by(&Taken::by(process, most.threads())) {
            if rested > 0 {
                tracing::warn!(process.id = process, "a process takes too much after it has answered, and is ended");
            }
            drop(watch.excess.set(excess));
            // Its sandbox ends everything where it hears this; it fails only where that is gone.
            let _ = rustix::net::shutdown(&control, rustix::net::Shutdown::Both);
            return;
        }
    }
}

impl Worker {
    /// Starts a process and waits so long until it asks for work.
    ///
    /// # Errors
    /// Why it does not begin.
    pub(crate) async fn start(
        recipe: &Recipe,
        beside: Beside,
        generation: u64,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        recipe.check_handler()?;
        let log = Log::new(recipe.function.clone(), recipe.on_line.clone());
        let own = tempfile::Builder::new().prefix("function-").permissions(Permissions::from_mode(0o700)).tempdir();
        let own = own.map_err(|error| Failure::Start(format!("it gets no folder: {error}")))?;
        let mut policy = recipe.policy.clone();
        policy.writes.push(own.path().to_owned());
        let mut environment = recipe.environment.clone();
        for name in ["HOME", "TMPDIR"] {
            environment.push((name.to_owned(), own.path().display().to_string()));
        }
        let most = Most { memory_bytes: policy.limits.memory_bytes_max, processes: policy.limits.processes_max };
        // What is looked at is what it uses; what it may reserve is more, as programs do.
        policy.limits.memory_bytes_max += crate::RESERVED_BYTES;
        let launched = launch(Launch {
            program: &recipe.program,
            policy,
            command: &recipe.command,
            folder: recipe.folder.clone(),
            environment,
        });
        let begun = Instant::now();
        let mut launched = match tokio::time::timeout(timeout, launched).await {
            Ok(launched) => launched.map_err(|error| Failure::Start(error.to_string()))?,
            Err(_) => return Err(Failure::Start("the sandbox does not come about in time".to_owned())),
        };
        let (out, err) = (launched.stdout.take(), launched.stderr.take());
        out.into_iter().for_each(|pipe| log.read(pipe));
        err.into_iter().for_each(|pipe| log.read(pipe));
        let Some(listener) = launched.listener.take() else {
            launched.wait().await;
            let said = String::from_utf8_lossy(&log.tail().await).trim().to_owned();
            return Err(Failure::Start(said));
        };
        let runtime = Runtime::serve(listener, Limits::default(), Some(beside));
        let runtime = runtime.map_err(|error| Failure::Start(error.to_string()))?;
        let idle_since = Instant::now();
        let watch = Arc::new(Watch::default());
        watch.begin();
        let watching = match (launched.id(), launched.hold()) {
            (Some(process), Some(control)) => tokio::spawn(look_after(process, control, most, watch.clone())),
            _ => return Err(Failure::Start("it has ended".to_owned())),
        };
        let mut worker = Self {
            watch,
            watching: watching.abort_handle(),
            launched: Some(launched),
            runtime,
            log,
            idle_since,
            generation,
            _own: own,
        };
        match worker.begin(timeout.saturating_sub(begun.elapsed())).await {
            Ok(()) => {
                worker.watch.end();
                Ok(worker)
            }
            Err(failure) => {
                worker.end().await;
                Err(failure)
            }
        }
    }

    async fn begin(&mut self, timeout: Duration) -> Result<(), Failure> {
        let Self { launched: Some(launched), runtime, log, watch, .. } = self else {
            return Err(Failure::Start("it has ended".to_owned()));
        };
        let ready = async {
            match runtime.ready().await {
                Err(InvokeError::Init(error)) => Err(Failure::Init(error)),
                Err(error) => Err(Failure::Start(error.to_string())),
                Ok(()) => Ok(()),
            }
        };
        tokio::select! {
            biased;
            ready = ready => ready,
            exited = launched.wait() => {
                if let Some(excess) = watch.excess.get() {
                    return Err(excess.clone());
                }
                // It may have said why in the moment before it ended.
                if let Ok(Err(InvokeError::Init(error))) =
                    tokio::time::timeout(Duration::from_millis(1), runtime.ready()).await
                {
                    return Err(Failure::Init(error));
                }
                let said = String::from_utf8_lossy(&log.tail().await).trim().to_owned();
                Err(Failure::Init(FunctionError {
                    error_message: exited.to_string(),
                    error_type: "Runtime.ExitError".to_owned(),
                    stack_trace: said.lines().map(str::to_owned).collect(),
                }))
            }
            () = tokio::time::sleep(timeout) => Err(Failure::Init(FunctionError {
                error_message: "it did not ask for work in time".to_owned(),
                error_type: TIMED_OUT.to_owned(),
                stack_trace: Vec::new(),
            })),
        }
    }

    /// Gives it an invocation; `timeout` is all the time there is, also for an answer that goes to `live` as it comes.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn invoke(
        &mut self,
        invocation: Invocation,
        live: Option<oneshot::Sender<Begun>>,
        timeout: Duration,
    ) -> Result<Answered, Failure> {
        self.watch.begin();
        let result = self.invoke_watched(invocation, live, timeout).await;
        self.watch.end();
        result
    }

    async fn invoke_watched(
        &mut self,
        invocation: Invocation,
        live: Option<oneshot::Sender<Begun>>,
        timeout: Duration,
    ) -> Result<Answered, Failure> {
        let Self { launched: Some(launched), runtime, log, watch, .. } = self else {
            return Err(Failure::Exited(Exited::default()));
        };
        log.begin(&invocation.id);
        let invoked = runtime.invoke_live(invocation, live);
        tokio::pin!(invoked);
        tokio::select! {
            biased;
            answered = &mut invoked => answered.map_err(failure_of),
            exited = launched.wait() => {
                if let Some(excess) = watch.excess.get() {
                    return Err(excess.clone());
                }
                // It may have answered in the moment before it ended.
                let last = tokio::time::timeout(Duration::from_millis(LAST_WORDS_MS), &mut invoked).await;
                if let Ok(Ok(answered)) = last {
                    return Ok(answered);
                }
                Err(Failure::Exited(exited))
            }
            () = tokio::time::sleep(timeout) => Err(Failure::Timeout { after_ms: timeout.as_millis() as u64 }),
        }
    }

    /// Whether it still runs and waits for work.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.runtime.is_idle() && self.launched.as_mut().is_some_and(Launched::is_alive)
    }

    /// Ends it with everything it started, and waits until all are gone.
    pub(crate) async fn end(mut self) {
        if let Some(launched) = self.launched.take() {
            launched.end().await;
        }
    }
}

fn failure_of(error: InvokeError) -> Failure {
    match error {
        InvokeError::Function(error) => Failure::Function(error),
        InvokeError::Init(error) => Failure::Init(error),
        InvokeError::ResponseTooLarge { .. } | InvokeError::Prelude(_) => Failure::Answer(error.to_string()),
        InvokeError::Broken => Failure::Exited(Exited::default()),
        InvokeError::Left => Failure::Left,
    }
}

/// What a process and all its descendants take.
#[derive(Default)]
struct Taken {
    memory_bytes: u64,
    threads: u64,
}

impl Taken {
    /// Looks no further where there are more threads than there may be.
    fn by(process: u32, threads_max: u64) -> Self {
        let (mut rest, mut taken) = (vec![process], Self::default());
        while let Some(process) = rest.pop() {
            let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
            let mut memory_bytes = 0;
            for task in tasks.map(|task| task.path()) {
                taken.threads += 1;
                if taken.threads > threads_max {
                    return taken;
                }
                // All threads have the same memory; one that has ended says that it has none.
                if memory_bytes == 0 {
                    memory_bytes = memory_in(&std::fs::read_to_string(task.join("status")).unwrap_or_default());
                }
                let children = std::fs::read_to_string(task.join("children")).unwrap_or_default();
                rest.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            }
            taken.memory_bytes += memory_bytes;
        }
        taken
    }
}

/// What is in memory, with the tables that lead there, in bytes.
fn memory_in(status: &str) -> u64 {
    let counted = status.lines().filter_map(|line| line.strip_prefix("VmRSS:").or_else(|| line.strip_prefix("VmPTE:")));
    let kib = counted.filter_map(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.sum::<u64>() << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_is_used_and_the_tables_to_it() {
        let status = "Name:\techo\nVmPeak:\t  999 kB\nVmRSS:\t  2048 kB\nVmPTE:\t    64 kB\nThreads:\t1\n";
        assert_eq!(memory_in(status), 2112 << 10);
        assert_eq!(memory_in("Name:\tended\nState:\tZ (zombie)\n"), 0);
        let taken = Taken::by(std::process::id(), 10_000);
        assert!(taken.memory_bytes > 0 && taken.threads > 0);
        assert_eq!(Taken::by(std::process::id(), 0).threads, 1, "it looks no further");
    }
}
