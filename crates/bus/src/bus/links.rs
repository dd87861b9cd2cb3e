//! The links of a node, by partition: what questions go through.

use std::sync::Arc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;
use redis::{Cmd, Value, cmd};
use tokio::sync::oneshot;

use crate::board::{Asking, Board};
use crate::message::{EventKind, EventMessage};
use crate::partition::{Partition, Topic};
use crate::shared::Shared;

/// Redis does not answer in time, this node is out of touch with it, or too many questions wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the nodes of the cluster cannot be asked at the moment")]
pub struct BusAway;

/// All links.
#[derive(Clone)]
pub(crate) struct Links {
    pub shared: Arc<Shared>,
    /// The place in `shared.boards` of each partition's link.
    numbers: Arc<[usize]>,
}

impl Links {
    pub fn new(shared: Arc<Shared>, numbers: Vec<usize>) -> Self {
        Self { shared, numbers: numbers.into() }
    }

    /// The links of a part that holds them weakly.
    pub const fn with(shared: Arc<Shared>, numbers: Arc<[usize]>) -> Self {
        Self { shared, numbers }
    }

    pub fn clone_numbers(&self) -> Arc<[usize]> {
        Arc::clone(&self.numbers)
    }

    pub fn board(&self, partition: Partition) -> Option<&Arc<Board>> {
        self.shared.boards.get(*self.numbers.get(usize::from(partition))?)
    }

    /// Sends commands over the link of a partition, and waits for their answers.
    pub async fn command(
        &self,
        partition: Partition,
        behind: Option<AppId>,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Value>, BusAway> {
        let board = self.board(partition).filter(|board| board.is_up()).ok_or(BusAway)?;
        let (answer, answered) = oneshot::channel();
        board.inbox.question(Asking::new(commands, behind, Some(answer)));
        answered.await.map_err(|_| BusAway)
    }

    /// A message for every node.
    pub fn control(&self, kind: EventKind, app: &AppId, text: &[u8]) -> Cmd {
        self.publish(&self.shared.layout.control_topic(), &self.message(kind, app.as_str(), text))
    }

    /// A message of this node that has no number.
    pub fn message(&self, kind: EventKind, channel: &str, text: &[u8]) -> Vec<u8> {
        let node = self.shared.node.id;
        EventMessage { kind, flags: 0, node, number: 0, except: None, channel, text }.write()
    }

    /// Publishes a message under a topic of the first partition.
    pub fn publish(&self, topic: &str, message: &[u8]) -> Cmd {
        let is_sharded = self.board(0).is_some_and(|board| board.is_sharded);
        let mut command = cmd(if is_sharded { "SPUBLISH" } else { "PUBLISH" });
        command.arg(topic).arg(message);
        command
    }

    /// Tells every node; nobody waits.
    pub fn tell_all(&self, kind: EventKind, app: &AppId, text: &[u8]) {
        self.say(0, self.control(kind, app, text));
    }

    /// Sends a command over the link of a partition, if the link is up; nobody waits.
    pub fn say(&self, partition: Partition, command: Cmd) {
        if let Some(board) = self.board(partition).filter(|board| board.is_up()) {
            board.inbox.question(Asking::new(vec![command], None, None));
        }
    }

    pub fn topic(&self, app: &AppId, channel: &ChannelName) -> Topic {
        self.shared.layout.topic(app, channel)
    }

    /// The place in `shared.boards` of a channel's link.
    pub fn number_of(&self, app: &AppId, channel: &ChannelName) -> usize {
        let partition = self.shared.layout.partition(app, channel);
        self.numbers.get(usize::from(partition)).copied().unwrap_or_default()
    }
}
