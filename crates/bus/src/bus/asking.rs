//! What this node asks all others, or one of them, and which nodes have died.

use std::time::Duration;

use fanfare_protocol::ids::AppId;
use tokio::time::Instant;

use super::all_nodes::{self, NodesSaid};
use super::links::BusAway;
use super::{Bus, PATIENCE};
use crate::local::NodeSubject;
use crate::lost::LostNode;

impl Bus {
    /// Asks every other node what it knows of an app from its own memory, with what the subject needs (CON-026, CON-054); those
    /// that do not answer within a second are named. A node of a release without the subject does not answer.
    ///
    /// # Errors
    /// It is not known which nodes there are, eight such questions are under way, or the question is longer than 64 KiB.
    pub async fn ask_nodes(&self, app: &AppId, asked: (NodeSubject, &[u8])) -> Result<NodesSaid, BusAway> {
        let _permit = self.to_all.try_acquire().map_err(|_| BusAway)?;
        all_nodes::ask(&self.links, app, asked, (None, Instant::now() + PATIENCE)).await
    }

    /// As [`Bus::ask_nodes`], but waits so long for the answer of the node with this id alone, which the question names: all nodes
    /// hear the question. A node that has no lease neither answers nor is named.
    ///
    /// # Errors
    /// It is not known which nodes there are, or the question is longer than 64 KiB.
    pub async fn ask_node(
        &self,
        app: &AppId,
        asked: (NodeSubject, &[u8]),
        (id, patience): (&str, Duration),
    ) -> Result<NodesSaid, BusAway> {
        let _permit = self.questions.try_acquire().map_err(|_| BusAway)?;
        all_nodes::ask(&self.links, app, asked, (Some(id), Instant::now() + patience)).await
    }

    /// The nodes that have died while this one was there, the last first; also one that has come back since.
    #[must_use]
    pub fn lost_nodes(&self) -> Vec<LostNode> {
        self.links.shared.lost.show(Instant::now())
    }
}
