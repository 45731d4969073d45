//! Live messages inside one process: by tenant and URI subtree, bounded and lossy. Nothing is stored, nothing leaves the process.

use callboard::ports::{Live, LiveStream};
use callboard::{LiveMessage, Tenant, Uri};
use futures_util::Stream;
use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};

/// Messages that wait for one subscriber; then the oldest is lost.
pub const WAITING_MAX: usize = 256;

/// The bus. Clones share it.
#[derive(Clone, Default)]
pub struct LocalLive {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Rooms by tenant, only those somebody listens in. Held for a look-up, never while messages are handed over.
    rooms: RwLock<HashMap<Tenant, Arc<Room>>>,
    listeners: AtomicUsize,
    lost: AtomicU64,
}

/// Those who listen in one tenant, by the URI they listen at.
#[derive(Default)]
struct Room {
    seats: RwLock<HashMap<Box<str>, Vec<Arc<Seat>>>>,
}

/// What waits for one subscriber.
#[derive(Default)]
struct Seat {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Arc<LiveMessage>>,
    waker: Option<Waker>,
}

impl LocalLive {
    /// A bus nobody listens to yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.shared.listeners.load(Ordering::Relaxed)
    }

    /// How many messages slow subscribers lost since the start.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

impl Live for LocalLive {
    fn publish(&self, tenant: &Tenant, message: LiveMessage) {
        if self.shared.listeners.load(Ordering::Acquire) == 0 {
            return;
        }
        let room = self.shared.rooms.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned();
        if let Some(room) = room {
            let lost = room.hand_over(message);
            if lost > 0 {
                self.shared.lost.fetch_add(lost, Ordering::Relaxed);
            }
        }
    }

    fn subscribe(&self, tenant: &Tenant, above: Uri) -> LiveStream {
        let seat = Arc::new(Seat::default());
        let mut rooms = self.shared.rooms.write().unwrap_or_else(PoisonError::into_inner);
        rooms.entry(tenant.clone()).or_default().add(&above, seat.clone());
        self.shared.listeners.fetch_add(1, Ordering::Release);
        drop(rooms);
        Box::pin(Subscription { shared: self.shared.clone(), tenant: tenant.clone(), above, seat })
    }
}

impl Room {
    fn add(&self, above: &Uri, seat: Arc<Seat>) {
        let mut seats = self.seats.write().unwrap_or_else(PoisonError::into_inner);
        seats.entry(above.as_str().into()).or_default().push(seat);
    }

    /// Takes a subscriber out. Gives whether nobody is left.
    fn remove(&self, above: &Uri, seat: &Arc<Seat>) -> bool {
        let mut seats = self.seats.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = seats.get_mut(above.as_str()) {
            here.retain(|other| !Arc::ptr_eq(other, seat));
            if here.is_empty() {
                seats.remove(above.as_str());
            }
        }
        seats.is_empty()
    }

    /// Puts the message before everybody at its URI or above. Gives how many older messages were lost by it.
    fn hand_over(&self, message: LiveMessage) -> u64 {
        let seats = self.seats.read().unwrap_or_else(PoisonError::into_inner);
        let uri = message.uri.clone();
        let message = Arc::new(message);
        let at = |place: &str| seats.get(place).into_iter().flatten();
        upwards(uri.as_str()).flat_map(at).filter(|seat| seat.push(message.clone())).count() as u64
    }
}

/// A URI, then each above it, up to the root: `/a/b`, `/a`, `/`.
fn upwards(uri: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(uri), |place| match place.rfind('/') {
        _ if *place == "/" => None,
        Some(0) => Some("/"),
        Some(end) => Some(&place[..end]),
        None => None,
    })
}

impl Seat {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives whether the oldest message was lost.
    fn push(&self, message: Arc<LiveMessage>) -> bool {
        let mut waiting = self.lock();
        let is_full = waiting.messages.len() >= WAITING_MAX;
        if is_full {
            waiting.messages.pop_front();
        }
        waiting.messages.push_back(message);
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
        is_full
    }
}

struct Subscription {
    shared: Arc<Shared>,
    tenant: Tenant,
    above: Uri,
    seat: Arc<Seat>,
}

impl Stream for Subscription {
    type Item = Arc<LiveMessage>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut waiting = self.seat.lock();
        match waiting.messages.pop_front() {
            Some(message) => Poll::Ready(Some(message)),
            None => {
                match &mut waiting.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut rooms = self.shared.rooms.write().unwrap_or_else(PoisonError::into_inner);
        if rooms.get(&self.tenant).is_some_and(|room| room.remove(&self.above, &self.seat)) {
            rooms.remove(&self.tenant);
        }
        self.shared.listeners.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard::Kind;
    use futures_util::{FutureExt, StreamExt};

    fn demo() -> Tenant {
        Tenant::new("demo")
    }

    fn uri(text: &str) -> Uri {
        Uri::parse(text).expect("a URI")
    }

    fn say(live: &LocalLive, tenant: &Tenant, at: &str, data: usize) {
        live.publish(tenant, LiveMessage { uri: uri(at), kind: Kind::Post, data: data.into() });
    }

    /// What has arrived, without waiting.
    fn heard(stream: &mut LiveStream) -> Vec<(String, usize)> {
        std::iter::from_fn(|| stream.next().now_or_never().flatten())
            .map(|message| (message.uri.to_string(), message.data.as_u64().expect("a number") as usize))
            .collect()
    }

    #[test]
    fn a_subscriber_hears_its_subtree_in_order_and_nothing_else() {
        let live = LocalLive::new();
        let mut party = live.subscribe(&demo(), uri("/parties/1"));
        for (data, at) in ["/parties/1", "/parties/1/chat", "/parties/12", "/parties", "/", "/parties/1/chat/2"]
            .into_iter()
            .enumerate()
        {
            say(&live, &demo(), at, data);
        }
        let expected = [("/parties/1", 0), ("/parties/1/chat", 1), ("/parties/1/chat/2", 5)];
        assert_eq!(heard(&mut party), expected.map(|(at, data)| (at.to_owned(), data)));
    }

    #[test]
    fn the_root_hears_everything_of_its_tenant_once() {
        let live = LocalLive::new();
        let mut all = live.subscribe(&demo(), Uri::root());
        say(&live, &demo(), "/", 1);
        say(&live, &demo(), "/a/b/c", 2);
        assert_eq!(heard(&mut all), [("/".to_owned(), 1), ("/a/b/c".to_owned(), 2)]);
    }

    #[test]
    fn another_tenant_hears_nothing() {
        let live = LocalLive::new();
        let mut stranger = live.subscribe(&Tenant::new("other"), Uri::root());
        say(&live, &demo(), "/parties/1", 1);
        assert_eq!(heard(&mut stranger), []);
    }

    #[test]
    fn a_slow_subscriber_loses_the_oldest_and_holds_up_nobody() {
        let live = LocalLive::new();
        let mut slow = live.subscribe(&demo(), uri("/a"));
        let mut quick = live.subscribe(&demo(), uri("/a"));
        for data in 0..WAITING_MAX + 3 {
            say(&live, &demo(), "/a", data);
            assert_eq!(heard(&mut quick), [("/a".to_owned(), data)]);
        }
        let kept: Vec<usize> = heard(&mut slow).into_iter().map(|(_, data)| data).collect();
        assert_eq!(kept, (3..WAITING_MAX + 3).collect::<Vec<_>>());
        assert_eq!(live.lost(), 3);
    }

    #[test]
    fn a_subscriber_who_leaves_leaves_nothing_behind() {
        let live = LocalLive::new();
        let (first, mut second) = (live.subscribe(&demo(), uri("/a")), live.subscribe(&demo(), uri("/a")));
        drop(first);
        say(&live, &demo(), "/a", 1);
        assert_eq!(heard(&mut second), [("/a".to_owned(), 1)]);
        drop(second);
        assert_eq!(live.listeners(), 0);
        assert!(live.shared.rooms.read().expect("no panic before").is_empty());
        say(&live, &demo(), "/a", 2);
    }

    #[tokio::test]
    async fn a_waiting_subscriber_is_woken() {
        let live = LocalLive::new();
        let mut stream = live.subscribe(&demo(), uri("/a"));
        let listener = tokio::spawn(async move { stream.next().await.map(|message| message.data.clone()) });
        tokio::task::yield_now().await;
        say(&live, &demo(), "/a/b", 7);
        assert_eq!(listener.await.expect("the listener ends"), Some(7.into()));
    }

    #[test]
    fn those_who_come_go_and_speak_at_once_miss_nothing_while_they_are_there() {
        let live = LocalLive::new();
        let mut steady = live.subscribe(&demo(), uri("/a"));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for data in 0..50 {
                        drop(live.subscribe(&demo(), uri("/a/b")));
                        say(&live, &demo(), "/a/b", data);
                    }
                });
            }
        });
        assert_eq!(heard(&mut steady).len(), 200);
        assert_eq!((live.listeners(), live.lost()), (1, 0));
    }
}
