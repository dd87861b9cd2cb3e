//! What an app's webhooks are to be sent: taking transitions, adding client events, and a snapshot after a loss.

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::webhook::{Kind, Present, SentEvent, Transition};

use super::AppHub;
use crate::transitions::TakenTransitions;

impl AppHub {
    /// Moves up to `most` transitions to the end of `into`, in the order of the events.
    pub fn take_transitions(&self, into: &mut Vec<Transition>, most: usize) -> TakenTransitions {
        self.transitions.take(into, most)
    }

    /// Queues an event that a client has sent, if a webhook wants it (WS-168).
    pub fn tell_client_event(&self, channel: &ChannelName, event: impl FnOnce() -> SentEvent) {
        let hooks = self.transitions.hooks(&self.app.read(), channel);
        hooks.tell(Kind::ClientEvents, || Transition::Sent(Box::new(event())));
    }

    /// Every occupied channel, without users' own channels, and where webhooks want it everybody online. Older transitions that are taken after this snapshot still
    /// lead to the true state when both are applied.
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
        if self.app.read().told().contains(Kind::Users) {
            found.extend(self.users.present());
        }
        found
    }

    /// Whether the hub must stay although no connection is open.
    pub(crate) fn keeps_anything(&self) -> bool {
        let has_changes = || self.sharing.as_ref().is_some_and(|sharing| !sharing.changes.is_empty());
        self.parked_bytes() > 0 || !self.transitions.is_empty() || has_changes() || self.awaits_anybody()
    }
}
