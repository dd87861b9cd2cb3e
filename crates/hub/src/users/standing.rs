//! How far the copy of a user's hidden channel can be trusted.

/// The standing of a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Being read: first lists wait.
    #[default]
    Doubtful,
    /// As of a reading, and every change since (N2).
    Ready,
    /// The cluster is away: first lists are sent with what is known here (CL-017).
    Served,
}
