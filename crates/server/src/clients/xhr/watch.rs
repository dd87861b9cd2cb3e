//! What is due when a session hears nothing, or says nothing: heartbeats, and the end (FALLBACK-018 … FALLBACK-021).
//!
//! Moments are milliseconds since the server's start.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fanfare_node::Node;
use fanfare_protocol::close::CloseReason;

use super::outlet::{Outlet, Stance};
use crate::clients::connection::{Signs, milliseconds};

/// Longest silence on a stream, and longest wait of a poll: proxies end what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(25);

/// How long a session lasts whose client does not ask for messages (FALLBACK-021).
pub(super) const AWAY: Duration = Duration::from_secs(10);

/// How long a client may take to ask for another stream (FALLBACK-018); no longer than it may be silent.
const FULL: Duration = Duration::from_secs(30);

/// The times of one session.
pub(super) struct Watch {
    authorize_by: u64,
    activity: u64,
    pong: u64,
    heartbeat: u64,
    full: u64,
    /// When a heartbeat was sent last.
    probed: u64,
}

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A heartbeat.
    Heartbeat,
    /// The end of the session.
    End(CloseReason),
}

impl Watch {
    /// The times of a session that begins.
    pub fn new(node: &Node) -> Self {
        let config = node.config();
        let timeouts = &config.timeouts;
        let activity = milliseconds(timeouts.activity());
        let now = node.milliseconds();
        Self {
            authorize_by: now + milliseconds(timeouts.authorize()),
            activity,
            pong: milliseconds(timeouts.pong()),
            heartbeat: milliseconds(HEARTBEAT).min(activity),
            full: milliseconds(FULL).min(activity),
            probed: now,
        }
    }

    /// What is due next, and when.
    pub fn next(&self, signs: &Signs, outlet: &Outlet) -> (u64, Due) {
        let heard = signs.heard.load(Ordering::Relaxed);
        let moved = outlet.moved();
        let receiving = match outlet.stance() {
            Stance::Away => (moved + milliseconds(AWAY), Due::End(CloseReason::ReceiverMissing)),
            Stance::Full => (moved + self.full, Due::End(CloseReason::ReceiverMissing)),
            Stance::Polls => (moved + self.heartbeat, Due::Heartbeat),
            // A client that hears messages all the time is asked for a sign of life as well.
            Stance::Streams => {
                ((moved + self.heartbeat).min(heard.max(self.probed) + self.activity), Due::Heartbeat)
            }
        };
        // Lines that wait for the client are as good as a heartbeat.
        let waits = receiving.1 == Due::Heartbeat && !outlet.is_empty();
        let unauthorized = !signs.authorized.load(Ordering::Relaxed);
        let silent = (heard + self.activity + self.pong, Due::End(CloseReason::PongMissing));
        let all = [
            (!waits).then_some(receiving),
            unauthorized.then_some((self.authorize_by, Due::End(CloseReason::NotAuthorized))),
        ];
        all.into_iter().flatten().fold(silent, |first, other| if other.0 < first.0 { other } else { first })
    }

    /// A heartbeat is on its way.
    pub fn has_probed(&mut self, now: u64) {
        self.probed = now;
    }
}
