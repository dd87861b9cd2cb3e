//! Whether the topic is wanted here, and whether it is subscribed to (CL-008).

use super::Room;
use crate::machine::channel::Wish;
use crate::machine::core::Core;
use crate::machine::mistakes::Mistake;

/// How long a topic is heard after nobody here needs it any more.
const IDLE: u64 = 60_000;

/// How long the hub has to hear that the topic is not live any more, before the subscription ends.
const FAREWELL: u64 = 5_000;

impl Room {
    /// Whether the topic is to be subscribed to.
    pub const fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Looks after everything that was done here: whether the topic is wanted, and what is to be said.
    pub fn look_after(&mut self, core: &mut Core) {
        if self.channels.is_empty() {
            if self.is_wanted && self.idle_since.is_none() {
                self.idle_since = Some(core.now);
                core.alarms.set(core.now + IDLE, self.topic.clone());
            }
        } else {
            self.idle_since = None;
            self.is_leaving = false;
            if !self.is_wanted {
                self.is_wanted = true;
                self.unsubscribed_since = core.now;
                core.out.subscribe.push(self.topic.clone());
                core.alarms.set(self.patience_ends(), self.topic.clone());
            }
            self.tell_live(core);
        }
        self.queue_up(core);
    }

    /// The time of an alarm has come.
    pub fn tick(&mut self, core: &mut Core) {
        self.serve_impatient(core);
        self.serve_late(core);
        self.confirm_in_time(core);
        let Some(since) = self.idle_since else { return };
        if core.now >= since + IDLE + FAREWELL {
            (self.is_wanted, self.is_subscribed, self.idle_since) = (false, false, None);
            core.out.unsubscribe.push(self.topic.clone());
        } else if core.now >= since + IDLE {
            self.is_leaving = true;
            self.tell_live(core);
            core.alarms.set(since + IDLE + FAREWELL, self.topic.clone());
        }
    }

    /// The topic is subscribed to, anew.
    pub fn subscribed(&mut self, core: &mut Core) {
        if !self.is_wanted {
            return;
        }
        self.is_subscribed = true;
        self.serial += 1;
        (self.last, self.first, self.probe) = (None, None, None);
        if self.is_up() {
            self.read_again(core);
        }
        self.tell_live(core);
    }

    /// Messages may be missed from now on.
    pub fn unsubscribed(&mut self, core: &mut Core) {
        if self.is_subscribed {
            self.is_subscribed = false;
            self.unsubscribed_since = core.now;
            core.alarms.set(self.patience_ends(), self.topic.clone());
            self.lose_echoes(core);
            self.confirm_heard(core);
        }
        self.tell_live(core);
    }

    /// Messages may have been missed: everything is read again.
    pub(super) fn read_again(&mut self, core: &mut Core) {
        let ready_stay = core.makes(Mistake::RostersAreNotReadAgainAfterACut);
        let names: Vec<_> = self.channels.keys().cloned().collect();
        for channel in names {
            let held = &self.channels[&channel];
            let is_ready = held.roster.as_ref().is_some_and(|view| view.is_ready);
            if !(ready_stay && is_ready) {
                self.want(core, &channel);
            }
            if channel.is_cached() {
                self.read(core, &channel);
            }
            self.ask_count(core, &channel, Wish::All);
        }
    }

    /// The lease is held: everything is announced anew, before what happens from now on (N6).
    pub fn begin(&mut self, core: &mut Core, is_swept: bool) {
        self.is_swept = is_swept;
        (self.last, self.first, self.probe) = (None, None, None);
        self.asks.clear();
        self.sweep.clear();
        self.old_counts.clear();
        self.others.clear();
        self.totals = None;
        // What had no answer may not have been done.
        self.adopting.extend(std::mem::take(&mut self.adopted));
        self.announce_rows();
        self.announce_counts(core);
        if self.is_subscribed {
            self.read_again(core);
        }
        self.tell_live(core);
    }

    /// The connection or the lease is lost.
    pub fn let_go(&mut self, core: &mut Core) {
        self.generation = None;
        self.asks.clear();
        self.sweep.clear();
        self.old_counts.clear();
        self.others.clear();
        self.totals = None;
        for held in self.channels.values_mut() {
            if let Some(view) = &mut held.roster {
                view.is_queued = false;
            }
        }
        self.serve_all(core);
        self.let_rows_go(core);
        self.let_counts_go();
        self.lose_echoes(core);
        self.tell_live(core);
    }
}
