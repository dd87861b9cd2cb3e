//! The answers to a client's Ping frames, which cost the client two bytes each to ask for.
//!
//! A few answers wait in the outbox like any frame. Of further answers only the newest is kept (RFC 6455 5.5.3).

use fanfare_protocol::frame::Frame;

/// Answers that wait in the queue at most.
const MOST_QUEUED: usize = 16;

/// Pings since the queue was empty, from which on a client counts as a slow consumer.
const MOST: usize = 1024;

/// Pings since the outbox was last empty.
#[derive(Debug, Default)]
pub(super) struct Pongs {
    asked: usize,
    /// The answer that goes out when the queue is empty.
    pub(super) newest: Option<Frame>,
}

/// Where an answer belongs.
pub(super) enum PongFate {
    /// Behind the queued frames.
    Queue(Frame),
    /// In place of the answer before.
    Kept,
    /// Nowhere: the client does not read.
    TooMany,
}

impl Pongs {
    pub(super) fn add(&mut self, pong: Frame) -> PongFate {
        self.asked += 1;
        if self.asked <= MOST_QUEUED {
            return PongFate::Queue(pong);
        }
        if self.asked > MOST {
            return PongFate::TooMany;
        }
        self.newest = Some(pong);
        PongFate::Kept
    }
}
