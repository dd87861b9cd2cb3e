//! What is kept of cache channels: read before the first subscriber is acknowledged, and after anything was missed (N12).

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{ClusterOutcome, CopyId, FoundEvent};
use std::time::Duration;

use bytes::Bytes;

use super::Room;
use crate::command::BusCommand;
use crate::machine::core::{Core, Purpose};

impl Room {
    /// Reads what is kept, behind everything that was sent before; not before the topic is subscribed to, or an event
    /// in between would be missed.
    pub(super) fn read(&mut self, core: &mut Core, channel: &ChannelName) {
        let can_read = self.is_up() && self.is_subscribed;
        let Some(held) = self.channels.get_mut(channel) else { return };
        let Some(copy) = held.copy else { return };
        held.is_read_awaited = true;
        if can_read {
            let app = self.topic.app.clone();
            let purpose = Purpose::Read { app, channel: channel.clone(), copy };
            let command = BusCommand::Read { topic: self.topic.clone(), channel: channel.clone() };
            core.ask(self.topic.partition, purpose, command);
            self.owe(core, channel);
        }
    }

    /// What is kept, with its version and life.
    pub fn read_answered(
        &mut self,
        core: &mut Core,
        channel: ChannelName,
        copy: CopyId,
        kept: Option<(u64, Bytes, u64)>,
    ) {
        let Some(held) = self.channels.get_mut(&channel).filter(|held| held.copy == Some(copy)) else {
            return;
        };
        held.is_read_awaited = false;
        let found = kept.and_then(|(version, message, lives)| {
            let frame = (core.settings.frame_of)(&message)?;
            Some(FoundEvent { version, frame, lives: Duration::from_millis(lives) })
        });
        self.settle(&channel);
        core.outcome(&self.topic.app, ClusterOutcome::Cached { channel, copy, found });
    }

    /// Redis did not answer a reading: subscribers are served with what is known here (CL-043).
    pub fn read_failed(&mut self, core: &mut Core, channel: ChannelName, copy: CopyId) {
        if self.channels.get(&channel).is_some_and(|held| held.copy == Some(copy)) {
            core.outcome(&self.topic.app, ClusterOutcome::Serve { channel, copy });
        }
    }

    /// An own event was not published: its echo will not come, and what other nodes keep is read.
    pub fn keep_failed(&mut self, core: &mut Core, channel: &ChannelName) {
        core.numbers.kept_dropped += 1;
        let Some(copy) = self.channels.get(channel).and_then(|held| held.copy) else { return };
        core.outcome(&self.topic.app, ClusterOutcome::CacheLost { channel: channel.clone(), copy });
        self.read(core, channel);
    }

    /// Echoes of own events may not come.
    pub(super) fn lose_echoes(&mut self, core: &mut Core) {
        for (channel, held) in &self.channels {
            if let Some(copy) = held.copy.filter(|_| channel.is_cached()) {
                let outcome = ClusterOutcome::CacheLost { channel: channel.clone(), copy };
                core.out.outcomes.push((self.topic.app.clone(), outcome));
            }
        }
    }
}
