//! How far a copy of what the cluster knows can be trusted.

/// The standing of a roster's copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Being read; newcomers wait.
    #[default]
    Doubtful,
    /// As of a reading, and every change since (N2).
    Ready,
    /// The cluster is away: newcomers are served at once with what is known here (CL-017).
    Served,
}
