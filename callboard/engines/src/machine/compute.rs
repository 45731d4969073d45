//! Long computations: at most as many at once as there are cores, in the order they came.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;

type Work = Box<dyn FnOnce() + Send>;

/// The computations of one machine.
#[derive(Clone)]
pub(super) struct Computations {
    shared: Arc<Shared>,
}

struct Shared {
    at_once_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    threads: usize,
}

impl Computations {
    pub(super) fn new(at_once_max: usize) -> Self {
        Self { shared: Arc::new(Shared { at_once_max, state: Mutex::default() }) }
    }

    /// Runs the work as soon as a thread is free. A panic of it stays its own.
    pub(super) fn add(&self, work: Work) {
        let mut state = self.shared.lock();
        state.waiting.push_back(work);
        if state.threads == self.shared.at_once_max {
            return;
        }
        state.threads += 1;
        drop(state);
        let shared = self.shared.clone();
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || shared.run())),
            Err(_) => drop(std::thread::spawn(move || shared.run())),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works until nothing waits.
    fn run(&self) {
        loop {
            let mut state = self.lock();
            let Some(work) = state.waiting.pop_front() else {
                state.threads -= 1;
                return;
            };
            drop(state);
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                tracing::error!("a computation panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn work_runs_in_order_within_the_bound_and_a_panic_stops_nothing() {
        let computations = Computations::new(1);
        let (sender, receiver) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        computations.add(Box::new(move || gate.recv().expect("the gate opens")));
        computations.add(Box::new(|| panic!("one computation fails")));
        for number in 0..10 {
            let sender = sender.clone();
            computations.add(Box::new(move || sender.send(number).expect("the test waits")));
        }
        assert_eq!(computations.shared.lock().threads, 1);
        assert!(receiver.try_recv().is_err(), "the first one holds the only thread");
        open.send(()).expect("the first one waits");
        drop(sender);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn work_of_a_runtime_leaves_the_runtime_free() {
        let computations = Computations::new(2);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let (open, gate) = mpsc::channel::<()>();
        computations.add(Box::new(move || {
            gate.recv().expect("the gate opens");
            sender.send(42).expect("the test waits");
        }));
        tokio::spawn(async move { open.send(()).expect("the work waits") }).await.expect("the runtime is free");
        assert_eq!(receiver.await, Ok(42));
    }
}
