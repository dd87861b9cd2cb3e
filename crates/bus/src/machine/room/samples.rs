//! What Redis certainly has of a channel.

use std::ops::Bound;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::UserId;

use super::Room;
use crate::command::Sample;
use crate::machine::channel::Held;

impl Room {
    /// The channels behind one, or all: for each its number and one user, as far as told, answered and not being changed.
    pub fn told_behind(
        &self,
        behind: Option<&ChannelName>,
    ) -> impl Iterator<Item = (&ChannelName, [Option<Sample>; 2])> {
        let from = behind.map_or(Bound::Unbounded, |channel| Bound::Excluded(channel.clone()));
        self.channels
            .range((from, Bound::Unbounded))
            .map(|(channel, held)| (channel, self.told(channel, held)))
    }

    fn told(&self, channel: &ChannelName, held: &Held) -> [Option<Sample>; 2] {
        let sample = |user: Option<UserId>| {
            let (app, channel) = (self.topic.app.clone(), channel.clone());
            Sample { app, channel, user }
        };
        let count = &held.count;
        let is_counted = count.count > 0 && count.stated == Some(count.count) && count.in_flight == 0;
        let mut users = held.members.iter();
        let user =
            users.find(|(_, member)| member.is_present && member.is_confirmed && member.in_flight == 0);
        [is_counted.then(|| sample(None)), user.map(|(user, _)| sample(Some(user.clone())))]
    }
}
