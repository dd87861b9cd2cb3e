//! A subscriber for the tests of the feed, whose events are read one after another.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use fanfare_outgoing::Trust;
use fanfare_redis::{Happening, RedisAddress, RedisError, Subscriber, WantedPrefixes};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// The longest wait for anything that must come.
const DEADLINE: Duration = Duration::from_secs(60);

/// Longest message that the tests' subscribers keep, in bytes.
pub const LONGEST: u64 = 10_000;

/// An event of a subscriber, owned.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    Subscribed { port: u16, gap: Option<Duration> },
    Away(RedisError),
    Message(String, String),
    TooLong(String, u64),
    Refused(String, RedisError),
    Granted(String),
}

/// A running subscriber; ended when dropped.
pub struct Listening {
    told: Receiver<Told>,
    wanted: watch::Sender<WantedPrefixes>,
    _runtime: Runtime,
}

impl Listening {
    pub fn to(url: &str, prefixes: &[&str]) -> Self {
        Self::trusting(url, prefixes, &Trust::public())
    }

    pub fn trusting(url: &str, prefixes: &[&str], trust: &Trust) -> Self {
        let runtime = Runtime::new().unwrap();
        let (sender, told) = channel();
        let (wanted, wants) = watch::channel(set(prefixes));
        let subscriber = Subscriber::new(&RedisAddress::parse(url).unwrap(), trust, LONGEST);
        runtime.spawn(subscriber.run(wants, move |happening| drop(sender.send(as_told(happening)))));
        Self { told, wanted, _runtime: runtime }
    }

    /// Replaces the wanted prefixes.
    pub fn want(&self, prefixes: &[&str]) {
        self.wanted.send_replace(set(prefixes));
    }

    /// The next event that is picked; events before it are skipped.
    #[track_caller]
    pub fn find<T>(&self, what: &str, mut pick: impl FnMut(Told) -> Option<T>) -> T {
        let mut passed = Vec::new();
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(told) => {
                    passed.push(format!("{told:?}"));
                    if let Some(found) = pick(told) {
                        return found;
                    }
                }
                Err(_) => panic!("never told: {what}; but\n{}", passed.join("\n")),
            }
        }
    }

    /// Takes the next event, which must be this one.
    #[track_caller]
    pub fn expect(&self, expected: &Told) {
        assert_eq!(self.told.recv_timeout(DEADLINE).as_ref(), Ok(expected));
    }

    /// Takes the next event, which must be this message.
    #[track_caller]
    pub fn expect_message(&self, channel: &str, payload: &str) {
        self.expect(&Told::Message(channel.to_owned(), payload.to_owned()));
    }

    /// Waits until the subscription is up; returns the port and the gap.
    #[track_caller]
    pub fn subscribed(&self) -> (u16, Option<Duration>) {
        self.find("a subscription", |told| match told {
            Told::Subscribed { port, gap } => Some((port, gap)),
            _ => None,
        })
    }

    /// Waits until the subscription is down; returns the cause.
    #[track_caller]
    pub fn away(&self) -> RedisError {
        self.find("an outage", |told| match told {
            Told::Away(error) => Some(error),
            _ => None,
        })
    }
}

fn set(prefixes: &[&str]) -> WantedPrefixes {
    prefixes.iter().map(|&prefix| Arc::from(prefix)).collect()
}

fn as_told(happening: Happening<'_>) -> Told {
    match happening {
        Happening::Subscribed { host, gap } => Told::Subscribed { port: host.port, gap },
        Happening::Granted { prefix } => Told::Granted(prefix.to_owned()),
        Happening::Away(error) => Told::Away(error.clone()),
        Happening::Message { channel, payload } => {
            Told::Message(channel.to_owned(), String::from_utf8_lossy(&payload).into_owned())
        }
        Happening::TooLong { channel, bytes } => Told::TooLong(channel.to_owned(), bytes),
        Happening::Refused { prefix, error } => Told::Refused(prefix.to_owned(), error.clone()),
    }
}
