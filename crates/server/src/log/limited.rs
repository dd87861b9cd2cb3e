//! Lines of the log that strangers can cause: so many of each kind in a second, and of the rest only how many
//! there were.
//!
//! A line within the limit costs one atomic operation, a line beyond it two. Nothing is allocated, no lock is
//! taken, and the fields of a line that is left out are not computed. Lines that operators ask for with
//! `log.filter` (debug and below) are not limited.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::rate::Rate;

/// Lines of one kind at once, and in each second.
const PER_SECOND: usize = 50;

/// How long lines are counted before the count is logged.
const PERIOD: Duration = Duration::from_secs(1);

/// The moment that rates are measured from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Whether a task is about to log the counts.
static TELLING: AtomicBool = AtomicBool::new(false);

/// Defines the kinds, each with the words that say which lines were left out.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// A kind of line that strangers can cause.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Line {
            $($(#[$doc])* $kind,)*
        }

        /// Of each kind, in the order of the enum.
        static KINDS: [Limited; [$($name),*].len()] = [$(Limited::new($name)),*];
    };
}

kinds! {
    /// A WebSocket was not let in.
    ConnectionRefused = "connection refused",
    /// A WebSocket has ended.
    ConnectionClosed = "connection closed",
    /// A WebSocket has ended because its client does not read.
    SlowReader = "slow reader closed",
    /// A handshake of WebSocket was refused by status, such as one in HTTP/1.0.
    FaultyHandshake = "WebSocket handshake refused",
    /// A request of the HTTP API was refused.
    RequestRefused = "request refused",
    /// A request of the administration API was refused.
    OperatorRefused = "operator's request refused",
    /// A connection that begins with TLS where none is spoken, or without TLS where TLS is spoken.
    WrongPort = "wrong port for TLS",
    /// A handshake of TLS has failed.
    TlsHandshake = "TLS handshake failed",
    /// A connection that begins with a PROXY protocol header.
    ProxyProtocol = "PROXY protocol",
    /// The system has given no connection, for lack of file descriptors.
    NotAccepted = "cannot accept connections",
    /// A plain HTTP connection was closed before its time.
    HttpConnection = "HTTP connection closed",
    /// A request of the operators' listener with a foreign host.
    ForeignHost = "foreign host refused",
    /// A client was not authorized, or its page may not ask.
    NotAuthorized = "not authorized",
}

/// Writes a line of a [`Line`] unless too many were written lately: the arguments of `tracing::event!` behind the
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
    /// Whether a line may be written now. If not, the line is counted, and the count is logged within a second or so.
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

    /// Whether a line may be written; `now` in nanoseconds. Counts those that may not.
    fn admits(&self, now: u64) -> bool {
        let admitted = self.rate.take(1, PER_SECOND, now);
        if !admitted {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// How many lines were left out since the last call.
    fn take_left_out(&self) -> u64 {
        self.left_out.swap(0, Ordering::Relaxed)
    }
}

/// Logs the counts when the period is over; one task does that for all kinds.
fn tell_soon() {
    if TELLING.load(Ordering::Relaxed) {
        return;
    }
    // Without a runtime the counts are logged at the end.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    if !TELLING.swap(true, Ordering::AcqRel) {
        runtime.spawn(async {
            tokio::time::sleep(PERIOD).await;
            // First, so that what is counted from here on begins another task.
            TELLING.store(false, Ordering::Release);
            tell();
        });
    }
}

/// Logs how many lines of which kind were left out.
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
