//! Mistakes that tests make on purpose, to see that they are found; a server makes none.

/// A rule of N12 that is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    /// Events of other nodes are kept while own events are on their way.
    OthersReplaceOwn,
    /// An event is given although it was in the answer of Redis.
    VersionsAreNotCompared,
}

#[cfg(test)]
thread_local! {
    /// The mistake that this thread makes.
    pub(super) static MADE: std::cell::Cell<Option<Mistake>> = const { std::cell::Cell::new(None) };
}

/// Whether the mistake is made.
#[cfg(test)]
pub(super) fn is_made(mistake: Mistake) -> bool {
    MADE.get() == Some(mistake)
}

/// Whether the mistake is made: never.
#[cfg(not(test))]
pub(super) const fn is_made(_: Mistake) -> bool {
    false
}
