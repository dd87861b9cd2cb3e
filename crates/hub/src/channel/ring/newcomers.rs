//! Subscribers who wait for their acknowledgement: what they had got before, and what comes while another node is asked
//! what they missed (RES-014).
//!
//! The node that a client was connected to (A) has noted what the client missed. The node that the client has come to (B) asks
//! A, and A answers, with two messages through the topic of the channel; Redis gives every node the messages of a topic in one
//! order. Each event has to come to the client once, either with the answer or on B. Where the client's app resumes, a node
//! delivers an event of its own and queues the message to other nodes in one step under the shard's lock, so in one order.
//! With that, for each node that publishes:
//!
//! - **B itself.** B queues the question, and begins to note its own events, in one step under the lock. An own event before
//!   that step is before the question in the topic, so A has heard the event, and the answer holds it. One after the step is
//!   noted here; A hears it behind the question, and has answered.
//! - **A.** A reads its ring and queues the answer in one step under the lock. An own event of A before that step is in the
//!   answer, and here before the answer: so what is heard of A before the answer is left out. One after the step comes behind
//!   the answer, and is live here.
//! - **Any other node.** What is in the topic before the question was heard by A before, so the answer holds it, and what is
//!   heard here before the question comes back is left out. What is behind the question is noted here, and not in the answer.
//!
//! The events of one publisher stay in order: those in the answer are before those noted here, and both before the live ones.
//! An event that does not get to Redis, or does not come from there, may be missing on A or here: a node that knows of such a
//! loss in the time in question neither asks nor answers, nor accepts an answer. Without an answer in time, without the
//! question heard before the answer, or without the noted events in the ring, the resume is incomplete. What has no place in
//! the topic is not resumed this way: cache channels, whose events go another way, and apps with events that every node hears
//! by itself. Not known here, and so not excluded: that a third node has lost an event on its way to all others, which
//! subscribers of all others have lost as well.

use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::resume::ResumeToken;

use crate::conn::{Sockets, give_back};
use crate::resume::Since;

/// Most events that are noted for one newcomer; of more, its resume is incomplete.
const MOST_NOTED: usize = 4096;

/// Most events that are noted for all newcomers of a channel together; whose is one too many, has an incomplete resume.
const MOST_NOTED_IN_ALL: usize = 1 << 18;

/// What a client missed, as the node knows that the client was connected to.
#[derive(Clone, Debug, Default)]
pub struct MissedElsewhere {
    /// The client's former connections.
    pub own: Vec<SocketId>,
    /// The events, in order.
    pub frames: Vec<Frame>,
}

/// The newcomers of a channel.
#[derive(Debug, Default)]
pub(in crate::channel) struct Newcomers {
    waiting: Sockets<Newcomer>,
    /// Events that are noted, for all of them.
    noted: usize,
}

#[derive(Debug)]
struct Newcomer {
    since: Since,
    asking: Option<Asking>,
}

/// Another node is asked.
#[derive(Debug)]
struct Asking {
    question: u64,
    /// The question has come back through the topic.
    is_heard: bool,
    /// There was no room for the events.
    is_cut: bool,
    noted: Vec<Noted>,
    /// The answer, and the node that has answered.
    found: Option<(u64, MissedElsewhere)>,
}

/// An event that was delivered here since the question, by its serial.
#[derive(Clone, Copy, Debug)]
struct Noted {
    serial: u64,
    /// The node that has published the event; `None` for this one.
    node: Option<u64>,
}

/// What a newcomer came back with.
#[derive(Debug)]
pub(in crate::channel) enum Expected {
    /// What this node is to look up.
    Here(Since),
    /// What another node has said, and the serials of what has come here since.
    Elsewhere(MissedElsewhere, Vec<u64>),
}

impl Newcomers {
    /// What a client comes back with, who waits for an acknowledgement; too late for one about whom another node is asked.
    pub(in crate::channel) fn expect(&mut self, socket: SocketId, since: Since) {
        if !self.is_asking(&socket) {
            self.waiting.insert(socket, Newcomer { since, asking: None });
        }
    }

    pub(super) fn forget(&mut self, socket: SocketId) {
        if let Some(gone) = self.waiting.remove(&socket) {
            self.noted -= gone.asking.map_or(0, |asking| asking.noted.len());
            give_back(&mut self.waiting);
        }
    }

    /// What a newcomer came back with.
    pub(in crate::channel) fn take(&mut self, socket: SocketId) -> Option<Expected> {
        let Newcomer { since, asking } = self.waiting.remove(&socket)?;
        self.noted -= asking.as_ref().map_or(0, |asking| asking.noted.len());
        let found = asking.and_then(|asking| Some((asking.found?, asking.noted)));
        Some(match found {
            Some(((node, found), noted)) => {
                let noted = noted.into_iter().filter(|noted| noted.node != Some(node));
                Expected::Elsewhere(found, noted.map(|noted| noted.serial).collect())
            }
            None => Expected::Here(since),
        })
    }

    /// The token and the count of a newcomer about whom another node is to be asked.
    pub(in crate::channel) fn to_ask(&self, socket: &SocketId) -> Option<(ResumeToken, u64)> {
        let newcomer = self.waiting.get(socket).filter(|newcomer| newcomer.asking.is_none())?;
        Some((newcomer.since.elsewhere?, newcomer.since.count))
    }

    /// Whether a newcomer waits for what another node says.
    pub(in crate::channel) fn is_asking(&self, socket: &SocketId) -> bool {
        self.waiting.get(socket).is_some_and(|newcomer| newcomer.asking.is_some())
    }

    /// Another node is asked about a newcomer; without a question, none is.
    pub(in crate::channel) fn ask(&mut self, socket: &SocketId, question: Option<u64>) {
        let Some(newcomer) = self.waiting.get_mut(socket) else { return };
        newcomer.since.elsewhere = None;
        let asking =
            |question| Asking { question, is_heard: false, is_cut: false, noted: Vec::new(), found: None };
        newcomer.asking = question.map(asking);
    }

    /// Notes an event that subscribers have got now, for those who are going to be subscribers.
    pub(super) fn note(&mut self, serial: u64, node: Option<u64>) {
        for asking in self.waiting.values_mut().filter_map(|newcomer| newcomer.asking.as_mut()) {
            if asking.is_cut || node.is_some() && !asking.is_heard {
                continue;
            }
            if asking.noted.len() < MOST_NOTED && self.noted < MOST_NOTED_IN_ALL {
                asking.noted.push(Noted { serial, node });
                self.noted += 1;
            } else {
                asking.is_cut = true;
                self.noted -= std::mem::take(&mut asking.noted).len();
            }
        }
    }

    /// A question has come back through the topic.
    pub(in crate::channel) fn hear(&mut self, socket: &SocketId, question: u64) {
        if let Some(asking) = self.asking(socket, question) {
            asking.is_heard = true;
        }
    }

    /// Takes the answer to a question; false if nobody waits for that answer.
    pub(in crate::channel) fn answer(
        &mut self,
        socket: &SocketId,
        question: u64,
        found: Option<(u64, MissedElsewhere)>,
    ) -> bool {
        let Some(asking) = self.asking(socket, question) else { return false };
        let is_whole = asking.is_heard && !asking.is_cut;
        asking.found = found.filter(|_| is_whole);
        true
    }

    fn asking(&mut self, socket: &SocketId, question: u64) -> Option<&mut Asking> {
        let asking = self.waiting.get_mut(socket)?.asking.as_mut();
        asking.filter(|asking| asking.question == question)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many newcomers about whom another node is asked.
    fn asking(count: u64) -> Newcomers {
        let mut newcomers = Newcomers::default();
        for number in 0..count {
            let socket = SocketId::from_bits(number);
            newcomers.expect(socket, Since { former: None, elsewhere: None, count: 0 });
            newcomers.ask(&socket, Some(number));
            newcomers.hear(&socket, number);
        }
        newcomers
    }

    fn held(newcomers: &Newcomers) -> usize {
        let asking = newcomers.waiting.values().filter_map(|newcomer| newcomer.asking.as_ref());
        asking.map(|asking| asking.noted.capacity()).sum()
    }

    /// Whether the answer of another node makes the newcomer's resume, and how many events come behind.
    fn resumed(newcomers: &mut Newcomers, number: u64) -> Option<usize> {
        let socket = SocketId::from_bits(number);
        assert!(newcomers.answer(&socket, number, Some((7, MissedElsewhere::default()))));
        match newcomers.take(socket) {
            Some(Expected::Elsewhere(_, noted)) => Some(noted.len()),
            _ => None,
        }
    }

    #[test]
    fn res_012_so_many_events_are_noted_for_a_newcomer_and_for_all_together() {
        let mut newcomers = asking(1);
        (0..=MOST_NOTED as u64).for_each(|serial| newcomers.note(serial, None));
        assert_eq!((held(&newcomers), resumed(&mut newcomers, 0)), (0, None));
        const CROWD: u64 = 1000;
        let mut newcomers = asking(CROWD);
        let each = MOST_NOTED_IN_ALL as u64 / CROWD;
        (0..each).for_each(|serial| newcomers.note(serial, Some(1)));
        assert_eq!(resumed(&mut newcomers, 0), Some(each as usize));
        (each..2 * each).for_each(|serial| newcomers.note(serial, None));
        assert!(newcomers.noted <= MOST_NOTED_IN_ALL && held(&newcomers) <= 4 * MOST_NOTED_IN_ALL);
        let complete = (1..CROWD).filter_map(|number| resumed(&mut newcomers, number)).count() as u64;
        assert!(complete > 0 && complete < CROWD - 1, "{complete} of {CROWD}");
        assert_eq!(newcomers.noted, 0, "all room is given back");
    }
}
