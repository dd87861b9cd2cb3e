//! Joins that Redis has taken wait until everything that it told before them is heard: so who comes and who goes is
//! told in one order on every node (CL-011), and a leave that was crossed by a return is told like everywhere else.

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{ClusterOutcome, Ticket};
use fanfare_protocol::ids::UserId;

use super::Room;
use crate::machine::core::Core;
use crate::machine::mistakes::Mistake;

/// How long a join waits for what was told before. A subscription that went silent is found out only later.
const PATIENCE: u64 = 2_000;

/// A join that Redis has taken.
#[cfg_attr(test, derive(Clone))]
pub struct Confirming {
    /// The topic's number behind the join.
    number: u64,
    until: u64,
    channel: ChannelName,
    user: UserId,
    ticket: Ticket,
}

impl Room {
    /// Confirms a join as soon as everything up to the number was heard.
    pub(super) fn confirm_behind(
        &mut self,
        core: &mut Core,
        (channel, user): (ChannelName, UserId),
        ticket: Ticket,
        number: u64,
    ) {
        let until = core.now + PATIENCE;
        let is_first = self.confirming.is_empty();
        self.confirming.push_back(Confirming { number, until, channel, user, ticket });
        self.confirm_heard(core);
        if is_first {
            self.confirm_in_time(core);
        }
    }

    /// Confirms what has waited long enough, and comes back for the next.
    pub(super) fn confirm_in_time(&mut self, core: &mut Core) {
        self.confirm_heard(core);
        if let Some(first) = self.confirming.front() {
            core.alarms.set(first.until, self.topic.clone());
        }
    }

    /// Confirms the joins that nothing has to be heard before any more.
    pub(super) fn confirm_heard(&mut self, core: &mut Core) {
        while let Some(first) = self.confirming.front().filter(|first| self.may_confirm(core, first)) {
            let (ticket, channel, user) = (first.ticket, first.channel.clone(), first.user.clone());
            self.confirming.pop_front();
            let held = self.channels.get_mut(&channel);
            let member = held.and_then(|held| held.members.get_mut(&user));
            if let Some(member) = member.filter(|member| member.ticket == ticket && member.is_present) {
                (member.is_confirmed, member.confirmed_at) = (true, None);
                core.outcome(&self.topic.app, ClusterOutcome::Confirmed { channel, user, ticket });
            }
        }
    }

    fn may_confirm(&self, core: &Core, join: &Confirming) -> bool {
        let is_late = core.now >= join.until || !self.is_subscribed;
        // The answer of a roster that is on its way says what comes next; without one, nobody waits to be told.
        let has_roster = || self.channels.get(&join.channel).is_some_and(|held| held.roster.is_some());
        let is_heard = self.last.map_or_else(|| !has_roster(), |last| last >= join.number);
        is_heard || is_late || core.makes(Mistake::JoinsOvertakeChanges)
    }
}
