//! What an app's webhooks are to be told: taking it, adding to it, and how things are where something was lost.

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::webhook::{ClientEvent, Kind, Present, Transition};

use super::AppHub;
use crate::transitions::TakenTransitions;

impl AppHub {
    /// Moves up to `most` transitions to the end of `into`, in the order in which they happened.
    pub fn take_transitions(&self, into: &mut Vec<Transition>, most: usize) -> TakenTransitions {
        self.transitions.take(into, most)
    }

    /// Queues an event that a client has sent, if a webhook wants it (WS-168).
    pub fn tell_client_event(&self, channel: &ChannelName, event: impl FnOnce() -> ClientEvent) {
        let hooks = self.transitions.hooks(&self.app.read(), channel);
        hooks.tell(Kind::ClientEvents, || Transition::Sent(Box::new(event())));
    }

    /// Every occupied channel, but for those of users. What is taken later and is older than this brings whoever
    /// applies both to the truth all the same.
    #[must_use]
    pub fn present(&self) -> Vec<Present> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let told = shard.iter().filter(|channel| channel.is_shown());
            found.extend(
                told.map(|channel| Present { channel: channel.name.clone(), users: channel.user_ids() }),
            );
        }
        found
    }

    /// Whether the hub must stay although nobody is connected.
    pub(crate) fn keeps_anything(&self) -> bool {
        self.parked_bytes() > 0 || !self.transitions.is_empty()
    }
}
