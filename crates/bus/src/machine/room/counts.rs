//! Numbers of subscriptions: stated absolutely, and told when the cluster says so (CL-022, CL-023, CL-062).

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{ClusterOutcome, Telling};

use super::Room;
use crate::command::{Applied, CountRule, Operation, Status};
use crate::machine::channel::{Held, Wish};
use crate::machine::core::{About, Core};

/// How long changes of a number gather that was said a moment ago; the first change is said at once.
const FLUSH: u64 = 50;

/// The same for numbers that nodes decide by (CL-062).
const SLOW_FLUSH: u64 = 100;

/// Above this, subscribers are told every five seconds (WS-176).
const CROWD: usize = 100;

impl Room {
    pub(super) fn counted(
        &mut self,
        core: &mut Core,
        channel: &ChannelName,
        number: usize,
        (told, hooked): (Telling, bool),
    ) {
        let held = self.channels.entry(channel.clone()).or_default();
        let count = &mut held.count;
        let is_same = number > 0 && count.stated.is_none_or(|stated| stated == number);
        if count.stated == Some(number) && count.told != told {
            // Another rule is to be known in Redis, also without another number.
            count.wish = Wish::All;
        } else if is_same && told == Telling::Crowds {
            count.wish = count.wish.max(Wish::Newcomers);
        }
        let is_first = count.count == 0 && number > 0;
        let has_grown = number > count.count;
        (count.count, count.told, count.hooked) = (number, told, hooked);
        let wait = if told == Telling::Always { SLOW_FLUSH } else { FLUSH };
        let at = count.said.map_or(core.now, |said| core.now.max(said + wait));
        self.state_count(core, channel, at);
        if is_first && self.is_up() && !self.is_full {
            self.queue_unsaid(channel);
        }
        if has_grown {
            self.may_wait(core, channel, false);
        }
        self.forget_if_over(channel);
    }

    /// The number is said at this time, or before.
    fn state_count(&mut self, core: &mut Core, channel: &ChannelName, at: u64) {
        if !self.is_up() {
            return;
        }
        let Some(Held { count, .. }) = self.channels.get_mut(channel) else { return };
        if count.due.is_some_and(|due| due <= at)
            || (count.stated == Some(count.count) && count.wish == Wish::None)
        {
            return;
        }
        if let Some(due) = count.due.replace(at) {
            self.counts.remove(&(due, channel.clone()));
        }
        self.counts.insert((at, channel.clone()));
        if at > core.now {
            core.alarms.set(at, self.topic.clone());
        }
    }

    /// The number is said again, if Redis does not have it.
    pub(super) fn restate_count(&mut self, core: &mut Core, channel: &ChannelName) {
        self.state_count(core, channel, core.now);
    }

    /// The number in the cluster is asked for, because one may have been missed.
    pub(super) fn ask_count(&mut self, core: &mut Core, channel: &ChannelName, wish: Wish) {
        let Some(held) = self.channels.get_mut(channel) else { return };
        if held.count.told != Telling::Off && held.count.count > 0 {
            held.count.wish = held.count.wish.max(wish);
            if wish == Wish::All {
                held.last_told = None;
            }
            self.state_count(core, channel, core.now);
        }
    }

    /// All numbers that are told here are asked for.
    pub(super) fn ask_counts(&mut self, core: &mut Core, wish: Wish) {
        let is_told = |held: &Held| held.count.told != Telling::Off && held.count.count > 0;
        let told = self.channels.iter().filter(|(_, held)| is_told(held));
        for channel in told.map(|(channel, _)| channel.clone()).collect::<Vec<_>>() {
            self.ask_count(core, &channel, wish);
        }
    }

    pub(super) fn announce_counts(&mut self, core: &mut Core) {
        let names: Vec<_> = self.channels.keys().cloned().collect();
        for channel in names {
            if let Some(held) = self.channels.get_mut(&channel) {
                (held.count_as_of, held.last_told) = (0, None);
                held.count.stated = None;
                held.count.wish = if held.count.told == Telling::Off { Wish::None } else { Wish::All };
                if held.count.count > 0 {
                    self.state_count(core, &channel, core.now);
                }
            }
        }
    }

    pub(super) fn let_counts_go(&mut self) {
        self.counts.clear();
        for held in self.channels.values_mut() {
            let count = &mut held.count;
            (count.stated, count.due, count.in_flight, count.held) = (None, None, 0, None);
        }
        self.channels.retain(|_, held| !held.is_over());
    }

    /// All counts whose time has come, or will come, are said at once (CL-020).
    pub fn flush(&mut self, core: &mut Core) {
        for (_, channel) in std::mem::take(&mut self.counts) {
            if let Some(held) = self.channels.get_mut(&channel) {
                held.count.due = Some(core.now);
                self.counts.insert((core.now, channel));
            }
        }
        self.queue_up(core);
    }

    /// Whether everything that has changed here was said.
    pub fn is_flushed(&self) -> bool {
        self.rows.is_empty() && self.counts.is_empty()
    }

    /// Takes the number to be said; none if it was said already, or cannot be said to a full Redis.
    pub(super) fn take_count(&mut self, channel: &ChannelName, now: u64) -> Option<(Operation, About)> {
        let Held { members, count, .. } = self.channels.get_mut(channel)?;
        // Webhooks want the same of all members of a channel.
        let members_hooked = members.values().next().is_some_and(|member| member.hooked);
        if let Some(due) = count.due.take() {
            self.counts.remove(&(due, channel.clone()));
        }
        if (count.stated == Some(count.count) && count.wish == Wish::None) || self.is_full && count.count > 0
        {
            return None;
        }
        count.stated = Some(count.count);
        count.said = Some(now);
        count.in_flight += 1;
        let wish = std::mem::take(&mut count.wish);
        let told = match count.told {
            Telling::Off => CountRule::Off,
            Telling::Crowds => CountRule::Crowds,
            Telling::Always => CountRule::Always,
        };
        let (number, hooked) = (count.count, count.hooked);
        let (name, count) = (channel.clone(), number);
        let operation = Operation::Count { channel: name, count, told, hooked, members_hooked };
        Some((operation, About::Count { channel: channel.clone(), count: number, wish }))
    }

    /// Whether the channel is new in this node's statements: then the channel is said before its users.
    pub(super) fn is_count_new(&self, channel: &ChannelName) -> bool {
        let count = self.channels.get(channel).map(|held| &held.count);
        count.is_some_and(|count| count.due.is_some() && count.stated.unwrap_or(0) == 0 && count.count > 0)
    }

    /// The cluster has the number.
    pub(super) fn count_stated(
        &mut self,
        core: &mut Core,
        channel: &ChannelName,
        (own, wish): (usize, Wish),
        applied: &Applied,
    ) {
        let Some(held) = self.channels.get_mut(channel) else { return };
        held.count.in_flight = held.count.in_flight.saturating_sub(1);
        let total = applied.total.unwrap_or_default();
        match held.count.told {
            Telling::Off => {}
            Telling::Crowds => self.crowd_stated(core, channel, wish, applied),
            Telling::Always => self.total_stated(core, channel, own, (applied.number, total)),
        }
        self.forget_if_over(channel);
    }

    fn crowd_stated(&mut self, core: &mut Core, channel: &ChannelName, wish: Wish, applied: &Applied) {
        let Some(held) = self.channels.get_mut(channel) else { return };
        let total = applied.total.unwrap_or_default();
        let is_here = held.copy.is_some();
        let is_wished = match wish {
            Wish::None => false,
            Wish::Others => held.last_told.is_none_or(|told| told != total && total <= CROWD),
            Wish::Newcomers => total <= CROWD,
            // Told meanwhile, or not.
            Wish::All => held.last_told != Some(total),
        };
        if applied.status == Status::Told {
            // Told to everybody: heard here as well, in its place.
            core.outcome(
                &self.topic.app,
                ClusterOutcome::CountTold { channel: channel.clone(), count: total },
            );
        } else if is_wished && is_here && applied.number >= held.count_as_of {
            (held.count_as_of, held.last_told) = (applied.number, Some(total));
            core.outcome(&self.topic.app, ClusterOutcome::Count { channel: channel.clone(), count: total });
        }
    }

    fn total_stated(&mut self, core: &mut Core, channel: &ChannelName, own: usize, answer: (u64, usize)) {
        let Some(held) = self.channels.get_mut(channel) else { return };
        if held.count.in_flight > 0 {
            return;
        }
        let heard = held.count.held.take().filter(|(number, _)| *number > answer.0);
        let (number, total) = heard.unwrap_or(answer);
        if number >= held.count_as_of {
            held.count_as_of = number;
            core.outcome(&self.topic.app, ClusterOutcome::Total { total, own });
        }
    }

    /// A number that was told to all nodes.
    pub(super) fn count_heard(&mut self, core: &mut Core, channel: &ChannelName, number: u64, total: usize) {
        let Some(held) = self.channels.get_mut(channel).filter(|held| number > held.count_as_of) else {
            return;
        };
        if held.count.told == Telling::Always {
            // Which part of it is ours is known only when our own statement is answered.
            if held.count.in_flight > 0 {
                held.count.held = Some((number, total));
                return;
            }
            let own = held.count.stated.unwrap_or(0);
            held.count_as_of = number;
            core.outcome(&self.topic.app, ClusterOutcome::Total { total, own });
        } else if held.copy.is_some() {
            (held.count_as_of, held.last_told) = (number, Some(total));
            core.outcome(&self.topic.app, ClusterOutcome::Count { channel: channel.clone(), count: total });
        }
    }

    /// A number whose time had come was told by this node.
    pub(super) fn late_told(&self, core: &mut Core, channel: ChannelName, applied: &Applied) {
        if applied.status == Status::Told {
            let count = applied.total.unwrap_or_default();
            core.outcome(&self.topic.app, ClusterOutcome::CountTold { channel, count });
        }
    }
}
