//! Messages of one lane that are taken together. Each may begin while the one before it is still being committed: what its function
//! decides from the message alone is then ready when its turn comes. It reads nothing, and nothing of it is committed, before that.

use crate::Fault;
use crate::ports::CommitError;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Code of the fault of a message that began before its turn, which then did not come.
const BEHIND: &str = "lane.behind";

/// The place of a message among those of its lane that were taken together.
#[derive(Clone, Debug)]
pub struct Turn {
    before: Option<Arc<Link>>,
    own: Arc<Link>,
}

/// How far a message is, and who waits for it.
#[derive(Debug, Default)]
struct Link(Mutex<(Stage, Vec<Waker>)>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    AtWork,
    /// Its commit is on its way: one that is sent now comes behind it.
    Sent,
    Settled,
    Failed,
}

impl Link {
    fn lock(&self) -> MutexGuard<'_, (Stage, Vec<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reach(&self, stage: Stage) {
        let mut link = self.lock();
        link.0 = stage;
        let waiting = mem::take(&mut link.1);
        drop(link);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until the message is at least so far.
    async fn at(&self, stage: Stage) -> Stage {
        poll_fn(|context| {
            let mut link = self.lock();
            if link.0 >= stage {
                return Poll::Ready(link.0);
            }
            if !link.1.iter().any(|waker| waker.will_wake(context.waker())) {
                link.1.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}

impl Turn {
    /// That of a message before which there is none: its turn has come.
    pub fn first() -> Self {
        Self { before: None, own: Arc::default() }
    }

    /// That of the message behind this one.
    #[must_use]
    pub fn behind(&self) -> Self {
        Self { before: Some(self.own.clone()), own: Arc::default() }
    }

    /// Waits until the message before this one is settled; false where it failed, and so this one stays where it is.
    pub async fn comes(&self) -> bool {
        match &self.before {
            None => true,
            Some(before) => before.at(Stage::Settled).await == Stage::Settled,
        }
    }

    /// Whether its turn has come.
    pub fn has_come(&self) -> bool {
        self.before.as_ref().is_none_or(|before| before.lock().0 == Stage::Settled)
    }

    /// Says that this message is settled, or that it is not and its lane stands.
    pub fn end(&self, is_settled: bool) {
        self.own.reach(if is_settled { Stage::Settled } else { Stage::Failed });
    }

    /// Waits until it may read.
    ///
    /// # Errors
    /// `lane.behind` where its turn does not come.
    pub(crate) async fn may_read(&self) -> Result<(), Fault> {
        if self.comes().await { Ok(()) } else { Err(self::behind()) }
    }

    /// Waits until its commit would come behind the one before it.
    ///
    /// # Errors
    /// [`CommitError::Behind`] where its turn does not come.
    pub(crate) async fn may_commit(&self) -> Result<(), CommitError> {
        match &self.before {
            Some(before) if before.at(Stage::Sent).await == Stage::Failed => Err(CommitError::Behind),
            _ => Ok(()),
        }
    }

    /// Its commit is on its way.
    pub(crate) fn sent(&self) {
        if self.own.lock().0 == Stage::AtWork {
            self.own.reach(Stage::Sent);
        }
    }
}

/// The fault of a message that began before its turn, which did not come.
pub(crate) fn behind() -> Fault {
    Fault::unavailable(BEHIND, "the message before it in its lane is not settled; nothing of this one was done")
}

impl Fault {
    /// Whether a message only began before its turn: nothing of it was done, and it is no failure.
    pub fn is_behind(&self) -> bool {
        self.code == BEHIND
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_message_reads_when_the_one_before_it_is_settled_and_commits_when_that_one_is_sent() {
        let first = Turn::first();
        let second = first.behind();
        let (mut reads, mut commits) = (Box::pin(second.may_read()), Box::pin(second.may_commit()));
        assert!(first.has_come() && !second.has_come());
        assert!(reads.as_mut().now_or_never().is_none() && commits.as_mut().now_or_never().is_none());
        first.sent();
        assert!(matches!(commits.now_or_never(), Some(Ok(()))));
        assert!(reads.as_mut().now_or_never().is_none());
        first.end(true);
        assert_eq!(reads.now_or_never(), Some(Ok(())));
        assert!(second.has_come());
    }

    #[test]
    fn where_one_fails_none_behind_it_goes_on() {
        let first = Turn::first();
        let second = first.behind();
        let third = second.behind();
        first.sent();
        first.end(false);
        assert_eq!(second.comes().now_or_never(), Some(false));
        assert!(second.may_read().now_or_never().is_some_and(|may| may.is_err_and(|fault| fault.is_behind())));
        assert!(matches!(second.may_commit().now_or_never(), Some(Err(CommitError::Behind))));
        second.end(false);
        assert_eq!(third.comes().now_or_never(), Some(false));
    }

    #[test]
    fn everything_that_waits_within_a_function_goes_on() {
        let first = Turn::first();
        let second = first.behind();
        let one = futures_util::future::join(second.may_read(), second.may_read()).shared();
        let two = one.clone();
        assert!(one.clone().now_or_never().is_none() && two.clone().now_or_never().is_none());
        first.end(true);
        assert_eq!(one.now_or_never(), Some((Ok(()), Ok(()))));
        assert_eq!(two.now_or_never(), Some((Ok(()), Ok(()))));
    }
}
