//! Dead nodes: whoever hears of one takes away what it has left; any number of nodes may at once (N9).

use std::collections::{BTreeMap, VecDeque};

use fanfare_protocol::cluster::ClusterOutcome;
use fanfare_protocol::ids::AppId;

use super::{Leased, Reap};
use crate::command::{Actor, BusAnswer, BusCommand, CountRule, NodeName, Operation, Row, Status};
use crate::machine::core::{Core, Purpose};
use crate::partition::Topic;

/// Operations of a batch.
const MOST_OPERATIONS: usize = 64;

/// The moment to begin is somewhere in so many milliseconds, so that not every node does the same.
const SPREAD: u64 = 200;

impl Leased {
    /// A node was found dead.
    pub(super) fn find_dead(&mut self, core: &mut Core, node: &NodeName) {
        if !self.reaps.contains_key(node) {
            let starts = core.now + core.random(SPREAD);
            let reap = Reap {
                starts,
                cursor: 0,
                is_begun: false,
                is_busy: false,
                batches: VecDeque::new(),
                counts: BTreeMap::new(),
            };
            self.reaps.insert(node.clone(), reap);
        }
    }

    /// When the next dead node's turn is; once begun, answers are what brings it on.
    pub(super) fn next_reap(&self, now: u64) -> Option<u64> {
        self.reaps.values().map(|reap| reap.starts).filter(|starts| *starts > now).min()
    }

    /// Goes on with dead nodes, one question or batch for each at a time.
    pub fn reap_on(&mut self, core: &mut Core) {
        let mut done = Vec::new();
        for (node, reap) in &mut self.reaps {
            if reap.is_busy || reap.starts > core.now || !core.has_room() {
                continue;
            }
            if let Some((app, operations)) = reap.batches.pop_front() {
                reap.is_busy = true;
                let topic = Topic { partition: self.number, app: app.clone() };
                let purpose = Purpose::Reaping { node: node.clone(), app, sent: operations.clone() };
                let by = Actor::Reaper(node.clone());
                core.ask(self.number, purpose, BusCommand::Apply { topic, by, operations });
            } else if !reap.is_begun || reap.cursor != 0 {
                (reap.is_busy, reap.is_begun) = (true, true);
                let (partition, cursor) = (self.number, reap.cursor);
                let command = BusCommand::Rows { partition, node: node.clone(), cursor };
                core.ask(self.number, Purpose::RowsOfDead { node: node.clone() }, command);
            } else {
                done.push(node.clone());
            }
        }
        for node in done {
            self.reaps.remove(&node);
            core.numbers.nodes_reaped += 1;
            let command = BusCommand::Bye { partition: self.number, node, generation: None };
            core.ask(self.number, Purpose::Nothing, command);
        }
    }

    pub(super) fn rows_of_dead(&mut self, node: &NodeName, answer: BusAnswer) {
        let BusAnswer::Rows { rows, cursor } = answer else {
            self.reaps.remove(node);
            return;
        };
        let Some(reap) = self.reaps.get_mut(node) else { return };
        (reap.is_busy, reap.cursor) = (false, cursor);
        let mut leaves: BTreeMap<AppId, Vec<Operation>> = BTreeMap::new();
        for row in rows {
            match row {
                Row::Member { app, channel, user } => {
                    leaves.entry(app).or_default().push(Operation::Leave { channel, user });
                }
                Row::Count { app, channel } => {
                    let told = CountRule::AsStored;
                    let count =
                        Operation::Count { channel, count: 0, told, hooked: false, members_hooked: false };
                    reap.counts.entry(app).or_default().push(count);
                }
            }
        }
        let counts = if cursor == 0 { std::mem::take(&mut reap.counts) } else { BTreeMap::new() };
        for (app, operations) in leaves.into_iter().chain(counts) {
            for chunk in operations.chunks(MOST_OPERATIONS) {
                reap.batches.push_back((app.clone(), chunk.to_vec()));
            }
        }
    }

    pub(super) fn reaped(
        &mut self,
        core: &mut Core,
        node: &NodeName,
        (app, sent): (AppId, Vec<Operation>),
        answer: BusAnswer,
    ) {
        let BusAnswer::Applied { results, .. } = answer else {
            // The node is back, or another has done it; else the next beat says so.
            self.reaps.remove(node);
            return;
        };
        core.numbers.rows_reaped += sent.len() as u64;
        for (operation, result) in sent.into_iter().zip(results) {
            if let (Operation::Count { channel, .. }, Status::Told) = (operation, result.status) {
                let count = result.total.unwrap_or_default();
                core.outcome(&app, ClusterOutcome::CountTold { channel, count });
            }
        }
        if let Some(reap) = self.reaps.get_mut(node) {
            reap.is_busy = false;
        }
    }
}
