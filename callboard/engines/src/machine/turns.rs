//! Whose turn it is to run a program: nobody waits for what is less important than itself. Knows nothing of processes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Lowest priority.
const NICE_MAX: i32 = 19;

/// Turns. Light programs (`nice` 0) are bounded apart from heavy ones, two a core. Of heavy ones as important as a program or
/// more so, fewer than one per two cores may run when it starts; those equally important start in the order they came.
#[derive(Clone)]
pub(super) struct Turns {
    shared: Arc<Shared>,
}

struct Shared {
    light_max: usize,
    heavy_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: [usize; NICE_MAX as usize + 1],
    /// By niceness, then by arrival.
    waiting: BTreeMap<(usize, u64), oneshot::Sender<Turn>>,
    arrivals: u64,
}

/// A turn; over when dropped.
pub(super) struct Turn {
    shared: Arc<Shared>,
    level: usize,
}

impl Turns {
    pub(super) fn new(cores: usize) -> Self {
        let (light_max, heavy_max) = ((2 * cores).max(1), cores.div_ceil(2).max(1));
        Self { shared: Arc::new(Shared { light_max, heavy_max, state: Mutex::default() }) }
    }

    /// Waits for a turn. Whoever stops waiting holds up nobody.
    pub(super) async fn wait(&self, nice: i32) -> Turn {
        let level = nice.clamp(0, NICE_MAX) as usize;
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            state.arrivals += 1;
            let arrival = state.arrivals;
            state.waiting.insert((level, arrival), sender);
        }
        self.shared.call();
        receiver.await.expect("a turn is given to everybody who waits")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives their turn to all who may have it now.
    fn call(self: &Arc<Self>) {
        loop {
            let mut state = self.lock();
            let Some(next) = state.next(self.light_max, self.heavy_max) else { return };
            let sender = state.waiting.remove(&next).expect("the next one waits");
            let level = next.0;
            state.running[level] += 1;
            drop(state);
            // Where nobody waits any more the turn comes back and is over at once, which calls the next.
            drop(sender.send(Turn { shared: self.clone(), level }));
        }
    }
}

impl State {
    fn next(&self, light_max: usize, heavy_max: usize) -> Option<(usize, u64)> {
        let first_from = |level: usize| self.waiting.range((level, 0)..).next().map(|(place, _)| *place);
        let light = first_from(0).filter(|(level, _)| *level == 0 && self.running[0] < light_max);
        light.or_else(|| first_from(1).filter(|(level, _)| self.running[1..=*level].iter().sum::<usize>() < heavy_max))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.lock().running[self.level] -= 1;
        self.shared.call();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use proptest::prelude::*;

    fn ask(turns: &Turns, nice: i32) -> BoxFuture<'static, Turn> {
        let turns = turns.clone();
        async move { turns.wait(nice).await }.boxed()
    }

    fn has_turn(waiting: &mut BoxFuture<'static, Turn>) -> Option<Turn> {
        waiting.now_or_never()
    }

    #[test]
    fn two_cores_run_one_heavy_program_and_keep_the_order() {
        let turns = Turns::new(2);
        let first = has_turn(&mut ask(&turns, 10)).expect("nobody else is there");
        let (mut second, mut third) = (ask(&turns, 10), ask(&turns, 10));
        assert!(has_turn(&mut second).is_none() && has_turn(&mut third).is_none());
        drop(first);
        assert!(has_turn(&mut third).is_none());
        let second = has_turn(&mut second).expect("it came before the third");
        drop(second);
        assert!(has_turn(&mut third).is_some());
    }

    #[test]
    fn the_important_never_wait_for_the_less_important() {
        let turns = Turns::new(2);
        let low = has_turn(&mut ask(&turns, 19)).expect("nobody else is there");
        let mut low_next = ask(&turns, 19);
        assert!(has_turn(&mut low_next).is_none());
        let upload = has_turn(&mut ask(&turns, 10)).expect("it does not wait for low priority");
        drop(low);
        assert!(has_turn(&mut low_next).is_none(), "low priority waits for the upload");
        drop(upload);
        assert!(has_turn(&mut low_next).is_some());
    }

    #[test]
    fn light_programs_pass_heavy_ones_within_their_own_bound() {
        let turns = Turns::new(1);
        let _heavy = has_turn(&mut ask(&turns, 10)).expect("nobody else is there");
        let light: Vec<_> = (0..2).map(|_| has_turn(&mut ask(&turns, 0)).expect("two a core")).collect();
        let mut third = ask(&turns, 0);
        assert!(has_turn(&mut third).is_none());
        drop(light);
        assert!(has_turn(&mut third).is_some());
    }

    #[test]
    fn whoever_stops_waiting_holds_up_nobody() {
        let turns = Turns::new(2);
        let first = has_turn(&mut ask(&turns, 5)).expect("nobody else is there");
        let (mut gone, mut next) = (ask(&turns, 5), ask(&turns, 5));
        assert!(has_turn(&mut gone).is_none() && has_turn(&mut next).is_none());
        drop(gone);
        drop(first);
        assert!(has_turn(&mut next).is_some());
    }

    #[test]
    fn a_turn_that_was_given_and_never_taken_comes_back() {
        let turns = Turns::new(2);
        let first = has_turn(&mut ask(&turns, 5)).expect("nobody else is there");
        let (mut given, mut next) = (ask(&turns, 5), ask(&turns, 5));
        assert!(has_turn(&mut given).is_none() && has_turn(&mut next).is_none());
        drop(first);
        drop(given);
        assert!(has_turn(&mut next).is_some());
    }

    proptest! {
        #[test]
        fn everybody_gets_a_turn_and_the_bound_holds(
            cores in 1..5_usize, programs in prop::collection::vec((-1..21_i32, any::<bool>()), 1..40)
        ) {
            let turns = Turns::new(cores);
            let mut waiting: Vec<_> = programs.iter().map(|(nice, _)| ask(&turns, *nice)).collect();
            let mut stays = programs.iter().map(|(_, stays)| *stays).collect::<Vec<_>>();
            let mut held = Vec::new();
            while !waiting.is_empty() {
                let before = waiting.len();
                for at in (0..waiting.len()).rev() {
                    if let Some(turn) = has_turn(&mut waiting[at]) {
                        drop(waiting.swap_remove(at));
                        if stays.swap_remove(at) { held.push(turn) }
                    }
                }
                let state = turns.shared.lock();
                prop_assert!(state.running[0] <= 2 * cores);
                prop_assert!(state.running[1..].iter().all(|running| *running <= cores.div_ceil(2)));
                drop(state);
                if waiting.len() == before {
                    prop_assert!(!held.is_empty(), "nobody runs and somebody waits");
                    held.remove(0);
                }
            }
            held.clear();
            prop_assert_eq!(turns.shared.lock().running, [0; 20]);
        }
    }
}
