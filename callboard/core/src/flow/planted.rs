//! Bugs that a test can plant in the machine, to see that the checkers catch them. Without a test there are none.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// Answers of earlier attempts count.
    SkippedFence,
    /// Answers of earlier iterations count.
    SkippedIteration,
    /// Undo runs in the order of the table.
    WrongUndoOrder,
    /// What may have happened is not undone.
    ForgottenUnknown,
    /// A later attempt makes an unknown one forgotten.
    ForgottenTaint,
    /// What was left unsaid by a failing undo counts as undone.
    SilentUndoFailure,
    /// The timer of a wait is never set.
    LostTimer,
    /// What came before the pivot is undone.
    UndonePastPivot,
    /// A do that answers after its undo is taken for harmless.
    UnseenConflict,
    /// The next attempt is never dispatched.
    LostRetry,
    /// An answer that comes before the question is known to be asked is thrown away.
    DroppedEarlyAnswer,
    /// The second decision replaces the first.
    SecondDecision,
    /// A map goes on when its first item is done.
    EarlyJoin,
    /// Undo does not wait for what is in flight.
    HastyUndo,
    /// A scheduled attempt runs although the run was cancelled.
    UnstoppedRetry,
    /// An item is undone again with every look.
    UndoneTwice,
}

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Plants a bug in this thread, or none.
#[cfg(test)]
pub(super) fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

#[cfg(test)]
pub(super) fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

#[cfg(not(test))]
pub(super) const fn is_planted(_: Bug) -> bool {
    false
}
