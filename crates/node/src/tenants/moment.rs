//! The moment of usage, by the clocks of the quotas. Reads no clock.

/// The moment of a message, by the two clocks of the quotas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since the server's start; never goes back.
    pub nanoseconds: u64,
    /// Days since 1970, in UTC.
    pub day: u64,
}
