//! Deltas in the order of their numbers, and how a missing one is noticed (N1).

use super::Room;
use crate::machine::channel::Wish;
use crate::machine::core::Core;
use crate::machine::mistakes::Mistake;
use crate::scripts::{Delta, DeltaKind};

impl Room {
    /// A delta of the present epoch.
    pub fn heard(&mut self, core: &mut Core, delta: Delta) {
        let Delta { number, channel, kind, .. } = delta;
        if kind == DeltaKind::Unknown {
            core.numbers.unknown += 1;
        }
        if let DeltaKind::Count(total) = kind {
            self.count_heard(core, &channel, number, total);
        }
        if let Some(last) = self.last.filter(|_| !core.makes(Mistake::GapsAreNotSeen)) {
            if number <= last {
                self.apply(core, &channel, number, kind);
                return;
            }
            if number > last + 1 {
                self.gap(core, number);
            }
        }
        if self.last.is_none() {
            self.first = Some(number);
        }
        self.last = Some(number);
        self.apply(core, &channel, number, kind);
        self.confirm_heard(core);
        self.compare(core);
    }

    /// An answer that was asked for under the present subscription: everything later is heard. False if something
    /// later was missed already.
    pub(super) fn begin_at(&mut self, core: &mut Core, number: u64) -> bool {
        match (self.last, self.first.take()) {
            (Some(last), Some(first)) if number + 1 < first => {
                self.gap(core, last);
                return false;
            }
            (Some(_), None) => {}
            (last, _) => {
                // Rosters are asked for anyway; counts that were told before are not in this answer.
                self.last = last.or(Some(number));
                if number > 0 {
                    self.ask_counts(core, Wish::Others);
                }
                self.confirm_heard(core);
            }
        }
        true
    }

    /// The number of the last delta of the topic, behind a beat. `serial` says which subscription the question was
    /// asked under.
    pub fn probed(&mut self, core: &mut Core, serial: u64, number: u64) {
        if !self.is_subscribed || serial != self.serial {
            return;
        }
        self.begin_at(core, number);
        let behind = self.probe.filter(|probe| self.last.is_some_and(|last| last < *probe));
        if let Some(probe) = behind.filter(|_| !core.makes(Mistake::GapsAreNotSeen)) {
            self.gap(core, probe);
        }
        self.probe = Some(number);
    }

    /// Which subscription answers are to be compared with; none without one.
    pub fn probe_serial(&self) -> Option<u64> {
        self.is_subscribed.then_some(self.serial)
    }

    fn gap(&mut self, core: &mut Core, number: u64) {
        core.numbers.gaps += 1;
        (self.last, self.first) = (Some(number), None);
        self.lose_echoes(core);
        self.read_again(core);
        self.confirm_heard(core);
    }
}
