//! What a client has missed on the node that it was connected to before: the question to that node, which goes through the
//! topic of the channel, behind the events of this node (RES-014).
//!
//! Nothing waits: the answer is heard among the events, and whoever asks has the deadline.

use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, SocketId};
use fanfare_protocol::resume::{ResumeToken, tag_of};

use super::Bus;
use super::links::Links;
use crate::local::AskedMissed;
use crate::message::{CameBackNote, EventKind, EventMessage, MissedQuestion};

/// Most bytes that may wait in a queue of events for an answer to go behind them: answers take no room from events.
const MOST_WAITING: usize = 8 << 20;

/// Answers of this node go through the topic, behind its events.
pub(super) fn answer_by(links: &Links) {
    let (reaching, weak) = (&links.shared.reaching, Arc::downgrade(&links.shared));
    let numbers = links.clone_numbers();
    reaching.send_missed_by(move |topic, message| {
        let Some(shared) = weak.upgrade() else { return };
        let links = Links::with(shared, Arc::clone(&numbers));
        if let Some(board) = links.board(topic.partition).filter(|board| board.events.held().1 < MOST_WAITING)
        {
            // Without room there is no answer.
            board.events.push(topic.clone(), message);
        }
    });
}

impl Bus {
    /// The bits of this node that its tokens begin with.
    #[must_use]
    pub fn tag(&self) -> u32 {
        tag_of(self.links.shared.node.id)
    }

    /// The token, as given out by this node.
    #[must_use]
    pub fn own_token(&self, token: ResumeToken) -> ResumeToken {
        token.of_node(self.links.shared.node.id)
    }

    /// Whether another node that lives, as far as is known, has given out the token.
    #[must_use]
    pub fn knows(&self, token: ResumeToken) -> bool {
        token.tag() != self.tag() && self.links.shared.tags.read().contains(&token.tag())
    }

    /// Asks the node that has given out the token what its client has missed; the answer comes by
    /// [`Local::heard_missed`](crate::Local::heard_missed), behind the question itself, if it comes. False if the question is
    /// not asked.
    ///
    /// What this node publishes on the channel before goes before the question, if each event was given to the bus before.
    #[must_use]
    pub fn ask_missed(&self, app: &AppId, channel: &ChannelName, number: u64, asked: AskedMissed) -> bool {
        let topic = self.links.topic(app, channel);
        let Some(board) = self.links.board(topic.partition).filter(|board| board.is_up()) else {
            return false;
        };
        let message = EventMessage {
            kind: EventKind::AskMissed,
            flags: 0,
            node: self.links.shared.node.id,
            number: 0,
            except: Some(asked.newcomer),
            channel: channel.as_str(),
            text: &MissedQuestion { number, asked }.write(),
        };
        board.events.push(topic, message.write())
    }

    /// Tells the node that has given out the token that its client has come here; nobody waits.
    pub fn came_back(&self, app: &AppId, token: ResumeToken, newcomer: SocketId) {
        self.links.tell_all(EventKind::CameBack, app, &CameBackNote { token, newcomer }.write());
    }

    /// Whether no event of the channel's topic was lost for so long, on its way from or to this node, as far as this node
    /// knows.
    #[must_use]
    pub fn is_whole_for(&self, app: &AppId, channel: &ChannelName, age: Duration) -> bool {
        let topic = self.links.topic(app, channel);
        self.links.board(topic.partition).is_some_and(|board| board.is_whole_for(age))
    }
}
