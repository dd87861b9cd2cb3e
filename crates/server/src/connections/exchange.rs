//! Requests and answers over one connection of HTTP/1.1, by hyper, with timeouts.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::time::{Instant, Sleep};

use super::activity::Activity;
use super::alarm::{Alarm, Stuck};
use super::closed::Closed;
use super::respond;
use super::site::{Listening, Site};
use super::stream::{Rewound, Transport};
use crate::http::Peer;

/// The largest head of a request.
const HEAD_BYTES: usize = 64 * 1024;

/// How long hyper keeps its buffers after an answer, for the next request.
const WARM: Duration = Duration::from_secs(2);

/// How a connection ended.
pub(super) enum ExchangeEnd<S> {
    /// The connection has ended, or no longer speaks HTTP.
    Over,
    /// The connection has to be closed.
    Closed(Closed),
    /// The connection is idle: the bare stream, and the bytes already read of the next request.
    Quiet(S, Bytes),
}

/// The result of a check.
enum Watched {
    Close(Closed),
    /// The connection has been idle for a while.
    Cold,
}

/// Serves requests until the connection ends, or has been idle for a while; `early` bytes were read before.
pub(super) async fn run<A: Site, S: Transport>(
    listening: &Arc<Listening<A>>,
    peer: Peer,
    stream: S,
    early: Bytes,
    timer: Pin<&mut Sleep>,
) -> ExchangeEnd<S> {
    let activity = Arc::clone(stream.watched().place().activity());
    let mut watch = Watch::new(listening, &activity, timer);
    if !early.is_empty() {
        activity.set_heard(true);
    }
    let respond =
        service_fn(|request| respond::respond(Arc::clone(listening), Arc::clone(&activity), peer, request));
    // Timeouts are kept here: hyper has one limit for a head and for idling.
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Rewound::keeping_end(early, stream)), respond)
        .with_upgrades();
    let mut is_told_to_end = false;
    let seen = poll_fn(|cx| {
        if listening.places.is_ending() && !std::mem::replace(&mut is_told_to_end, true) {
            Pin::new(&mut connection).graceful_shutdown();
        }
        activity.set_listens(false);
        if let Poll::Ready(done) = Pin::new(&mut connection).poll(cx) {
            // A peer that breaks off, or never spoke HTTP, concerns nobody else.
            if let Err(error) = done {
                tracing::debug!(target: "fanfare::http", %error, "connection failed");
            }
            return Poll::Ready(None);
        }
        watch.poll(cx).map(Some)
    })
    .await;
    let Some(seen) = seen else { return ExchangeEnd::Over };
    // No WebSocket took over, otherwise the future would be done.
    let Some(parts) = connection.into_parts() else { return ExchangeEnd::Over };
    let (stream, rest) = parts.io.into_inner().into_parts();
    match seen {
        Watched::Close(why) => {
            let is_cut_off = why == Closed::MadeRoom && activity.blocked_at().is_some();
            if why == Closed::Unread || is_cut_off {
                // Unsent bytes would stay in the system for minutes. A socket that refuses is closed all the same.
                let _ = SockRef::from(stream.watched().tcp()).set_linger(Some(Duration::ZERO));
            }
            ExchangeEnd::Closed(why)
        }
        Watched::Cold => {
            // Copied: hyper's buffer keeps 8 KiB alive, even when empty.
            let unread = Bytes::from([parts.read_buf, rest].concat());
            ExchangeEnd::Quiet(stream, unread)
        }
    }
}

/// The timeouts of one connection.
struct Watch<'a, A> {
    listening: &'a Listening<A>,
    activity: &'a Activity,
    alarm: Alarm<'a>,
    /// The deadline of the first request.
    first_by: Instant,
    /// The connection's step when the next two fields were set.
    steps: u32,
    /// When the first byte of the next request's head was seen, while the head is incomplete.
    head_since: Option<Instant>,
    /// When the current request first waited for its peer, in microseconds: a peer that sends its body byte by byte
    /// does not reset the age.
    peer_since: Option<u64>,
    stuck: Stuck,
    /// Whether a stream went on unheard at the check before.
    was_unheard: bool,
}

impl<'a, A: Site> Watch<'a, A> {
    fn new(listening: &'a Listening<A>, activity: &'a Activity, timer: Pin<&'a mut Sleep>) -> Self {
        let first_by = Instant::now() + listening.times().head;
        Self {
            listening,
            activity,
            alarm: Alarm::new(timer),
            first_by,
            steps: activity.steps(),
            head_since: None,
            peer_since: None,
            stuck: Stuck::default(),
            was_unheard: false,
        }
    }

    /// Ready when the connection has to be closed or has been idle for a while. Must be called after hyper, which
    /// has then read and written all that is possible.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Watched> {
        if self.activity.is_leaving() {
            return Poll::Ready(Watched::Close(Closed::MadeRoom));
        }
        if self.activity.is_to_see_end() {
            cx.waker().wake_by_ref();
        }
        let is_unheard = self.activity.streams_unheard();
        match (std::mem::replace(&mut self.was_unheard, is_unheard), is_unheard) {
            (true, true) => return Poll::Ready(Watched::Close(Closed::Pipelined)),
            // HTTP may have been about to throw away the body of the request.
            (false, true) => cx.waker().wake_by_ref(),
            _ => {}
        }
        self.note_request();
        let due = self.due();
        self.alarm.poll(cx, due)
    }

    /// Updates the progress of the next request.
    fn note_request(&mut self) {
        let steps = self.activity.steps();
        if std::mem::replace(&mut self.steps, steps) != steps {
            (self.head_since, self.peer_since) = (None, None);
        }
        if self.activity.waiting().is_none() {
            // The head is complete.
            self.head_since = None;
        }
        if self.activity.waits_for_peer_alone() {
            let since = *self.peer_since.get_or_insert_with(|| self.listening.places.now());
            self.activity.wait_for_peer(since);
        }
    }

    /// The result if nothing happens, and when; `None` while a request is under way: the code that answers has
    /// timeouts of its own.
    fn due(&mut self) -> Option<(Instant, Watched)> {
        let times = self.listening.times();
        if let Some(since) = self.stuck.since(self.activity.blocked_at()) {
            return Some((since + times.write, Watched::Close(Closed::Unread)));
        }
        if self.activity.has_unsent()
            && let Some(since) = self.peer_since
        {
            let until = self.listening.places.moment(since) + times.write;
            return Some((until, Watched::Close(Closed::Unread)));
        }
        let quiet_since = self.activity.quiet_since()?;
        if self.activity.has_heard() {
            let since = *self.head_since.get_or_insert_with(Instant::now);
            return Some((since + times.head, Watched::Close(Closed::Late)));
        }
        self.head_since = None;
        if self.activity.answered() == 0 {
            return Some((self.first_by, Watched::Close(Closed::Late)));
        }
        let cold = self.listening.places.moment(quiet_since) + WARM;
        let too_late = self.listening.idle_until(quiet_since);
        if too_late < cold {
            return Some((too_late, Watched::Close(Closed::Idle)));
        }
        Some((cold, Watched::Cold))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;

    use super::super::places::Places;
    use super::super::tests::site;
    use super::*;

    #[tokio::test]
    async fn the_time_for_a_head_begins_anew_with_each_request() {
        let site = site(10).await;
        let places = Arc::clone(&site.state().places);
        let listening = Listening::new(site, Arc::clone(&places), None);
        let place = Places::enter(&places, [192, 0, 2, 1].into()).unwrap();
        let activity = place.activity();
        let mut timer = pin!(tokio::time::sleep(Duration::from_secs(60)));
        let mut watch = Watch::new(&listening, activity, timer.as_mut());
        let mut cx = Context::from_waker(Waker::noop());
        let mut hear = |watch: &mut Watch<'_, _>| {
            activity.set_heard(true);
            assert!(watch.poll(&mut cx).is_pending());
            watch.head_since
        };
        let first = hear(&mut watch);
        assert!(first.is_some() && hear(&mut watch) == first);
        activity.begin();
        assert_eq!(hear(&mut watch), None, "the request is under way");
        activity.end(places.now());
        hear(&mut watch);
        // The request is answered before the next check.
        let answered = Instant::now();
        activity.begin();
        activity.end(places.now());
        assert!(hear(&mut watch) >= Some(answered));
    }
}
