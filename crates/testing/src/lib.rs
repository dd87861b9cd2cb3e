//! What tests of several crates stand on: servers that a test starts for itself, certificates, bad cables and wrong
//! clocks.
//!
//! Each test has its own server, on a free port of loopback and in a temporary directory; the server ends with the
//! test. Never part of the server: the other crates depend on it for their tests alone.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

pub mod cable;
pub mod certificates;
pub mod clock;
pub mod pebble;
pub mod postgres;
pub mod redis;

use std::thread;
use std::time::{Duration, Instant};

/// Deadline for a server to accept connections, and for everything else that must come; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Repeats a question until there is an answer; for changes that a server makes in its own time.
///
/// # Panics
/// Without an answer within a minute.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
