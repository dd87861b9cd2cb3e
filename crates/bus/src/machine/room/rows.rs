//! Users of this node: what is said of them, and what comes of it (N5).

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{ClusterOutcome, Joined, Ticket};
use fanfare_protocol::ids::UserId;
use fanfare_protocol::presence::UserInfo;

use super::Room;
use crate::command::Status;
use crate::machine::channel::Member;
use crate::machine::core::Core;
use crate::machine::mistakes::Mistake;

/// The form of a `user_info` in Redis: the JSON, or nothing.
pub fn written(info: &UserInfo) -> String {
    info.as_ref().map_or_else(String::new, |json| json.get().to_owned())
}

/// The `user_info` of this form. What is no JSON was written by nobody.
pub fn read(info: String) -> UserInfo {
    if info.is_empty() { None } else { serde_json::value::RawValue::from_string(info).ok() }
}

impl Room {
    pub(super) fn joined(&mut self, core: &mut Core, joined: Joined) {
        let Joined { channel, user, info, ticket, most, hooked } = joined;
        let held = self.channels.entry(channel.clone()).or_default();
        let before = held.members.get(&user);
        if before.is_some_and(|member| member.ticket >= ticket) {
            return;
        }
        core.leaves -= usize::from(before.is_some_and(|member| !member.is_present && member.is_queued));
        let member = Member {
            is_present: true,
            ticket,
            since: core.now,
            is_confirmed: false,
            confirmed_at: None,
            // A newer `user_info` of a user who is in already.
            was_served: before
                .is_some_and(|member| member.is_present && (member.was_served || member.is_confirmed)),
            info: written(&info),
            most,
            hooked,
            is_queued: before.is_some_and(|member| member.is_queued),
            in_flight: before.map_or(0, |member| member.in_flight),
            said: before.map_or(0, |member| member.said),
        };
        held.members.insert(user.clone(), member);
        if self.is_up() && !self.is_full {
            self.queue_row(&channel, &user);
            self.time(core, &channel);
        }
        self.may_wait(core, &channel, false);
    }

    pub(super) fn left(&mut self, core: &mut Core, channel: ChannelName, user: &UserId, ticket: Ticket) {
        let is_up = self.is_up();
        let Some(held) = self.channels.get_mut(&channel) else { return };
        let Some(member) = held.members.get_mut(user).filter(|member| member.ticket < ticket) else { return };
        let was_leaving = !member.is_present && member.is_queued;
        (member.is_present, member.ticket) = (false, ticket);
        (member.is_confirmed, member.confirmed_at, member.was_served) = (false, None, false);
        if is_up {
            core.leaves += usize::from(!was_leaving);
            self.queue_row(&channel, user);
            return;
        }
        held.members.remove(user);
        if let Some(copy) = held.copy {
            let outcome = ClusterOutcome::Removed { channel: channel.clone(), copy, user: user.clone() };
            core.outcome(&self.topic.app, outcome);
        }
        self.forget_if_over(&channel);
    }

    /// The row waits for its turn, once. A join waits until the channel is counted: a channel is said before its users,
    /// so that whoever reconciles webhooks finds both.
    pub(super) fn queue_row(&mut self, channel: &ChannelName, user: &UserId) {
        let Some(held) = self.channels.get_mut(channel) else { return };
        let is_counted = held.is_counted(channel);
        let Some(member) = held.members.get_mut(user) else { return };
        if !member.is_queued && (is_counted || !member.is_present) {
            member.is_queued = true;
            self.rows.push_back((channel.clone(), user.clone()));
        }
    }

    /// Joins that Redis does not have are said.
    pub(super) fn queue_unsaid(&mut self, channel: &ChannelName) {
        let Some(held) = self.channels.get(channel) else { return };
        let is_said = |member: &Member| member.in_flight > 0 && member.said == member.ticket;
        let is_taken = |member: &Member| member.is_confirmed || member.confirmed_at.is_some();
        let is_unsaid = |member: &Member| member.is_present && !is_taken(member) && !is_said(member);
        let unsaid = held.members.iter().filter(|(_, member)| is_unsaid(member));
        for user in unsaid.map(|(user, _)| user.clone()).collect::<Vec<_>>() {
            self.queue_row(channel, &user);
        }
    }

    /// The cluster has decided about a join or a leave.
    pub(super) fn row_stated(
        &mut self,
        core: &mut Core,
        row: (ChannelName, UserId),
        ticket: Ticket,
        (status, number): (Status, u64),
    ) {
        let (channel, user) = row;
        let Some(held) = self.channels.get_mut(&channel) else { return };
        let Some(member) = held.members.get_mut(&user) else { return };
        member.in_flight = member.in_flight.saturating_sub(1);
        // What was said last decides.
        if member.ticket != ticket || member.in_flight > 0 {
            return;
        }
        if !member.is_present {
            held.members.remove(&user);
            // Nobody hears of a leave that Redis knew nothing of; but here the user may have been let in.
            let is_believed = core.makes(Mistake::UnknownLeavesAreBelieved);
            if status == Status::Nothing && held.was_served && !is_believed {
                self.want(core, &channel);
            }
            self.forget_if_over(&channel);
        } else if status == Status::Full && member.was_served {
            // Let in meanwhile: said once more, without limit.
            self.queue_row(&channel, &user);
        } else if status == Status::Full {
            held.members.remove(&user);
            if held.was_served {
                self.want(core, &channel);
            }
            self.forget_if_over(&channel);
            core.outcome(&self.topic.app, ClusterOutcome::Refused { channel, user, ticket });
        } else {
            member.confirmed_at = Some(number);
            self.confirm_behind(core, (channel, user), ticket, number);
        }
    }

    /// All rows are said anew, without limit (N6, CL-016).
    pub(super) fn announce_rows(&mut self) {
        self.rows.clear();
        self.confirming.clear();
        for (channel, held) in &mut self.channels {
            held.members.retain(|_, member| member.is_present);
            let is_counted = held.is_counted(channel);
            for (user, member) in &mut held.members {
                (member.is_confirmed, member.was_served, member.is_queued) = (false, true, is_counted);
                (member.in_flight, member.confirmed_at) = (0, None);
                if is_counted {
                    self.rows.push_back((channel.clone(), user.clone()));
                }
            }
        }
        self.announcing = self.rows.len();
    }

    /// The connection is lost: whoever was leaving has left, and nobody waits any more (CL-017).
    pub(super) fn let_rows_go(&mut self, core: &mut Core) {
        self.rows.clear();
        self.confirming.clear();
        self.announcing = 0;
        for (channel, held) in &mut self.channels {
            let copy = held.copy;
            held.members.retain(|user, member| {
                if !member.is_present {
                    core.leaves -= usize::from(member.is_queued);
                    if let Some(copy) = copy {
                        let outcome =
                            ClusterOutcome::Removed { channel: channel.clone(), copy, user: user.clone() };
                        core.out.outcomes.push((self.topic.app.clone(), outcome));
                    }
                }
                (member.is_queued, member.in_flight, member.confirmed_at) = (false, 0, None);
                member.was_served = true;
                member.is_present
            });
        }
        self.channels.retain(|_, held| !held.is_over());
    }
}
