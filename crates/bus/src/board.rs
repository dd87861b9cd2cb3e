//! What a link shares with its node: the queues towards its task, and how the link is.

mod events;
mod inbox;
mod log;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fanfare_redis::{Host, RedisAddress, Topology};
use parking_lot::Mutex;

pub(crate) use self::events::{EventQueue, WaitingEvent};
pub(crate) use self::inbox::{Asking, Inbox, Told};
use self::log::{Log, LogLine};
use crate::machine::MachineNumbers;
use crate::partition::Partition;

/// How long Redis may be silent, and how long the link's task may not run, until events may have been lost unnoticed.
pub(crate) const STANDSTILL: Duration = Duration::from_secs(3);

/// One link, seen from outside.
pub(crate) struct Board {
    /// The Redis, without user and password.
    pub redis: String,
    pub partitions: Vec<Partition>,
    /// Topics belong to shards.
    pub is_sharded: bool,
    pub events: EventQueue,
    pub inbox: Inbox,
    is_up: AtomicBool,
    /// When events were lost last, on their way to other nodes or here.
    lost_events_at: Mutex<Option<Instant>>,
    /// When Redis has answered last; a leaf.
    answered_at: Mutex<Option<Instant>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    why: Option<String>,
    warning: Option<String>,
    round_trip: Option<Duration>,
    numbers: MachineNumbers,
    log: Log,
    /// When the link was lost last.
    lost_at: Option<Instant>,
    /// The node is ending, so that the end of the link is no loss.
    is_ending: bool,
    /// The digest of the script that adds up messages.
    usage_digest: String,
    /// The digest of the script that agrees on publishes with an idempotency key.
    once_digest: String,
}

/// How a link is (CL-067).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// The Redis, without user and password.
    pub redis: String,
    /// The partitions that lie there.
    pub partitions: Vec<Partition>,
    /// Whether this node has its lease in all of them, and hears everything.
    pub is_up: bool,
    /// Why the link is not up, as far as that is known.
    pub why: Option<String>,
    /// What is wrong with the settings of Redis, if anything (CL-116).
    pub warning: Option<String>,
    /// Events and bytes that wait to be sent.
    pub waiting: (usize, usize),
    /// The last round trip.
    pub round_trip: Option<Duration>,
}

impl Board {
    pub fn new(address: &RedisAddress, partitions: Vec<Partition>) -> Self {
        Self {
            redis: address.to_string(),
            partitions,
            is_sharded: matches!(address.topology(), Topology::Cluster(_)),
            events: EventQueue::default(),
            inbox: Inbox::default(),
            is_up: AtomicBool::new(false),
            lost_events_at: Mutex::default(),
            answered_at: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    /// Events are lost, on their way to other nodes or here.
    pub fn note_loss(&self) {
        *self.lost_events_at.lock() = Some(Instant::now());
    }

    /// Whether no event was lost for so long, as far as this node knows. A link that is down, or has not answered for a
    /// while, may be losing some.
    pub fn is_whole_for(&self, age: Duration) -> bool {
        let is_heard = || self.answered_at.lock().is_some_and(|at| at.elapsed() <= STANDSTILL);
        self.is_up() && is_heard() && self.lost_events_at.lock().is_none_or(|at| at.elapsed() > age)
    }

    pub fn state(&self) -> LinkState {
        let (is_up, seen) = (self.is_up(), self.seen.lock());
        LinkState {
            redis: self.redis.clone(),
            partitions: self.partitions.clone(),
            is_up,
            why: if is_up { None } else { seen.why.clone() },
            warning: seen.warning.clone(),
            waiting: self.events.held(),
            round_trip: seen.round_trip,
        }
    }

    pub fn numbers(&self) -> MachineNumbers {
        self.seen.lock().numbers.clone()
    }

    pub fn usage_digest(&self) -> String {
        self.seen.lock().usage_digest.clone()
    }

    pub fn once_digest(&self) -> String {
        self.seen.lock().once_digest.clone()
    }

    pub fn set_digests(&self, usage: &str, once: &str) {
        let mut seen = self.seen.lock();
        (seen.usage_digest, seen.once_digest) = (usage.to_owned(), once.to_owned());
    }

    /// Says whether the link is up; to be called at least each second, because a line of the log may be due.
    pub fn set_up(&self, is_up: bool) {
        let mut seen = self.seen.lock();
        match (self.is_up.swap(is_up, Ordering::AcqRel), is_up) {
            (true, false) => {
                seen.lost_at = Some(Instant::now());
                seen.log.lost();
            }
            // The next loss has a cause of its own.
            (false, true) => seen.why = None,
            _ => {}
        }
        self.log(&mut seen);
    }

    /// Says why the link is not up, or about to be down.
    pub fn set_why(&self, why: impl Into<String>) {
        let (mut seen, why) = (self.seen.lock(), why.into());
        if seen.why.as_ref() == Some(&why) {
            return;
        }
        seen.why = Some(why);
        if !self.is_up() {
            seen.log.caused();
            self.log(&mut seen);
        }
    }

    /// Says that Redis keeps or reads no event of a cache channel, though the link is up.
    pub fn refuse_cache(&self, why: &str) {
        if let Some(not_logged) = self.seen.lock().log.refused(Instant::now()) {
            let redis = &self.redis;
            tracing::warn!(target: "fanfare::bus", redis, why, not_logged, "Redis refuses events of cache channels");
        }
    }

    /// The node ends: from now on nothing is logged of the link.
    pub fn end(&self) {
        self.seen.lock().is_ending = true;
    }

    fn log(&self, seen: &mut Seen) {
        if seen.is_ending {
            return;
        }
        let redis = &self.redis;
        // Only in a Cluster a link is of one partition.
        let partition = self.partitions.first().filter(|_| self.is_sharded);
        let why = seen.why.as_deref();
        let line = seen.log.line(Instant::now(), self.is_up(), why);
        let why = why.unwrap_or("not known");
        match line {
            Some(LogLine::Up) => {
                let away_s = seen.lost_at.take().map(|lost| lost.elapsed().as_millis() as f64 / 1000.0);
                tracing::info!(target: "fanfare::bus", redis, partition, away_s, "in touch with the other nodes");
            }
            Some(LogLine::Down { not_logged }) => {
                tracing::warn!(target: "fanfare::bus", redis, partition, why, not_logged, "out of touch with the other nodes");
            }
            Some(LogLine::Cause { not_logged }) => {
                tracing::warn!(target: "fanfare::bus", redis, partition, why, not_logged, "no way to the other nodes");
            }
            None => {}
        }
    }

    /// Says what is wrong with the settings of the server that the link has connected to.
    pub fn set_warning(&self, server: &Host, warning: Option<String>) {
        let warning = warning.map(|warning| format!("{server}: {warning}"));
        let mut seen = self.seen.lock();
        if let Some(warning) = warning.as_ref().filter(|_| seen.warning != warning) {
            tracing::warn!(target: "fanfare::bus", redis = self.redis, warning, "the settings of Redis are a danger");
        }
        seen.warning = warning;
    }

    pub fn set_round_trip(&self, took: Duration) {
        self.seen.lock().round_trip = Some(took);
        *self.answered_at.lock() = Some(Instant::now());
    }

    pub fn set_numbers(&self, numbers: &MachineNumbers) {
        let mut seen = self.seen.lock();
        if seen.numbers != *numbers {
            seen.numbers.clone_from(numbers);
        }
    }
}
