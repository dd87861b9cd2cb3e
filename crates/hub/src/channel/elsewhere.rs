//! Clients that were connected to another node: a newcomer waits until that node has said what the newcomer missed, and this
//! node says so of clients that have gone to another (RES-014).
//!
//! Why every event comes once, whichever node publishes it: `ring::newcomers`.

use fanfare_protocol::ids::SocketId;

use super::Channel;
use super::member::Member;
use super::ring::MissedElsewhere;
use crate::resume::Since;
use crate::sharing::{InCluster, QuestionElsewhere};

impl Channel {
    /// Whether a newcomer cannot be acknowledged, because another node is asked or to be asked.
    pub(super) fn has_to_ask(&self, newcomer: SocketId) -> bool {
        let newcomers = self.ring().map(|ring| ring.newcomers());
        newcomers.is_some_and(|known| known.is_asking(&newcomer) || known.to_ask(&newcomer).is_some())
    }

    /// Asks about newcomers that were not asked about yet; returns those who need not wait.
    pub(super) fn ask_elsewhere(
        &mut self,
        members: impl IntoIterator<Item = Member>,
        at: &InCluster<'_>,
    ) -> Vec<Member> {
        let mut ready = Vec::new();
        for member in members {
            let newcomer = member.conn.id;
            self.ask_about(newcomer, at);
            let has_to_wait = self.has_to_ask(newcomer);
            match self.copy.as_mut().filter(|_| has_to_wait) {
                Some(copy) => copy.begin_waiting(member),
                None => ready.push(member),
            }
        }
        ready
    }

    /// Queues the question behind all that this node has published, and notes what comes from now on.
    fn ask_about(&mut self, newcomer: SocketId, at: &InCluster<'_>) {
        let (channel, sharing) = (self.name.clone(), at.sharing);
        let Some(ring) = self.ring_mut() else { return };
        let Some((token, count)) = ring.newcomers().to_ask(&newcomer) else { return };
        let (app, number, age) = (at.app, sharing.next_number(), ring.age());
        let question = QuestionElsewhere { app, channel: &channel, number, token, count, newcomer, age };
        let is_asked = !channel.is_cached() && sharing.topics().ask_missed(question);
        ring.newcomers_mut().ask(&newcomer, is_asked.then_some(number));
    }

    /// A question of this node has come back through the topic.
    pub(crate) fn hear_question(&mut self, newcomer: SocketId, question: u64) {
        if let Some(ring) = self.ring_mut() {
            ring.newcomers_mut().hear(&newcomer, question);
        }
    }

    /// Acknowledges a newcomer about whom another node was asked; without an answer of a node, something may be missing.
    pub(crate) fn answer_missed(
        &mut self,
        newcomer: SocketId,
        question: u64,
        found: Option<(u64, MissedElsewhere)>,
        at: &InCluster<'_>,
    ) {
        let newcomers = self.ring_mut().map(|ring| ring.newcomers_mut());
        let is_awaited = newcomers.is_some_and(|known| known.answer(&newcomer, question, found));
        if let Some(copy) = self.copy.as_mut().filter(|_| is_awaited) {
            let members = copy.end_waiting(&[newcomer]);
            self.acknowledge_now(members, at);
        }
    }

    /// What a client of this node missed, who has come to another; `None` if this node cannot say.
    pub(crate) fn missed_here(&self, since: &Since, newcomer: SocketId) -> Option<MissedElsewhere> {
        let missed = self.ring().filter(|_| !self.name.is_cached())?.missed(since, newcomer);
        let own = missed.own().to_vec();
        missed.is_complete.then_some(MissedElsewhere { own, frames: missed.frames })
    }
}
