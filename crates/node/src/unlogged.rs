//! Counts of what happens often and is logged now and then.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Shortest time between two log lines of a count.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// A count since the last line, and when that was.
#[derive(Debug, Default)]
pub(crate) struct Unlogged(Mutex<(u64, Option<Instant>)>);

impl Unlogged {
    /// Adds to the count; returns the count if it is to be logged now.
    pub(crate) fn add(&self, more: u64) -> Option<u64> {
        let mut unlogged = self.0.lock();
        unlogged.0 += more;
        if unlogged.1.is_some_and(|at| at.elapsed() < BETWEEN_LINES) {
            return None;
        }
        unlogged.1 = Some(Instant::now());
        Some(std::mem::take(&mut unlogged.0))
    }
}
