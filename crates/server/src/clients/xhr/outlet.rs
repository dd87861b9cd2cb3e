//! The way to the client: the request that receives now, if any, and the lines that it has not been given yet.
//!
//! Lines are never given twice, and never to another request than the one that was given their beginning: what a request
//! has failed to deliver is lost, and so is the session then (FALLBACK-025).

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::Bytes;
use fanfare_protocol::fallback::STREAM_UNITS;
use fanfare_protocol::utf16::units;

use crate::clients::http_session::inbox::{PIECE, Receiving};
use crate::connections::{ChunkSender, Lending, PeerGone};

/// The way of one session's lines.
pub(super) struct Outlet {
    attached: Option<Attached>,
    /// While a request receives, its connection does not count; that of a poll until the next one.
    lending: Option<Lending>,
    /// Lines on their way; each part goes to one request.
    lines: VecDeque<Bytes>,
    /// Whether a piece of the first part has been given already.
    has_begun: bool,
    /// When the last request came, was given something or ended; milliseconds since the server's start.
    moved: u64,
}

/// A request that receives.
struct Attached {
    sender: ChunkSender,
    is_poll: bool,
    /// UTF-16 units given, as the client counts them.
    units: usize,
}

/// What the outlet is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// The next lines.
    Lines,
    /// Nothing: a request has failed, and what it had been given may be lost.
    Lost,
}

/// What the client does, as far as the outlet sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stance {
    /// No request receives.
    Away,
    /// A poll waits.
    Polls,
    /// A stream goes on.
    Streams,
    /// A stream has had as much as a client takes of one: the client is to ask for another (FALLBACK-018).
    Full,
}

impl Outlet {
    pub fn new(now: u64) -> Self {
        Self { attached: None, lending: None, lines: VecDeque::new(), has_begun: false, moved: now }
    }

    pub fn stance(&self) -> Stance {
        match &self.attached {
            None => Stance::Away,
            Some(Attached { is_poll: true, .. }) => Stance::Polls,
            Some(attached) if attached.is_full() && !self.has_begun => Stance::Full,
            Some(_) => Stance::Streams,
        }
    }

    /// Since when the stance and the lines have been as they are.
    pub const fn moved(&self) -> u64 {
        self.moved
    }

    /// The newest request takes over from an older one, whose answer ends (FALLBACK-025). False if lines that the older one
    /// had been given may be lost.
    pub fn attach(&mut self, receiving: Receiving, now: u64, cx: &mut Context<'_>) -> bool {
        let is_clean = self.attached.take().is_none_or(|older| !self.has_begun && older.loses_nothing(cx));
        self.moved = now;
        let Receiving { sender, lender, is_poll } = receiving;
        self.attached = Some(Attached { sender, is_poll, units: 0 });
        self.lending = Some(lender.lend());
        is_clean
    }

    /// Adds lines behind those on their way.
    pub fn queue(&mut self, lines: Vec<u8>) {
        if !lines.is_empty() {
            self.lines.push_back(Bytes::from(lines));
        }
    }

    /// Drops the lines on their way, but for those whose beginning has been given.
    pub fn give_up(&mut self) {
        self.lines.truncate(usize::from(self.has_begun));
    }

    /// Lets a stream that has had its fill have the rest: its client does not ask for another.
    pub fn overfill(&mut self) {
        if let Some(attached) = &mut self.attached {
            attached.units = 1;
        }
    }

    /// Gives the last line to a request that has no room for it; of the lines in front, only the rest of one whose beginning has
    /// been given.
    pub fn conclude(&mut self) {
        if let Some(attached) = self.attached.take() {
            let last = self.lines.pop_back().unwrap_or_default();
            self.give_up();
            let begun = self.lines.pop_front().unwrap_or_default();
            attached.sender.conclude([begun, last].concat().into());
        }
    }

    /// Gives the lines on their way, and waits until more can be given.
    pub fn poll(&mut self, now: u64, cx: &mut Context<'_>) -> Poll<Ready> {
        loop {
            let Some(attached) = &mut self.attached else { return Poll::Pending };
            match attached.sender.poll_room(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(PeerGone)) => return self.detach_broken(now),
                Poll::Ready(Ok(())) => {}
            }
            let must_wait = attached.is_full() && !self.has_begun;
            if let Some(lines) = self.lines.front_mut().filter(|_| !must_wait) {
                let piece = lines.split_to(lines.len().min(PIECE));
                self.has_begun = !lines.is_empty();
                if !self.has_begun {
                    self.lines.pop_front();
                }
                attached.units += units(&piece);
                self.moved = now;
                if attached.sender.try_send(piece).is_err() {
                    return self.detach_broken(now);
                }
                continue;
            }
            if attached.is_poll && attached.units > 0 {
                // Taken, and whole.
                self.attached = None;
                self.moved = now;
                return Poll::Pending;
            }
            if attached.sender.poll_gone(cx).is_ready() {
                return self.detach_broken(now);
            }
            return if must_wait { Poll::Pending } else { Poll::Ready(Ready::Lines) };
        }
    }

    /// The peer has gone. A client ends a stream that has had its fill, and a poll that has had nothing loses nothing.
    fn detach_broken(&mut self, now: u64) -> Poll<Ready> {
        let is_full = self.stance() == Stance::Full;
        let given = self.attached.take().is_some_and(|attached| attached.units > 0);
        self.lending = None;
        self.moved = now;
        if given && !is_full { Poll::Ready(Ready::Lost) } else { Poll::Pending }
    }

    /// Whether all lines have been given.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl Attached {
    /// Whether a client of pusher-js asks for another stream now.
    fn is_full(&self) -> bool {
        !self.is_poll && self.units > STREAM_UNITS
    }

    /// Whether the request may end now: its client has all that it was given. A client that asks for another stream may have
    /// ended a full one already.
    fn loses_nothing(&self, cx: &mut Context<'_>) -> bool {
        match self.sender.poll_room(cx) {
            _ if self.units == 0 => true,
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(PeerGone)) => self.is_full(),
            Poll::Pending => false,
        }
    }
}
