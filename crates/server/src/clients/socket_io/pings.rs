//! When a client is pinged, and when a session ends because its client is silent or late (SIO-030 … SIO-036, SIO-042). Reads
//! and writes no socket: pings go into the outbox.
//!
//! Clients of version 3 ping by themselves. Clients of version 4 are pinged, whatever else they are sent: they end a
//! session that does not ping.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fanfare_config::SocketIoSection;
use fanfare_hub::Conn;
use fanfare_node::Node;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::engine_io::{self, EngineVersion};
use tokio::time::sleep_until;

use crate::clients::connection::{Signs, milliseconds};

/// How long a client of version 4 may take to connect to its namespace, in milliseconds.
const CONNECTS_WITHIN: u64 = 45_000;

/// How long the first poll of a session may take, in milliseconds.
const POLLS_WITHIN: u64 = 10_000;

/// The times of one session, and what its client has done.
#[derive(Debug)]
pub(super) struct Rhythm {
    /// Milliseconds from a ping to the next.
    pub interval: u64,
    /// Milliseconds that the answer may take.
    pub timeout: u64,
    /// When the session was opened, in milliseconds since the server's start.
    opened: u64,
    /// Whether the client has connected to its namespace.
    pub is_connected: AtomicBool,
    /// Whether the client has begun to receive.
    pub has_polled: AtomicBool,
}

impl Rhythm {
    /// The times of the settings, for a session that opens now.
    pub fn new(settings: &SocketIoSection, version: EngineVersion, now: u64) -> Self {
        Self {
            interval: milliseconds(settings.ping_interval),
            timeout: milliseconds(settings.ping_timeout),
            opened: now,
            is_connected: AtomicBool::new(version == EngineVersion::Three),
            has_polled: AtomicBool::new(false),
        }
    }

    /// By when the client has to do what it has not done, and why the session ends otherwise: the first such moment.
    fn deadline(&self, signs: &Signs, authorize_by: u64) -> Option<(u64, CloseReason)> {
        let all = [
            (&signs.authorized, authorize_by, CloseReason::NotAuthorized),
            (&self.is_connected, self.opened + CONNECTS_WITHIN, CloseReason::NeverBegun),
            (&self.has_polled, self.opened + POLLS_WITHIN, CloseReason::NeverBegun),
        ];
        let open = all.into_iter().filter(|(done, ..)| !done.load(Ordering::Relaxed));
        open.map(|(_, by, reason)| (by, reason)).min_by_key(|&(by, _)| by)
    }
}

/// What is watched of a session.
#[derive(Clone, Copy)]
pub(super) struct Pulse<'a> {
    pub node: &'a Node,
    pub conn: &'a Conn,
    pub signs: &'a Signs,
    pub rhythm: &'a Rhythm,
    pub version: EngineVersion,
}

impl Pulse<'_> {
    /// Returns when the session is to end, for silence or for what its client has not done in time.
    pub async fn watch(self) -> CloseReason {
        let Self { node, conn, signs, rhythm, version } = self;
        let authorize_by = node.milliseconds() + milliseconds(node.config().timeouts.authorize());
        let mut pings = Pings { next: rhythm.opened + rhythm.interval, unanswered: None };
        loop {
            let now = node.milliseconds();
            let mut due = match rhythm.deadline(signs, authorize_by) {
                Some((by, reason)) if now >= by => return reason,
                deadline => deadline.map_or(u64::MAX, |(by, _)| by),
            };
            let heard = signs.heard.load(Ordering::Relaxed);
            let silent_at = match version {
                EngineVersion::Three => heard + rhythm.interval + rhythm.timeout,
                EngineVersion::Four => {
                    if pings.are_due(now, rhythm.interval) {
                        conn.outbox.push(&engine_io::ping());
                    }
                    due = due.min(pings.next);
                    pings.answer_due(heard).map_or(u64::MAX, |at| at + rhythm.timeout)
                }
            };
            if now >= silent_at {
                return CloseReason::PongMissing;
            }
            due = due.min(silent_at);
            sleep_until(node.started + Duration::from_millis(due)).await;
        }
    }
}

/// The pings of version 4.
struct Pings {
    /// When the next is sent.
    next: u64,
    /// When the oldest ping was sent that no packet has followed.
    unanswered: Option<u64>,
}

impl Pings {
    /// Whether to send one now.
    const fn are_due(&mut self, now: u64, interval: u64) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + interval;
        if self.unanswered.is_none() {
            self.unanswered = Some(now);
        }
        true
    }

    /// When the ping was sent that waits for a packet, the last of which was heard then.
    fn answer_due(&mut self, heard: u64) -> Option<u64> {
        self.unanswered = self.unanswered.filter(|&at| heard < at);
        self.unanswered
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use fanfare_config::Config;

    use super::*;

    #[test]
    fn sio_036_and_sio_042_a_client_has_to_poll_to_connect_and_to_be_authorized_in_time() {
        let settings = Config::default().socketio;
        for (version, connects_by) in [(EngineVersion::Three, None), (EngineVersion::Four, Some(46_000))] {
            let rhythm = Rhythm::new(&settings, version, 1_000);
            let signs = Signs { heard: AtomicU64::new(1_000), authorized: AtomicBool::new(false) };
            let deadline = || rhythm.deadline(&signs, 31_000);
            assert_eq!(deadline(), Some((11_000, CloseReason::NeverBegun)));
            rhythm.has_polled.store(true, Ordering::Relaxed);
            assert_eq!(deadline(), Some((31_000, CloseReason::NotAuthorized)));
            signs.authorized.store(true, Ordering::Relaxed);
            assert_eq!(deadline(), connects_by.map(|by| (by, CloseReason::NeverBegun)));
            rhythm.is_connected.store(true, Ordering::Relaxed);
            assert_eq!(deadline(), None);
        }
    }
}
