//! When something was used, by the clocks that quotas go by. Reads none of them.

/// The moment of a message, by the two clocks that quotas go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since the server's start; never goes back.
    pub nanoseconds: u64,
    /// Days since 1970, in UTC.
    pub day: u64,
}
