//! The doctor's timeout for each step, and the largest answer to read.

use std::time::Duration;

use fanfare_outgoing::Bounds;

/// Timeout of each step.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Limits of one request.
pub(super) const BOUNDS: Bounds = Bounds { time: PATIENCE, bytes: 64 * 1024 };
