//! The task of one session: handles the messages that requests have brought, gives what waits to the request that receives,
//! and ends the session in order. Knows no HTTP.
//!
//! The outbox is the queue: lines are made when a request has room for them, so that a slow consumer is closed as on a
//! WebSocket.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake as _, Waker};
use std::time::Duration;

use fanfare_hub::{Conn, Taken};
use fanfare_node::Node;
use fanfare_node::session::Session;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::fallback::{HEARTBEAT, NO_MESSAGES, OPEN, push_messages};
use tokio::time::{Sleep, sleep};

use super::farewell;
use super::names::{Sent, XhrName};
use super::outlet::{Outlet, Ready, Stance};
use super::watch::{Due, Watch};
use crate::clients::connection::{Connection, Signs};
use crate::clients::http_session::inbox::{HEARD, Inbox, Receiving};
use crate::clients::http_session::sessions::SessionEntry;
use crate::clients::ws::MUCH;

/// Bytes of messages after which a line is long enough.
const LINE: usize = 16 * 1024;

/// Lines given before other tasks get their turn.
const TURN: usize = 8;

/// The work of a session's task.
struct Talk<'a> {
    node: &'a Node,
    conn: &'a Arc<Conn>,
    session: &'a mut Session,
    signs: &'a Signs,
    inbox: &'a Inbox<Sent>,
    outlet: &'a mut Outlet,
    watch: Watch,
    /// Whether the client waits for a sign of life (FALLBACK-019).
    owes_sign: bool,
}

/// Runs a session to its end; `first` is the request that opened the session.
pub(super) async fn run(
    mut connection: Connection,
    inbox: Arc<Inbox<Sent>>,
    first: Receiving,
    entry: SessionEntry<XhrName, Inbox<Sent>>,
) {
    let mut outlet = Outlet::new(connection.node.milliseconds());
    let reason = {
        let Connection { node, conn, session, signs, .. } = &mut connection;
        let mut timer = pin!(sleep(Duration::ZERO));
        let mut talk = Talk {
            watch: Watch::new(node),
            node,
            conn,
            session,
            signs,
            inbox: &inbox,
            outlet: &mut outlet,
            owes_sign: false,
        };
        talk.open(first);
        poll_fn(|cx| talk.poll(cx, timer.as_mut())).await
    };
    inbox.say_farewell();
    farewell::queue(&connection.conn.outbox, &mut outlet, &reason);
    let node = Arc::clone(&connection.node);
    let leaving = connection.leave(&reason);
    if reason.can_be_told() {
        farewell::give(&inbox, &mut outlet, || node.milliseconds()).await;
    }
    drop(outlet);
    inbox.end();
    drop(entry);
    leaving.gone(&reason);
}

impl Talk<'_> {
    /// Attaches the first request. A stream begins with `connection_established`, which a poll leaves for the next
    /// (FALLBACK-015).
    fn open(&mut self, first: Receiving) {
        let mut cx = Context::from_waker(Waker::noop());
        let is_poll = first.is_poll;
        self.outlet.attach(first, self.node.milliseconds(), &mut cx);
        let mut lines = OPEN.to_vec();
        if !is_poll && let Poll::Ready(Ok(established)) = self.gather(&cx) {
            lines.extend_from_slice(&established);
        }
        self.outlet.queue(lines);
    }

    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<CloseReason> {
        let now = self.node.milliseconds();
        if self.conn.take_stir() {
            if let Some(receiving) = self.inbox.take_receiving() {
                self.signs.heard_now(self.node);
                if !self.outlet.attach(receiving, now, cx) {
                    return Poll::Ready(CloseReason::Gone);
                }
            }
            if let ControlFlow::Break(reason) = self.hear() {
                return Poll::Ready(reason);
            }
        }
        if let ControlFlow::Break(reason) = self.keep_time(now) {
            return Poll::Ready(reason);
        }
        let given = self.give(now, cx);
        self.inbox.note_away(self.outlet.stance() == Stance::Away);
        if let Poll::Ready(reason) = given {
            return Poll::Ready(reason);
        }
        let due = self.node.started + Duration::from_millis(self.watch.next(self.signs, self.outlet).0);
        if due < timer.deadline() || timer.is_elapsed() {
            timer.as_mut().reset(due);
        }
        if timer.poll(cx).is_ready() || self.conn.is_stirred() {
            // Set before the waker was back in the outbox, where setting the flag would have woken the task.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Handles the messages that requests have brought, as many as one turn allows.
    fn hear(&mut self) -> ControlFlow<CloseReason> {
        for _ in 0..HEARD {
            let Some(sent) = self.inbox.take_message() else {
                self.conn.holds(0);
                return ControlFlow::Continue(());
            };
            self.signs.heard_now(self.node);
            match sent {
                Sent::Text(text) => self.session.on_text(&text, &self.signs.authorized)?,
                Sent::Heartbeat => self.owes_sign = true,
                Sent::TooMuch(reason) => return ControlFlow::Break(reason),
            }
            if self.conn.outbox.waiting().is_some_and(|waiting| waiting >= MUCH) {
                break;
            }
        }
        self.conn.holds(self.inbox.bytes());
        self.conn.wake_by_ref();
        ControlFlow::Continue(())
    }

    fn keep_time(&mut self, now: u64) -> ControlFlow<CloseReason> {
        match self.watch.next(self.signs, self.outlet) {
            (due, _) if now < due => {}
            (_, Due::End(reason)) => return ControlFlow::Break(reason),
            (_, Due::Heartbeat) => {
                self.outlet.queue(HEARTBEAT.to_vec());
                self.watch.has_probed(now);
            }
        }
        ControlFlow::Continue(())
    }

    /// Gives the client what waits; after `Pending` the task's waker is in the outbox, or the task is awake.
    fn give(&mut self, now: u64, cx: &mut Context<'_>) -> Poll<CloseReason> {
        for _ in 0..TURN {
            match self.outlet.poll(now, cx) {
                Poll::Pending => return self.conn.outbox.poll_closed(cx),
                Poll::Ready(Ready::Lost) => return Poll::Ready(CloseReason::Gone),
                Poll::Ready(Ready::Lines) => {}
            }
            match self.gather(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(reason)) => return Poll::Ready(reason),
                Poll::Ready(Ok(lines)) => self.outlet.queue(lines),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The next line: what waits in the outbox, or the sign of life that is owed.
    fn gather(&mut self, cx: &Context<'_>) -> Poll<Result<Vec<u8>, CloseReason>> {
        let (mut frames, mut bytes) = (Vec::new(), 0);
        while bytes < LINE {
            let before = frames.len();
            match self.conn.outbox.poll_take(cx, &mut frames, 1) {
                Poll::Ready(Taken::Frames) => {
                    bytes += frames[before..].iter().map(|frame| frame.bytes().len()).sum::<usize>();
                }
                Poll::Ready(Taken::Closed(reason)) if frames.is_empty() => return Poll::Ready(Err(reason)),
                Poll::Pending if frames.is_empty() && !self.owes_sign => return Poll::Pending,
                Poll::Pending | Poll::Ready(Taken::Closed(_)) => break,
            }
        }
        self.owes_sign = false;
        if frames.is_empty() {
            return Poll::Ready(Ok(NO_MESSAGES.to_vec()));
        }
        let mut lines = Vec::with_capacity(bytes + bytes / 4);
        push_messages(&mut lines, &frames);
        Poll::Ready(Ok(lines))
    }
}
