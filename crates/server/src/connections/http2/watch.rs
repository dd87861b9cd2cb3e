//! The timeouts of one connection of HTTP/2, and its orderly end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::super::activity::Activity;
use super::super::alarm::{Alarm, Stuck};
use super::super::closed::Closed;
use super::super::respond::MOST_REQUESTS;
use super::super::site::{Listening, Site};

/// How long a peer that was told of the end, and has no request under way, may take to hang up.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a connection ends.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// The server closes the connection.
    Closed(Closed),
    /// The peer was told of the end, and has had its time.
    Told,
}

/// The timeouts.
pub(super) struct Watch<'a, A> {
    listening: &'a Arc<Listening<A>>,
    activity: &'a Activity,
    alarm: Alarm<'a>,
    /// The deadline of the first request.
    first_by: Instant,
    /// The connection's step when the next field was set.
    steps: u32,
    /// Since when every request under way has waited for its peer, in microseconds.
    peer_since: Option<u64>,
    stuck: Stuck,
    /// When the peer was told of the end.
    told: Option<Instant>,
}

impl<'a, A: Site> Watch<'a, A> {
    pub(super) fn new(
        listening: &'a Arc<Listening<A>>,
        activity: &'a Activity,
        timer: Pin<&'a mut Sleep>,
    ) -> Self {
        Self {
            listening,
            activity,
            alarm: Alarm::new(timer),
            first_by: Instant::now() + listening.times().head,
            steps: activity.steps(),
            peer_since: None,
            stuck: Stuck::default(),
            told: None,
        }
    }

    /// Whether the peer is to be told now that no further request is answered here.
    pub(super) fn begins_to_end(&mut self) -> bool {
        let ends = self.listening.places.is_ending()
            || self.activity.must_close()
            || self.activity.answered() >= MOST_REQUESTS
            // One answer comes with the news: another connection finds the listener as the drain has left it.
            || (self.activity.answered() > 0 && self.listening.site.state().node.drain.has_begun());
        if !ends || self.told.is_some() {
            return false;
        }
        self.told = Some(Instant::now());
        true
    }

    /// Ready when the connection has to be closed. Must be called after hyper and the requests, which have then done
    /// all that is possible.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        if self.activity.is_leaving() {
            return Poll::Ready(Ending::Closed(Closed::MadeRoom));
        }
        let steps = self.activity.steps();
        if std::mem::replace(&mut self.steps, steps) != steps {
            self.peer_since = None;
        }
        if self.activity.waits_for_peer_alone() {
            let since = *self.peer_since.get_or_insert_with(|| self.listening.places.now());
            self.activity.wait_for_peer(since);
        }
        let due = self.due();
        self.alarm.poll(cx, due)
    }

    /// The result if nothing happens, and when; `None` while the server works on a request. What a peer sends beside
    /// requests lengthens nothing.
    fn due(&mut self) -> Option<(Instant, Ending)> {
        let times = self.listening.times();
        if let Some(since) = self.stuck.since(self.activity.blocked_at()) {
            return Some((since + times.write, Ending::Closed(Closed::Unread)));
        }
        let Some(quiet_since) = self.activity.quiet_since() else {
            let since = self.listening.places.moment(self.peer_since?);
            return match self.told {
                Some(told) => Some((told.max(since) + times.head, Ending::Told)),
                None if self.activity.has_unsent() => {
                    Some((since + times.write, Ending::Closed(Closed::Unread)))
                }
                None => None,
            };
        };
        if let Some(told) = self.told {
            let since = self.listening.places.moment(quiet_since).max(told);
            return Some((since + FAREWELL, Ending::Told));
        }
        if self.activity.answered() == 0 {
            return Some((self.first_by, Ending::Closed(Closed::Late)));
        }
        Some((self.listening.idle_until(quiet_since), Ending::Closed(Closed::Idle)))
    }
}
