//! What was sent to the subscribers of one channel, for those who come back: the last frames, each with a serial, and the
//! runs of serials that each subscription got (RES-005 … RES-012).
//!
//! Called under the lock of the channel's shard, as the channel itself. What does not fit is not kept, the oldest first:
//! a resume that needs it is incomplete, never wrong.

mod brought;
mod entry;
mod missed;
mod newcomers;
mod runs;

use std::collections::VecDeque;
use std::sync::Arc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;

use self::brought::Brought;
use self::entry::Entry;
use self::newcomers::Newcomers;
use self::runs::{Run, Runs, Tail};
use crate::conn::{Sockets, give_back, has_outgrown};
use crate::resume::{Former, ResumeMistake, Rings, Since};

pub(super) use self::missed::Missed;
pub(super) use self::newcomers::Expected;
pub use self::newcomers::MissedElsewhere;

/// Estimated bytes of an ended subscription: its place in the table, and its part of the connection's record.
const ENDED: usize = 256;

/// Estimated bytes of a channel, with its ring, that may be there for ended subscriptions alone; beside its name.
const CHANNEL: usize = 736;

/// Most sockets of one client whose own events are known in what was replayed; of more, a replay has several runs.
const MOST_OWN: usize = 64;

/// Places for frames that a ring begins with.
const FIRST_SLOTS: usize = 4;

/// The ring of one channel.
#[derive(Debug)]
pub(super) struct Ring {
    rings: Arc<Rings>,
    /// The serial of the oldest entry, or the next serial.
    first: u64,
    entries: VecDeque<Entry>,
    /// The entry of the event that the channel keeps as its last, if the ring had it.
    kept: Option<u64>,
    /// The runs of all subscriptions, acknowledged or ended.
    subscribed: Sockets<Runs>,
    /// Number of ended subscriptions.
    ended: usize,
    /// Bytes of the channel, which count while there are ended subscriptions.
    of_channel: usize,
    /// Subscribers who wait for their acknowledgement.
    newcomers: Newcomers,
    /// The subscriptions that keep what another node has brought, and since when, the oldest first.
    brought: VecDeque<(u64, SocketId)>,
}

impl Ring {
    pub(super) fn new(rings: Arc<Rings>, channel: &ChannelName) -> Self {
        Self {
            rings,
            first: 0,
            entries: VecDeque::new(),
            kept: None,
            subscribed: Sockets::default(),
            ended: 0,
            of_channel: CHANNEL + channel.as_str().len(),
            newcomers: Newcomers::default(),
            brought: VecDeque::new(),
        }
    }

    /// The serial of the next frame.
    fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Notes an event of this node, or of the other one, for all subscribers; returns the frame to be sent, whose memory is
    /// exactly counted.
    pub(super) fn note_event(&mut self, frame: &Frame, except: Option<SocketId>, node: Option<u64>) -> Frame {
        let frame = frame.to_counted();
        self.newcomers.note(self.next(), node);
        self.push(Some(&frame), except);
        let except = except.filter(|_| !ResumeMistake::ExclusionsCount.is_made());
        if let Some(runs) = except.and_then(|except| self.subscribed.get_mut(&except)) {
            runs.exclude();
        }
        frame
    }

    /// The last event was not sent to the subscribers for whom `is_left_out`, the ended ones too, besides the excluded one.
    pub(super) fn leave_out_of_last(
        &mut self,
        except: Option<SocketId>,
        is_left_out: impl Fn(&SocketId) -> bool,
    ) {
        let end = self.next();
        let is_left_out = |socket: &SocketId| Some(*socket) != except && is_left_out(socket);
        for (_, runs) in self.subscribed.iter_mut().filter(|(socket, _)| is_left_out(socket)) {
            runs.leave_out(end - 1, end);
        }
    }

    /// The last event is the one that the channel keeps.
    pub(super) fn has_kept_last(&mut self) {
        self.kept = self.next().checked_sub(1);
    }

    /// Notes frames for all subscribers that are not replayed.
    pub(super) fn note_passing(&mut self, frames: usize) {
        for _ in 0..frames {
            self.push(None, None);
        }
    }

    /// The last frames were not sent to this subscriber.
    pub(super) fn leave_out(&mut self, socket: &SocketId, frames: u64) {
        let end = self.next();
        if let Some(runs) = self.subscribed.get_mut(socket) {
            runs.leave_out(end - frames, end);
        }
    }

    /// Notes a frame for one subscriber alone.
    pub(super) fn note_alone(&mut self, socket: &SocketId) {
        let next = self.next();
        if let Some(runs) = self.subscribed.get_mut(socket) {
            runs.add_alone(next);
        }
    }

    fn push(&mut self, frame: Option<&Frame>, except: Option<SocketId>) {
        while self.entries.len() >= self.rings.most_entries() && self.drop_oldest() {}
        let of_frame = frame.map_or(0, Frame::exact_bytes);
        loop {
            let slots = self.entries.capacity();
            let more = if self.entries.len() == slots { slots.max(FIRST_SLOTS) } else { 0 };
            if self.rings.take(of_frame + more * size_of::<Entry>(), of_frame) {
                self.entries.reserve_exact(more);
                let at = self.rings.now();
                self.entries.push_back(Entry { frame: frame.cloned(), except, at });
                return;
            }
            if !self.drop_oldest() {
                self.first += 1;
                return;
            }
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.entries.pop_front() else { return false };
        self.first += 1;
        let of_frame = oldest.frame.as_ref().map_or(0, Frame::exact_bytes);
        self.rings.give_back(of_frame, of_frame);
        true
    }

    pub(super) const fn newcomers(&self) -> &Newcomers {
        &self.newcomers
    }

    pub(super) const fn newcomers_mut(&mut self) -> &mut Newcomers {
        &mut self.newcomers
    }

    /// Milliseconds for which frames are kept.
    pub(super) fn age(&self) -> u64 {
        self.rings.age()
    }

    /// The subscription is acknowledged, and the subscriber has got what it missed, before that perhaps what the channel
    /// keeps, or word that nothing is kept.
    pub(super) fn begin(&mut self, socket: SocketId, kept: Option<Option<&Frame>>, missed: Option<&Missed>) {
        let mut runs = Runs::new(self.next());
        runs.begin_with(
            kept.map(|kept| kept.and_then(|frame| self.place_of_kept(frame)).map_or(Run::alone(1), Run::one)),
        );
        if let Some(brought) = missed.map(Missed::brought).filter(|brought| !brought.is_empty()) {
            runs.begin_with([Run::brought(brought.len() as u64)]);
            runs.set_brought(Brought::keep(&self.rings, brought));
            self.brought.push_back((self.rings.now(), socket));
        }
        if let Some(missed) = missed.filter(|missed| !missed.runs.is_empty()) {
            runs.begin_with(missed.runs.iter().copied());
            runs.set_own(missed.own.as_slice().into());
        }
        if let Some(missed) = missed {
            self.rings.count_answer(missed.is_complete);
            if !missed.is_complete {
                runs.tell_incomplete(self.next());
            }
        }
        self.subscribed.insert(socket, runs);
    }

    /// An acknowledged subscriber is told next that something may be missing.
    pub(super) fn tell_incomplete(&mut self, socket: &SocketId) {
        let next = self.next();
        self.rings.count_answer(false);
        if let Some(runs) = self.subscribed.get_mut(socket) {
            runs.tell_incomplete(next);
        }
    }

    /// The serial of the kept event, if the ring has the event.
    fn place_of_kept(&self, frame: &Frame) -> Option<u64> {
        let is_same = |entry: &Entry| entry.frame.as_ref().is_some_and(|kept| kept.bytes() == frame.bytes());
        self.kept.filter(|serial| self.entry(*serial).is_some_and(is_same))
    }

    /// The subscription has ended; with an expiry, its client may come back.
    pub(super) fn end(&mut self, socket: SocketId, until: Option<u64>) {
        self.newcomers.forget(socket);
        let next = self.next();
        let of_channel = if self.ended == 0 { self.of_channel } else { 0 };
        let ended = until.zip(self.subscribed.get_mut(&socket)).is_some_and(|(until, runs)| {
            let bytes = ENDED + runs.bytes();
            let is_kept = self.rings.take(bytes + of_channel, 0);
            if is_kept {
                runs.end(next, until, bytes);
            }
            is_kept
        });
        if ended {
            self.ended += 1;
        } else {
            self.subscribed.remove(&socket);
            give_back(&mut self.subscribed);
        }
    }

    /// Whether a client may come back who has left nobody else here.
    pub(super) const fn is_awaited(&self) -> bool {
        self.ended > 0
    }

    /// Whether this client may come back.
    pub(super) fn awaits(&self, socket: SocketId) -> bool {
        self.subscribed.get(&socket).is_some_and(|runs| runs.ended().is_some())
    }

    /// What the client missed, for its new connection (RES-006, RES-009).
    pub(super) fn missed(&self, since: &Since, newcomer: SocketId) -> Missed {
        since
            .former
            .as_ref()
            .and_then(|former| self.missed_of(former, since.count, newcomer))
            .unwrap_or_default()
    }

    fn missed_of(&self, former: &Former, count: u64, newcomer: SocketId) -> Option<Missed> {
        let runs = self.subscribed.get(&former.socket)?;
        if runs.ended().is_some_and(|ended| ended.until <= self.rings.now()) {
            return None;
        }
        let lost: Vec<(Run, u64)> = runs.after(count, self.next())?.collect();
        let mut own = vec![newcomer, former.socket];
        own.extend(&former.others);
        let left_out = own.len();
        if lost.iter().any(|(run, _)| run.is_replayed) && left_out + runs.own().len() <= MOST_OWN {
            own.extend(runs.own().iter().filter(|socket| **socket != former.socket));
        }
        let mut missed = Missed { is_complete: true, own, ..Missed::default() };
        for (run, lost) in lost {
            let belongs = |entry: &Entry| match run.is_replayed {
                true => entry.frame.is_some() && !entry.excludes(runs.own()),
                false => !entry.excludes(&[former.socket]),
            };
            let (first, end, has_others) = match run.tail(lost) {
                Tail::Alone => continue,
                Tail::Brought => {
                    missed.bring(runs.brought(lost)?);
                    continue;
                }
                Tail::All { first, end } => (first, end, false),
                Tail::Some { first, end } => (self.last_that(belongs, first, end, lost)?, end, true),
            };
            while missed.reach < first
                && self.entry(missed.reach).is_some_and(|entry| missed.passes_over(entry))
            {
                missed.reach += 1;
            }
            for serial in first..end {
                let entry = self.entry(serial)?;
                let is_replayed = !entry.excludes(&missed.own[..left_out]) && (!has_others || belongs(entry));
                missed.add(serial, entry, is_replayed);
            }
        }
        Some(missed)
    }

    /// What the client missed, of which another node has said the first part; the rest are these serials of this ring.
    pub(super) fn missed_elsewhere(
        &self,
        found: &MissedElsewhere,
        noted: &[u64],
        newcomer: SocketId,
    ) -> Option<Missed> {
        let mut own = vec![newcomer];
        own.extend(found.own.iter().take(MOST_OWN));
        let mut missed = Missed { is_complete: true, own, ..Missed::default() };
        missed.bring(&found.frames.iter().map(Frame::to_counted).collect::<Vec<_>>());
        for serial in noted {
            let entry = self.entry(*serial)?;
            let frame = entry.frame.as_ref().filter(|_| !entry.excludes(&missed.own));
            missed.bring(frame.map_or(&[], std::slice::from_ref));
        }
        Some(missed)
    }

    /// The serial from which on there are so many entries that belong to a run.
    fn last_that(&self, belongs: impl Fn(&Entry) -> bool, first: u64, end: u64, lost: u64) -> Option<u64> {
        let mut left = lost;
        for serial in (first..end).rev() {
            left -= u64::from(belongs(self.entry(serial)?));
            if left == 0 {
                return Some(serial);
            }
        }
        None
    }

    fn entry(&self, serial: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(serial.checked_sub(self.first)?).ok()?)
    }

    /// Drops frames that were sent before, and the ended subscriptions that have expired, which are returned; all of them if
    /// there is no `before`.
    pub(super) fn sweep(&mut self, before: Option<u64>, now: u64) -> Vec<SocketId> {
        self.drop_before(before.unwrap_or(u64::MAX));
        let mut gone = Vec::new();
        if self.ended == 0 {
            return gone;
        }
        self.subscribed.retain(|socket, runs| {
            let expired = runs.ended().filter(|ended| ended.until <= now || before.is_none());
            if let Some(expired) = expired {
                self.rings.give_back(expired.bytes, 0);
                gone.push(*socket);
            }
            expired.is_none()
        });
        self.ended -= gone.len();
        if self.ended == 0 {
            self.rings.give_back(self.of_channel, 0);
        }
        give_back(&mut self.subscribed);
        gone
    }

    /// Drops frames that were sent before.
    pub(super) fn drop_before(&mut self, before: u64) {
        while self.entries.front().is_some_and(|oldest| oldest.at < before) {
            self.drop_oldest();
        }
        while let Some((_, socket)) = self.brought.pop_front_if(|(at, _)| *at < before) {
            if let Some(runs) = self.subscribed.get_mut(&socket) {
                runs.set_brought(None);
            }
        }
        let slots = self.entries.capacity();
        if self.entries.is_empty() || has_outgrown(self.entries.len(), slots) {
            self.entries.shrink_to_fit();
            self.rings.give_back((slots - self.entries.capacity()) * size_of::<Entry>(), 0);
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        while self.drop_oldest() {}
        let of_ended: usize = self.subscribed.values().filter_map(Runs::ended).map(|ended| ended.bytes).sum();
        let of_channel = if self.ended > 0 { self.of_channel } else { 0 };
        self.rings.give_back(self.entries.capacity() * size_of::<Entry>() + of_ended + of_channel, 0);
    }
}
