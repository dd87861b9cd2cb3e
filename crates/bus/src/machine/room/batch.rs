//! What is said next: up to 64 operations, taken from what waits.

use super::Room;
use super::wanted::wanted_of;
use crate::command::Operation;
use crate::machine::channel::View;
use crate::machine::core::{About, Core};
use crate::machine::mistakes::Mistake;

/// Operations of a batch.
pub const MOST_OPERATIONS: usize = 64;

/// Places of a batch that rows leave to questions, and to webhooks.
const FOR_ASKS: usize = 16;
const FOR_OTHERS: usize = 8;

impl Room {
    /// Rosters are asked for behind everything that is announced, and behind the sweep (N6).
    fn may_ask(&self) -> bool {
        self.announcing == 0 && self.is_swept && self.sweep.is_empty()
    }

    /// Whether anything is to be said now.
    pub(super) fn has_work(&self, now: u64) -> bool {
        let is_due = self.counts.first().is_some_and(|(due, _)| *due <= now);
        let others = !(self.is_full || self.others.is_empty() && self.adopting.is_empty());
        self.is_up()
            && (!self.rows.is_empty()
                || is_due
                || !self.sweep.is_empty()
                || others
                || !self.asks.is_empty() && self.may_ask())
    }

    /// Takes a batch; the room has had its turn.
    pub fn take_batch(&mut self, core: &mut Core) -> Vec<(Operation, About)> {
        self.in_ring = false;
        let mut batch = Vec::new();
        if !self.is_up() {
            return batch;
        }
        let asks = if self.may_ask() { self.asks.len().min(FOR_ASKS) } else { 0 };
        let others = (self.others.len() + self.adopting.len()).min(FOR_OTHERS);
        let rows = MOST_OPERATIONS - asks - others;
        self.take_rows(core, &mut batch, rows);
        self.take_counts(core, &mut batch, rows);
        let sweep = self.sweep.len().min(rows.saturating_sub(batch.len()));
        batch.extend(self.sweep.drain(..sweep).map(|operation| (operation, About::Swept)));
        if self.may_ask() {
            self.take_asks(core, &mut batch, MOST_OPERATIONS - others);
        }
        if !self.is_full {
            self.take_others(&mut batch);
        }
        batch
    }

    fn take_rows(&mut self, core: &mut Core, batch: &mut Vec<(Operation, About)>, most: usize) {
        // A channel that is new here is said before its users.
        while batch.len() + 1 < most {
            let Some((channel, user)) = self.rows.pop_front() else { break };
            self.announcing = self.announcing.saturating_sub(1);
            if self.is_count_new(&channel) {
                batch.extend(self.take_count(&channel, core.now));
            }
            let member = self.channels.get_mut(&channel).and_then(|held| held.members.get_mut(&user));
            let Some(member) = member else { continue };
            member.is_queued = false;
            if member.is_present && self.is_full {
                continue;
            }
            member.in_flight += 1;
            member.said = member.ticket;
            let about = About::Row { channel: channel.clone(), user: user.clone(), ticket: member.ticket };
            let operation = if member.is_present {
                let most = if member.was_served { None } else { member.most };
                Operation::Join { channel, user, info: member.info.clone(), most, hooked: member.hooked }
            } else {
                core.leaves -= 1;
                Operation::Leave { channel, user }
            };
            batch.push((operation, about));
        }
    }

    fn take_counts(&mut self, core: &Core, batch: &mut Vec<(Operation, About)>, most: usize) {
        while batch.len() < most {
            let Some((due, channel)) = self.counts.first().cloned() else { break };
            if due > core.now {
                break;
            }
            batch.extend(self.take_count(&channel, core.now));
            self.forget_if_over(&channel);
        }
    }

    fn take_asks(&mut self, core: &Core, batch: &mut Vec<(Operation, About)>, most: usize) {
        while batch.len() < most {
            let Some(channel) = self.asks.pop_front() else { break };
            let view = self.channels.get_mut(&channel).and_then(|held| held.roster.as_mut());
            // The channel may have closed and opened again meanwhile.
            let is_known = |view: &&mut View| view.is_queued || core.makes(Mistake::ARosterIsTakenTwice);
            let Some(view) = view.filter(is_known) else { continue };
            view.is_queued = false;
            let about = About::Roster { channel: channel.clone(), asked: view.asked };
            batch.push((Operation::Roster { channel }, about));
        }
    }

    fn take_others(&mut self, batch: &mut Vec<(Operation, About)>) {
        while batch.len() < MOST_OPERATIONS {
            // Whoever is announced later would be told of.
            let is_announced = self.announcing == 0;
            if let Some(channel) = self.adopting.pop_front_if(|_| is_announced) {
                let (existence, presence) = wanted_of(self.kinds.unwrap_or_default(), &channel);
                self.adopted.insert(channel.clone());
                let about = About::Adopted { channel: channel.clone() };
                batch.push((Operation::Adopt { channel, existence, presence }, about));
            } else if let Some(operation) = self.others.pop_front() {
                let about = match &operation {
                    Operation::TellCount { channel } => About::Tell { channel: channel.clone() },
                    _ => About::Other,
                };
                batch.push((operation, about));
            } else {
                break;
            }
        }
    }
}
