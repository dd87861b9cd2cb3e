//! What the machine says: brought to the node, or kept to be sent.

use std::sync::Arc;

use super::Link;
use super::topics::TopicMeaning;
use crate::board::Told;
use crate::command::{BusAnswer, EntryId, Failure};
use crate::local::HooksDone;
use crate::machine::Out;
use crate::partition::Partition;

impl Link {
    pub(super) fn bring(&mut self, out: Out) {
        if let Some(why) = out.why {
            self.board.set_why(why);
        }
        let local = &self.shared.local;
        // Before anything is said to be live.
        for topic in out.unsubscribe {
            self.topics.release(&TopicMeaning::App(topic));
        }
        let mut known = Vec::new();
        for topic in out.subscribe {
            if self.topics.want(TopicMeaning::App(topic.clone())) {
                known.push(topic);
            }
        }
        for (partition, is_wanted) in out.listen_hooks {
            let meaning = TopicMeaning::Hooks(partition);
            if is_wanted {
                self.topics.want(meaning);
            } else {
                self.topics.release(&meaning);
            }
        }
        for (app, outcome) in out.outcomes {
            local.outcome(&app, outcome);
        }
        for (app, partition, is_live) in out.live {
            local.live(&app, partition, is_live);
        }
        for (app, channel) in out.mended {
            tracing::warn!(
                target: "fanfare::bus", redis = self.board.redis, %app, %channel,
                "this node's list of who is on the channel was wrong, and is right now: a change was lost without a sign"
            );
        }
        for partition in out.stop_hooks {
            local.stop_hooks(partition);
        }
        for (app, events) in out.refused_hooks {
            local.hooks_refused(&app, events);
        }
        for batch in out.hooks {
            let done = self.hooks_done(
                batch.partition,
                batch.time_ms,
                batch.events.iter().map(|event| event.number),
            );
            local.hooks(batch, done);
        }
        let refused = self.waiting.push(out.commands);
        self.shared.counters.dropped_full.add(refused.len() as u64);
        let is_more = !refused.is_empty() || !known.is_empty();
        for token in refused {
            self.machine.answered(self.shared.now(), token, BusAnswer::Failed(Failure::Other));
        }
        self.machine.subscribed(self.shared.now(), &known);
        if is_more {
            let out = self.machine.take();
            self.bring(out);
        }
    }

    fn hooks_done(
        &self,
        partition: Partition,
        milliseconds: u64,
        numbers: impl Iterator<Item = u64>,
    ) -> HooksDone {
        let entries: Vec<EntryId> = numbers.map(|number| EntryId { milliseconds, number }).collect();
        let board = Arc::clone(&self.board);
        HooksDone::new(move || board.inbox.push(Told::HooksSent(partition, entries.clone())))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.brought.end();
    }
}
