//! A subscription that lasts for ever: after every failure the subscriber reconnects.

use std::time::Duration;

use fanfare_outgoing::Trust;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::address::{Host, RedisAddress};
use crate::connection::Connector;
use crate::error::RedisError;
use crate::happening::{Everything, Happening, TopicListener as _, WantedPrefixes};
use crate::names::Names;
use crate::servers::Servers;
use crate::subscription::{Pace, Subscription};

/// Backoff between two attempts: the shortest, and the longest.
const BETWEEN_ATTEMPTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Time between two queries to the Sentinels for the master.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(5);

/// The times of a subscription that nobody waits for.
const PACE: Pace = Pace {
    heartbeat: Duration::from_secs(4),
    silence: Duration::from_secs(7),
    before_asking_again: Duration::from_secs(8),
};

/// One connection for any number of prefixes.
pub struct Subscriber {
    servers: Servers,
    connector: Connector,
}

impl Subscriber {
    /// A subscriber that has not connected yet; messages of up to `longest` bytes are kept.
    #[must_use]
    pub fn new(address: &RedisAddress, trust: &Trust, longest: u64) -> Self {
        Self { servers: Servers::of(address), connector: Connector::new(address, trust, longest) }
    }

    /// Subscribes to the wanted prefixes, reports every event, and never gives up. Ends when the sender of `wanted` is
    /// dropped.
    ///
    /// Each message is reported once, also if several prefixes match. `on` must not take long: nothing is
    /// read meanwhile.
    pub async fn run(
        mut self,
        mut wanted: watch::Receiver<WantedPrefixes>,
        on: impl FnMut(Happening<'_>) + Send,
    ) {
        let mut on = Everything(on);
        let mut away = Away::default();
        while wanted.has_changed().is_ok() {
            let error = match self.servers.open(&self.connector).await {
                Ok((connection, host)) => {
                    let heard = connection.heard.clone();
                    let subscription = Subscription { names: Names::prefixes(), pace: PACE, host: &host };
                    let followed = subscription.follow(connection, &mut wanted, || away.end(), &mut on);
                    let error = tokio::select! {
                        error = followed => error,
                        () = until_moved(&self.servers, &host, &self.connector) => RedisError::Moved,
                    };
                    // The break of a silent connection has no known time.
                    away.begin(if error == RedisError::Silent { heard.at() } else { Instant::now() });
                    error
                }
                Err(error) => {
                    away.begin(Instant::now());
                    error
                }
            };
            if wanted.has_changed().is_ok() {
                on.hear(Happening::Away(&error));
                sleep(away.pause()).await;
            }
        }
    }
}

/// The start of an outage, and the number of attempts since.
#[derive(Default)]
struct Away {
    since: Option<Instant>,
    attempts: u32,
}

impl Away {
    /// Starts the outage; no effect during an outage.
    fn begin(&mut self, since: Instant) {
        self.since.get_or_insert(since);
    }

    /// Ends the outage and returns its length; `None` outside an outage.
    fn end(&mut self) -> Option<Duration> {
        self.attempts = 0;
        self.since.take().map(|since| since.elapsed())
    }

    /// The backoff before the next attempt.
    fn pause(&mut self) -> Duration {
        let pause = BETWEEN_ATTEMPTS.0 * 2_u32.pow(self.attempts.min(10));
        self.attempts = self.attempts.saturating_add(1);
        pause.min(BETWEEN_ATTEMPTS.1)
    }
}

/// Returns when the Sentinels name another master; never without Sentinels.
async fn until_moved(servers: &Servers, host: &Host, connector: &Connector) {
    loop {
        sleep(BETWEEN_QUESTIONS).await;
        if servers.has_moved(host, connector).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_go_on_for_ever_and_come_a_second_apart_at_most() {
        let mut away = Away::default();
        let pauses: Vec<u128> = (0..6).map(|_| away.pause().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        away.attempts = u32::MAX;
        assert_eq!(away.pause().as_millis(), 1000);
    }

    #[test]
    fn a_gap_lasts_from_the_first_loss_to_the_subscription() {
        let mut away = Away::default();
        assert_eq!(away.end(), None, "nothing was missed before the first subscription");
        let first = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        away.begin(first);
        away.begin(Instant::now());
        let _ = away.pause();
        assert!(away.end().unwrap() >= Duration::from_secs(60));
        assert_eq!(away.end(), None);
        assert_eq!(away.pause(), BETWEEN_ATTEMPTS.0);
    }
}
