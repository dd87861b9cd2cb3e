//! What the log says of a link: few lines, however often the link comes and goes, and how the link is now in the end.

use std::time::{Duration, Instant};

/// Between two lines of a kind, at least.
const BETWEEN: Duration = Duration::from_secs(5);

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LogLine {
    /// The link is up.
    Up,
    /// The link is down; so many losses before this one were not logged.
    Down { not_logged: u64 },
    /// The link is down for another cause; so many causes in between were not logged.
    Cause { not_logged: u64 },
}

/// What was logged of a link.
#[derive(Default)]
pub(super) struct Log {
    says_up: bool,
    says_why: Option<String>,
    losses: Kind,
    causes: Kind,
    refusals: Kind,
}

/// Lines of one kind.
#[derive(Default)]
struct Kind {
    last: Option<Instant>,
    not_logged: u64,
}

impl Kind {
    /// Whether a line may be logged now; returns what it is to say.
    fn say(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < BETWEEN) {
            return None;
        }
        self.last = Some(now);
        // The line is for the last of them.
        Some(std::mem::take(&mut self.not_logged).saturating_sub(1))
    }
}

impl Log {
    /// The link was lost.
    pub fn lost(&mut self) {
        self.losses.not_logged += 1;
    }

    /// There is another cause for the link to be down.
    pub fn caused(&mut self) {
        self.causes.not_logged += 1;
    }

    /// Redis has refused something though the link is up. Returns how many refusals were not logged if this one is to be.
    pub fn refused(&mut self, now: Instant) -> Option<u64> {
        self.refusals.not_logged += 1;
        self.refusals.say(now)
    }

    /// The line that is to be logged now, if any; to be asked again while the link is as it is.
    pub fn line(&mut self, now: Instant, is_up: bool, why: Option<&str>) -> Option<LogLine> {
        if is_up {
            self.causes.not_logged = 0;
            return (!std::mem::replace(&mut self.says_up, true)).then_some(LogLine::Up);
        }
        let line = if self.says_up {
            let not_logged = self.losses.say(now)?;
            self.says_up = false;
            LogLine::Down { not_logged }
        } else if why.is_some() && why != self.says_why.as_deref() {
            LogLine::Cause { not_logged: self.causes.say(now)? }
        } else {
            return None;
        };
        self.says_why = why.map(str::to_owned);
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_comes_and_goes_is_logged_every_five_seconds_with_the_number_of_losses() {
        let (mut log, start) = (Log::default(), Instant::now());
        let mut lines = Vec::new();
        for at in (0..12_000).step_by(100) {
            let now = start + Duration::from_millis(at);
            lines.extend(log.line(now, true, None));
            log.lost();
            lines.extend(log.line(now, false, Some("a cause")));
        }
        let down = |not_logged| LogLine::Down { not_logged };
        assert_eq!(lines, [LogLine::Up, down(0), LogLine::Up, down(49), LogLine::Up, down(49), LogLine::Up]);
        // The link stays down, which is said when there may be a line again.
        assert_eq!(log.line(start + Duration::from_secs(14), false, Some("a cause")), None);
        assert_eq!(log.line(start + Duration::from_secs(15), false, Some("a cause")), Some(down(18)));
    }

    #[test]
    fn refusals_are_logged_every_five_seconds_with_the_number_of_those_between() {
        let (mut log, start) = (Log::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(
            [0, 1, 4, 5, 6].map(|seconds| log.refused(at(seconds))),
            [Some(0), None, None, Some(2), None]
        );
    }

    #[test]
    fn two_causes_that_alternate_are_logged_every_five_seconds() {
        let (mut log, start) = (Log::default(), Instant::now());
        let mut lines = Vec::new();
        for at in 0..120 {
            log.caused();
            let why = ["one", "other"][at as usize % 2];
            lines.extend(log.line(start + Duration::from_millis(100 * at), false, Some(why)));
        }
        let cause = |not_logged| LogLine::Cause { not_logged };
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[0], cause(0));
        assert!(matches!(lines[1], LogLine::Cause { not_logged: 49 | 50 }), "{lines:?}");
        let late = start + Duration::from_secs(60);
        assert_eq!(log.line(late, false, Some("last")), Some(cause(16)), "{lines:?}");
        assert_eq!(log.line(late + Duration::from_secs(60), false, Some("last")), None, "said already");
    }
}
