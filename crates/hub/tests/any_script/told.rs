//! Webhook transitions of a script: joins and leaves alternate, and add up to the truth.

use std::collections::{BTreeMap, BTreeSet};

use fanfare_hub::AppHub;
use fanfare_protocol::webhook::Transition;

/// Occupied channels with their users, by the transitions taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    channels: BTreeSet<String>,
    members: BTreeMap<String, BTreeSet<String>>,
}

impl Told {
    /// Takes every waiting transition; panics at a repeated transition.
    pub fn take(&mut self, hub: &AppHub) {
        let mut taken = Vec::new();
        while hub.take_transitions(&mut taken, 7).more {}
        for transition in taken {
            self.apply(&transition);
        }
    }

    fn apply(&mut self, transition: &Transition) {
        let alternates = match transition {
            Transition::Occupied(channel) => self.channels.insert(channel.to_string()),
            Transition::Vacated(channel) => self.channels.remove(channel.as_str()),
            Transition::Joined(channel, user) => {
                self.members.entry(channel.to_string()).or_default().insert(user.to_string())
            }
            Transition::Left(channel, user) => {
                let members = self.members.get_mut(channel.as_str());
                let was_there = members.is_some_and(|members| members.remove(user.as_str()));
                self.members.retain(|_, members| !members.is_empty());
                was_there
            }
            Transition::Missed(channel) | Transition::Filled(channel) => channel.is_cached(),
            Transition::Counted(channel, _) => channel.kind().has_counts(),
            Transition::Sent(_) => false,
        };
        assert!(alternates, "{transition:?} is no change of {self:?}");
    }

    /// Panics unless the hub's state is the reported state.
    pub fn compare(&self, hub: &AppHub) {
        let mut found = Self::default();
        for present in hub.present() {
            // A user who is online is on a hidden channel.
            if present.channel.is_shown() {
                found.channels.insert(present.channel.to_string());
            }
            let members: BTreeSet<String> = present.users.iter().map(ToString::to_string).collect();
            if !members.is_empty() {
                found.members.insert(present.channel.to_string(), members);
            }
        }
        assert_eq!(*self, found);
    }
}
