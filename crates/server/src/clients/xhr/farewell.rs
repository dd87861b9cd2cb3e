//! The end of a session: what waits, and the close code, go to the request that receives, or to the next one.
//!
//! The session has left its channels by then. A client that does not come is not waited for any longer than one that
//! went away.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use fanfare_hub::Outbox;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::fallback::{close, push_messages};
use tokio::time::{Instant, sleep};

use super::names::Sent;
use super::outlet::{Outlet, Ready, Stance};
use super::watch::AWAY;
use crate::clients::http_session::inbox::Inbox;

/// How long a client that receives may take to read all lines; one that takes longer gets the close code alone, as soon as
/// its request has room.
const PATIENCE: Duration = Duration::from_secs(1);

/// Queues the last lines: what waits, unless the client does not read, and the close code.
pub(super) fn queue(outbox: &Outbox, outlet: &mut Outlet, reason: &CloseReason) {
    let mut frames = Vec::new();
    if reason.gives_up_what_waits() {
        outlet.give_up();
    } else {
        let _ = outbox.poll_take(&Context::from_waker(Waker::noop()), &mut frames, usize::MAX);
    }
    let mut lines = Vec::new();
    push_messages(&mut lines, &frames);
    outlet.queue(lines);
    if let Some(code) = reason.code() {
        outlet.queue(close(code, &reason.to_string()));
    }
    if *reason == CloseReason::ReceiverMissing {
        outlet.overfill();
    }
}

/// Gives the client the last lines.
pub(super) async fn give(inbox: &Inbox<Sent>, outlet: &mut Outlet, now: impl Fn() -> u64) {
    let mut patience = pin!(sleep(how_long(outlet, now())));
    poll_fn(|cx| {
        loop {
            match outlet.poll(now(), cx) {
                Poll::Ready(Ready::Lines | Ready::Lost) => return Poll::Ready(()),
                Poll::Pending if outlet.is_empty() && outlet.stance() == Stance::Away => {
                    return Poll::Ready(());
                }
                Poll::Pending => {}
            }
            match inbox.poll_receiving(cx) {
                Poll::Pending => {
                    ready!(patience.as_mut().poll(cx));
                    if matches!(outlet.stance(), Stance::Polls | Stance::Streams) {
                        outlet.conclude();
                    }
                    return Poll::Ready(());
                }
                Poll::Ready(receiving) => {
                    if !outlet.attach(receiving, now(), cx) {
                        return Poll::Ready(());
                    }
                    patience.as_mut().reset(Instant::now() + how_long(outlet, now()));
                }
            }
        }
    })
    .await;
}

/// How long the client has for its next step.
fn how_long(outlet: &Outlet, now: u64) -> Duration {
    match outlet.stance() {
        Stance::Polls | Stance::Streams => PATIENCE,
        Stance::Away | Stance::Full => AWAY.saturating_sub(Duration::from_millis(now - outlet.moved())),
    }
}
