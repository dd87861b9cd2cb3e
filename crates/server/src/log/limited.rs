//! The rate limit of log lines that strangers can cause: a number of lines of each kind a second, and a count of the
//! lines left out.
//!
//! A line within the limit costs one atomic operation, a line beyond it two. Nothing is allocated, no lock is
//! taken, and the fields of a line that is left out are not computed. Lines that operators ask for with
//! `log.filter` (debug and below) are not limited.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fanfare_node::rate::Rate;

/// Lines of one kind at once, and per second.
const PER_SECOND: usize = 50;

/// How long left-out lines are counted before the count is logged.
const PERIOD: Duration = Duration::from_secs(1);

/// The zero of the rate limits' clock.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Whether a task is about to log the counts.
static TELLING: AtomicBool = AtomicBool::new(false);

/// Defines the kinds, each with the words that name the left-out lines.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// A kind of line that strangers can cause.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Line {
            $($(#[$doc])* $kind,)*
        }

        /// The limits of each kind, in the order of the enum.
        static KINDS: [Limited; [$($name),*].len()] = [$(Limited::new($name)),*];
    };
}

kinds! {
    /// A client was refused, over any transport.
    ConnectionRefused = "connection refused",
    /// A connection has ended, over any transport.
    ConnectionClosed = "connection closed",
    /// A connection was closed because its client is a slow consumer.
    SlowReader = "slow reader closed",
    /// A WebSocket handshake was refused by HTTP status, such as a handshake in HTTP/1.0.
    FaultyHandshake = "WebSocket handshake refused",
    /// A request of the HTTP API was refused.
    RequestRefused = "request refused",
    /// A request of the administration API was refused.
    OperatorRefused = "operator's request refused",
    /// A connection speaks TLS on a plain port, or no TLS on a TLS port.
    WrongPort = "wrong port for TLS",
    /// A TLS handshake has failed.
    TlsHandshake = "TLS handshake failed",
    /// A connection begins with a PROXY protocol header.
    ProxyProtocol = "PROXY protocol",
    /// The system refused to accept a connection, for lack of file descriptors.
    NotAccepted = "cannot accept connections",
    /// The server closed a plain HTTP connection early.
    HttpConnection = "HTTP connection closed",
    /// A request of the operators' listener with a foreign host.
    ForeignHost = "foreign host refused",
    /// A client was not authorized, or its page's origin is not allowed.
    NotAuthorized = "not authorized",
}

/// Writes a line of a [`Line`] within its rate limit: the arguments of `tracing::event!` behind the
/// kind, the target and the level.
macro_rules! limited {
    ($kind:expr, target: $target:literal, $level:expr, $($field:tt)+) => {
        if ::tracing::enabled!(target: $target, $level) && $kind.admits() {
            ::tracing::event!(target: $target, $level, $($field)+);
        }
    };
}
pub(crate) use limited;

impl Line {
    /// Whether a line may be written now. If not, the line is counted, and the count is logged within about a second.
    pub fn admits(self) -> bool {
        let now = u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let admitted = self.limited().admits(now);
        if !admitted {
            tell_soon();
        }
        admitted
    }

    fn limited(self) -> &'static Limited {
        &KINDS[self as usize]
    }
}

/// The lines of one kind.
#[derive(Debug)]
struct Limited {
    name: &'static str,
    rate: Rate,
    left_out: AtomicU64,
}

impl Limited {
    const fn new(name: &'static str) -> Self {
        Self { name, rate: Rate::new(), left_out: AtomicU64::new(0) }
    }

    /// Whether a line may be written; `now` in nanoseconds. Counts the lines refused.
    fn admits(&self, now: u64) -> bool {
        let admitted = self.rate.take(1, PER_SECOND, now);
        if !admitted {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// Number of lines left out since the last call.
    fn take_left_out(&self) -> u64 {
        self.left_out.swap(0, Ordering::Relaxed)
    }
}

/// Logs the counts at the end of the period; one task does so for all kinds.
fn tell_soon() {
    if TELLING.load(Ordering::Relaxed) {
        return;
    }
    // Without a runtime the counts are logged at the end.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    if !TELLING.swap(true, Ordering::AcqRel) {
        runtime.spawn(async {
            tokio::time::sleep(PERIOD).await;
            // Cleared first, so that lines counted from here on start another task.
            TELLING.store(false, Ordering::Release);
            tell();
        });
    }
}

/// Logs the number of left-out lines of each kind.
pub(super) fn tell() {
    for limited in &KINDS {
        let left_out = limited.take_left_out();
        if left_out > 0 {
            tracing::warn!(target: "fanfare::log", kind = limited.name, left_out, "lines left out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn lines_beyond_the_limit_of_a_second_are_left_out_and_counted_once() {
        let limited = Limited::new("x");
        let written = |now: u64| (0..5_000).filter(|_| limited.admits(now)).count();
        assert_eq!(written(7 * SECOND), PER_SECOND);
        assert_eq!(limited.take_left_out(), 5_000 - PER_SECOND as u64);
        assert_eq!(limited.take_left_out(), 0);
        assert_eq!(written(7 * SECOND + SECOND / 2), PER_SECOND / 2);
        assert_eq!(written(60 * SECOND), PER_SECOND);
        assert_eq!(limited.take_left_out(), 10_000 - 3 * PER_SECOND as u64 / 2);
    }

    #[test]
    fn lines_within_the_limit_are_all_written() {
        let limited = Limited::new("x");
        let each = SECOND / PER_SECOND as u64;
        assert!((0..1_000).all(|number| limited.admits(number * each)));
        assert_eq!(limited.take_left_out(), 0);
    }

    #[test]
    fn a_flood_of_one_kind_leaves_out_no_line_of_another() {
        while Line::ProxyProtocol.admits() {}
        assert!(Line::ForeignHost.admits());
    }
}
