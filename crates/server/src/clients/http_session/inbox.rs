//! What the requests of a session hand to its task: messages in the order of their requests, and the newest request
//! that receives.
//!
//! Bounded in bytes. The task is woken through its [`Conn`], as by everything else that is no outgoing frame.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Wake as _, Waker};

use fanfare_hub::Conn;
use parking_lot::Mutex;

use super::away::Away;
use crate::connections::{ChunkSender, Lender};

/// Memory of a message beside its text, in bytes.
pub const OVERHEAD: usize = 64;

/// Messages that a session's task handles before other tasks get their turn.
pub const HEARD: usize = 32;

/// The largest piece that a request that receives is given at once, in bytes.
pub const PIECE: usize = 32 * 1024;

/// A request that receives: the chunks of its answer, as many as its kind has.
#[derive(Debug)]
pub struct Receiving {
    /// Takes the chunks; the answer ends when the sender is dropped.
    pub sender: ChunkSender,
    /// Lends the slot of the request's connection.
    pub lender: Lender,
    /// Whether the answer ends behind its first messages (a poll), or goes on (a stream).
    pub is_poll: bool,
}

/// Why an inbox does not take what a request brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// Too much waits for the task already.
    Full,
    /// The session is ending or has ended.
    Ended,
}

/// The inbox of one session, whose messages are `M`.
#[derive(Debug)]
pub struct Inbox<M> {
    conn: Arc<Conn>,
    /// Most bytes that wait for the task.
    most: usize,
    /// Guards everything that waits.
    waiting: Mutex<Waiting<M>>,
}

#[derive(Debug)]
struct Waiting<M> {
    messages: VecDeque<(M, usize)>,
    bytes: usize,
    receiving: Option<Receiving>,
    away: Away,
    /// Wakes a task that waits for a request that receives alone.
    waker: Option<Waker>,
    stage: Stage,
}

/// What is still taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Everything.
    Open,
    /// Requests that receive alone: messages come by another way now, or the session has ended and its client may still be
    /// told.
    Farewell,
    /// Nothing.
    Ended,
}

impl<M> Inbox<M> {
    /// An empty inbox; `most` bytes of messages may wait.
    #[must_use]
    pub fn new(conn: Arc<Conn>, most: usize, away: Away) -> Self {
        let waiting = Waiting {
            messages: VecDeque::new(),
            bytes: 0,
            receiving: None,
            away,
            waker: None,
            stage: Stage::Open,
        };
        Self { conn, most, waiting: Mutex::new(waiting) }
    }

    /// The session's connection, as other tasks see it.
    #[must_use]
    pub fn conn(&self) -> &Arc<Conn> {
        &self.conn
    }

    /// Puts in the messages of one request, each with the bytes of memory that it holds: all or none. An empty inbox takes
    /// any request: the bound of one is its transport's.
    ///
    /// # Errors
    /// The messages do not fit, or the session is ending.
    pub fn put(&self, messages: Vec<(M, usize)>) -> Result<(), NotTaken> {
        let bytes = messages.iter().map(|(_, bytes)| bytes).sum::<usize>();
        let mut waiting = self.waiting.lock();
        if waiting.stage != Stage::Open {
            return Err(NotTaken::Ended);
        }
        if waiting.bytes > 0 && waiting.bytes.saturating_add(bytes) > self.most {
            return Err(NotTaken::Full);
        }
        waiting.messages.extend(messages);
        waiting.bytes += bytes;
        drop(waiting);
        self.conn.wake_by_ref();
        Ok(())
    }

    /// Attaches a request that receives; one that the task has not seen yet is ended for it.
    ///
    /// # Errors
    /// The session has ended; the request is returned.
    pub fn attach(&self, receiving: Receiving) -> Result<(), Receiving> {
        let mut waiting = self.waiting.lock();
        if waiting.stage == Stage::Ended {
            return Err(receiving);
        }
        let older = waiting.receiving.replace(receiving);
        let waker = waiting.waker.take();
        drop(waiting);
        drop(older);
        if let Some(waker) = waker {
            waker.wake();
        }
        self.conn.wake_by_ref();
        Ok(())
    }

    /// The next message; for the session's task.
    pub fn take_message(&self) -> Option<M> {
        let mut waiting = self.waiting.lock();
        let (message, freed) = waiting.messages.pop_front()?;
        waiting.bytes -= freed;
        if waiting.messages.is_empty() {
            waiting.messages = VecDeque::new();
        }
        Some(message)
    }

    /// The request that receives from now on, if there is a new one; for the session's task.
    pub fn take_receiving(&self) -> Option<Receiving> {
        self.waiting.lock().receiving.take()
    }

    /// Waits for a request that receives; for the session's task, whose outbox has been closed.
    pub fn poll_receiving(&self, cx: &Context<'_>) -> Poll<Receiving> {
        let mut waiting = self.waiting.lock();
        match waiting.receiving.take() {
            Some(receiving) => Poll::Ready(receiving),
            None => {
                waiting.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Bytes of the messages that wait for the task.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.waiting.lock().bytes
    }

    /// Notes whether the task has no request that receives; for the session's task, after each turn: a request that was
    /// attached meanwhile counts until the task has taken it.
    pub fn note_away(&self, is_away: bool) {
        let mut waiting = self.waiting.lock();
        let is_away = is_away && waiting.receiving.is_none() && waiting.stage == Stage::Open;
        waiting.away.set(is_away);
    }

    /// Takes no more messages, because they come by another way; the task still handles those that wait.
    pub fn refuse_messages(&self) {
        let mut waiting = self.waiting.lock();
        waiting.away.set(false);
        waiting.stage = waiting.stage.max(Stage::Farewell);
    }

    /// Takes no more messages, and drops those that wait.
    pub fn say_farewell(&self) {
        self.advance(Stage::Farewell);
    }

    /// Takes nothing more in, and drops what waits.
    pub fn end(&self) {
        self.advance(Stage::Ended);
    }

    fn advance(&self, stage: Stage) {
        let mut waiting = self.waiting.lock();
        waiting.stage = waiting.stage.max(stage);
        waiting.bytes = 0;
        let messages = std::mem::take(&mut waiting.messages);
        let receiving = if stage == Stage::Ended { waiting.receiving.take() } else { None };
        drop(waiting);
        drop((messages, receiving));
    }
}

#[cfg(test)]
mod tests {
    use fanfare_hub::Budget;
    use fanfare_protocol::ids::SocketId;

    use super::*;
    use crate::clients::http_session::away::AwayBounds;
    use crate::connections::ExemptNetworks;

    fn inbox(most: usize) -> Inbox<&'static str> {
        let conn = Arc::new(Conn::new(SocketId::from_bits(1), Budget::of_each(1 << 20)));
        assert!(conn.take_stir());
        let bounds = AwayBounds::new(1, ExemptNetworks::default());
        Inbox::new(conn, most, bounds.enter([192, 0, 2, 1].into()).unwrap())
    }

    #[test]
    fn a_full_inbox_takes_nothing_until_its_task_has_taken_something() {
        let inbox = inbox(100);
        assert_eq!(inbox.put(vec![("a", 20), ("b", 40)]), Ok(()));
        assert!(inbox.conn.take_stir(), "the task is woken");
        assert_eq!(inbox.put(vec![("c", 41)]), Err(NotTaken::Full));
        assert_eq!((inbox.take_message(), inbox.bytes()), (Some("a"), 40));
        assert_eq!(inbox.put(vec![("c", 41)]), Ok(()));
        assert_eq!((inbox.take_message(), inbox.bytes()), (Some("b"), 41));
        assert_eq!((inbox.take_message(), inbox.bytes()), (Some("c"), 0));
        assert_eq!(inbox.take_message(), None);
    }

    #[test]
    fn one_request_as_large_as_allowed_elsewhere_fits_an_empty_inbox() {
        let inbox = inbox(100);
        assert_eq!(inbox.put(vec![("a", 1000)]), Ok(()));
        assert_eq!(inbox.put(vec![("b", 1)]), Err(NotTaken::Full));
    }

    #[test]
    fn an_inbox_that_refuses_messages_keeps_those_that_wait() {
        let inbox = inbox(100);
        inbox.put(vec![("a", 60)]).unwrap();
        inbox.refuse_messages();
        assert_eq!(inbox.put(vec![("b", 1)]), Err(NotTaken::Ended));
        assert_eq!((inbox.take_message(), inbox.take_message()), (Some("a"), None));
    }

    #[test]
    fn a_session_that_ends_takes_no_messages_and_frees_those_that_wait() {
        let inbox = inbox(100);
        inbox.put(vec![("a", 60)]).unwrap();
        inbox.say_farewell();
        assert_eq!((inbox.take_message(), inbox.bytes()), (None, 0));
        assert_eq!(inbox.put(vec![("b", 1)]), Err(NotTaken::Ended));
        inbox.end();
        assert_eq!(inbox.put(Vec::new()), Err(NotTaken::Ended));
    }
}
