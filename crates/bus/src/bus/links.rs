//! The links of a node, by partition: what questions go through.

use std::sync::Arc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;
use redis::{Cmd, Value};
use tokio::sync::oneshot;

use crate::board::{Asking, Board};
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

    pub fn topic(&self, app: &AppId, channel: &ChannelName) -> Topic {
        self.shared.layout.topic(app, channel)
    }

    /// The place in `shared.boards` of a channel's link.
    pub fn number_of(&self, app: &AppId, channel: &ChannelName) -> usize {
        let partition = self.shared.layout.partition(app, channel);
        self.numbers.get(usize::from(partition)).copied().unwrap_or_default()
    }
}
