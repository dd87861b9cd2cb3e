//! Mistakes of resuming that tests make on purpose, to see that they are found; a server makes none.

/// A rule that is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumeMistake {
    /// An event is noted and sent in two steps, between which others come and go (RES-005).
    NotedApart,
    /// An event that left a subscriber out counts as sent to that one (RES-008).
    ExclusionsCount,
    /// The client's own events are replayed (RES-009).
    OwnEventsAreReplayed,
}

#[cfg(shuttle)]
std::thread_local! {
    /// The mistake that this thread makes. A scheduler has all its threads in one.
    static MADE: std::cell::Cell<Option<ResumeMistake>> = const { std::cell::Cell::new(None) };
}

#[cfg(shuttle)]
impl ResumeMistake {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::NotedApart, Self::ExclusionsCount, Self::OwnEventsAreReplayed];

    /// This thread makes the mistake from now on.
    pub fn make(self) {
        MADE.set(Some(self));
    }

    /// Whether the mistake is made.
    pub(crate) fn is_made(self) -> bool {
        MADE.get() == Some(self)
    }
}

#[cfg(not(shuttle))]
impl ResumeMistake {
    /// Whether the mistake is made: never.
    pub(crate) const fn is_made(self) -> bool {
        let _ = self;
        false
    }
}
