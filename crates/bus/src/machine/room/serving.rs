//! When subscribers get their acknowledgement without the cluster's word (CL-006, CL-017).

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::ClusterOutcome;

use super::Room;
use crate::machine::core::Core;

/// How long subscribers wait for a subscription in Redis.
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
            let waits = held.may_wait
                || held.is_read_awaited
                || held.roster.as_ref().is_some_and(|view| !view.is_ready)
                || held.members.values().any(|member| !member.is_confirmed);
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

    pub(super) fn patience_ends(&self) -> u64 {
        self.unsubscribed_since + PATIENCE
    }
}
