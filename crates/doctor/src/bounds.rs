//! How long the doctor waits for any one thing, and how much is read of an answer.

use std::time::Duration;

use fanfare_outgoing::Bounds;

/// Longest wait for any one thing.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How much one request may take.
pub(super) const BOUNDS: Bounds = Bounds { time: PATIENCE, bytes: 64 * 1024 };
