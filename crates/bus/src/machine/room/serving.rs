//! When subscribers get their acknowledgement without the cluster's word (CL-006, CL-017).

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::ClusterOutcome;

use super::Room;
use crate::machine::core::Core;

/// How long subscribers wait for a subscription in Redis, or for an answer of Redis.
const PATIENCE: u64 = 2_000;

impl Room {
    /// Whether nobody is to wait for Redis now.
    fn serves_at_once(&self, now: u64) -> bool {
        let is_late = self.is_wanted && !self.is_subscribed && now >= self.unsubscribed_since + PATIENCE;
        !self.is_up() || is_late
    }

    /// A subscriber may wait on the channel.
    pub(super) fn may_wait(&mut self, core: &mut Core, channel: &ChannelName, is_new: bool) {
        let at_once = self.serves_at_once(core.now) || self.is_full && !is_new;
        let Some(held) = self.channels.get_mut(channel) else { return };
        let Some(copy) = held.copy else { return };
        let is_plain = held.roster.is_none() && !channel.is_cached();
        held.may_wait = !(at_once || is_plain && self.is_live);
        if at_once {
            held.let_in();
        }
        // The hub may have been asked before it heard that the topic is live.
        if at_once || is_plain && self.is_live {
            core.outcome(&self.topic.app, ClusterOutcome::Serve { channel: channel.clone(), copy });
        }
    }

    /// Serves every subscriber who may wait.
    pub(super) fn serve_all(&mut self, core: &mut Core) {
        for (channel, held) in &mut self.channels {
            let Some(copy) = held.copy else { continue };
            held.owed_since = None;
            let waits =
                held.may_wait || held.is_owed() || held.members.values().any(|member| !member.is_confirmed);
            if waits {
                held.may_wait = false;
                held.let_in();
                let outcome = ClusterOutcome::Serve { channel: channel.clone(), copy };
                core.out.outcomes.push((self.topic.app.clone(), outcome));
            }
        }
    }

    /// Subscribers of channels without roster and cache have waited for the topic alone.
    fn serve_plain(&mut self, core: &mut Core) {
        for (channel, held) in &mut self.channels {
            let is_plain = held.roster.is_none() && !channel.is_cached();
            if let Some(copy) = held.copy.filter(|_| is_plain && held.may_wait) {
                held.may_wait = false;
                let outcome = ClusterOutcome::Serve { channel: channel.clone(), copy };
                core.out.outcomes.push((self.topic.app.clone(), outcome));
            }
        }
    }

    /// Says whether the topic is live, if that has changed.
    pub(super) fn tell_live(&mut self, core: &mut Core) {
        let is_live = self.is_up() && self.is_subscribed && !self.is_leaving;
        if is_live == self.is_live {
            return;
        }
        self.is_live = is_live;
        core.out.live.push((self.topic.app.clone(), self.topic.partition, is_live));
        if is_live {
            self.serve_plain(core);
        }
    }

    /// A subscription did not come in time.
    pub(super) fn serve_impatient(&mut self, core: &mut Core) {
        if self.is_up() && self.serves_at_once(core.now) {
            self.serve_all(core);
        }
    }

    /// Redis owes the channel's subscribers an answer from now on.
    pub(super) fn owe(&mut self, core: &mut Core, channel: &ChannelName) {
        if let Some(held) = self.channels.get_mut(channel) {
            held.owed_since.get_or_insert(core.now);
            self.time(core, channel);
        }
    }

    /// An answer has come.
    pub(super) fn settle(&mut self, channel: &ChannelName) {
        if let Some(held) = self.channels.get_mut(channel).filter(|held| !held.is_owed()) {
            held.owed_since = None;
        }
    }

    /// Looks in time whether subscribers of the channel have waited for too long.
    pub(super) fn time(&mut self, core: &mut Core, channel: &ChannelName) {
        let Some(held) = self.channels.get_mut(channel).filter(|held| !held.is_timed) else { return };
        held.is_timed = true;
        self.time_until(core, core.now + PATIENCE, channel.clone());
    }

    fn time_until(&mut self, core: &mut Core, until: u64, channel: ChannelName) {
        let is_first = self.timed.first().is_none_or(|(first, _)| until < *first);
        self.timed.insert((until, channel));
        if is_first {
            core.alarms.set(until, self.topic.clone());
        }
    }

    /// Nobody waits longer than two seconds for an answer of a Redis that is slow or behind with the work, either.
    pub(super) fn serve_late(&mut self, core: &mut Core) {
        while self.timed.first().is_some_and(|(until, _)| *until <= core.now) {
            let Some((_, channel)) = self.timed.pop_first() else { return };
            let Some(held) = self.channels.get_mut(&channel) else { continue };
            let since = if self.generation.is_some() { held.waits_since() } else { None };
            held.is_timed = since.is_some();
            let Some(since) = since else { continue };
            if since + PATIENCE > core.now {
                self.time_until(core, since + PATIENCE, channel);
                continue;
            }
            held.let_in();
            held.owed_since = held.is_owed().then_some(core.now);
            held.is_timed = held.owed_since.is_some();
            let (copy, is_timed) = (held.copy, held.is_timed);
            if let Some(copy) = copy {
                core.outcome(&self.topic.app, ClusterOutcome::Serve { channel: channel.clone(), copy });
            }
            if is_timed {
                self.time_until(core, core.now + PATIENCE, channel);
            }
        }
        if let Some((first, _)) = self.timed.first() {
            core.alarms.set(*first, self.topic.clone());
        }
    }

    pub(super) fn patience_ends(&self) -> u64 {
        self.unsubscribed_since + PATIENCE
    }
}
