//! Mistakes that tests make on purpose, to see that they are found. The server makes none.

/// A mistake that the rules avoid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    GapsAreNotSeen,
    ARosterIsTakenTwice,
    UnknownLeavesAreBelieved,
    OldRowsStay,
    ARosterIsTakenAsTheNewest,
    ChangesAreNotKeptForARoster,
    RostersAreNotReadAgainAfterACut,
    NobodyIsWaitedForInANewEpoch,
    KeptDeltasOutliveTheirEpoch,
    NothingIsReconciled,
    ReconcilingIsNotRepeated,
    HooksAreRemovedBeforeTheyAreSent,
    JoinsOvertakeChanges,
}
