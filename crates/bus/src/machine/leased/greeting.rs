//! Taking the lease: hello, announce everything, sweep what is old, read rosters. There is no second way back (N6, N7).

use super::{Lease, Leased};
use crate::command::BusCommand;
use crate::machine::core::{Core, Purpose};
use crate::machine::mistakes::Mistake;

/// How long the machine waits after an error of Redis.
const REST: u64 = 1_000;

/// Why a lease is taken anew over a connection that stands, for the operator.
pub(super) mod why {
    pub const FENCED: &str =
        "Redis has given up this node's lease: it ran out, or keys were deleted (FLUSHALL, eviction)";
    pub const OTHER_EPOCH: &str = "Redis has begun anew: it was restarted, emptied, or failed over";
    pub const TOO_MUCH_WAITS: &str = "too much waits to be told to Redis, and all is announced anew";
}

impl Leased {
    /// Asks for the lease, with the next generation: whatever was sent before is refused from then on.
    pub fn hello(&mut self, core: &mut Core) {
        self.lease = Lease::Greeting;
        self.generation += 1;
        let command = BusCommand::Hello { partition: self.number, generation: self.generation };
        core.ask(self.number, Purpose::Hello, command);
    }

    /// The lease is lost, over a connection that stands: taken anew.
    pub(super) fn hello_again(&mut self, core: &mut Core, why: &'static str) {
        core.out.why = Some(why);
        self.let_go(core);
        self.hello(core);
    }

    /// Redis answered with an error: the lease is taken anew after a while.
    pub(super) fn rest(&mut self, core: &mut Core) {
        self.let_go(core);
        self.lease = Lease::Resting(core.now + REST);
    }

    /// Nothing that was asked is waited for, and everybody here is served with what is known (CL-017).
    pub fn let_go(&mut self, core: &mut Core) {
        for purpose in core.forget(self.number) {
            if let Purpose::Taken { entries } = purpose {
                // Perhaps removed, perhaps not: what stays in the stream would be sent by the next sender.
                self.sender.sent.push(entries);
            }
        }
        self.lease = Lease::Away;
        self.foreign = 0;
        self.reaps.clear();
        self.full_until = None;
        self.settles = None;
        self.sender.end_loading();
        self.sender.is_taking = false;
        for room in self.rooms.values_mut() {
            room.let_go(core);
        }
        self.in_rooms(core, |_, _| {});
    }

    /// The lease is held.
    pub(super) fn begin(&mut self, core: &mut Core, epoch: String, age: u64) {
        if self.epoch.as_ref().is_some_and(|before| *before != epoch) {
            core.numbers.epochs += 1;
            self.previous = self.epoch.take();
            self.leave_epoch(core);
        }
        self.epoch = Some(epoch);
        self.settles = None;
        self.lease = Lease::Up;
        (self.next_beat, self.last_beat) = (core.now, core.now);
        self.state_told(core);
        self.is_swept = self.generation == 1 || core.makes(Mistake::OldRowsStay);
        if !self.is_swept {
            self.ask_old_rows(core, 0);
        }
        let (generation, is_swept) = (self.generation, self.is_swept);
        self.in_rooms(core, move |room, core| {
            room.generation = Some(generation);
            room.is_full = false;
            room.begin(core, is_swept);
        });
        if !core.makes(Mistake::ReconcilingIsNotRepeated) {
            // What was under way is lost with the connection.
            self.reconcile(core);
        }
        self.settle_later(core, age);
    }

    /// The epoch is so old. While that is young, all rosters are read again when the epoch has settled (N8): those that were
    /// read until then have only added. Both clocks cut off parts of milliseconds, so an answer that is asked for in time
    /// may be one too young.
    pub(super) fn settle_later(&mut self, core: &Core, age: u64) {
        let left = core.settling().saturating_sub(age);
        if left > 0 && self.settles.is_none() {
            self.settles = Some(core.now + left + 1);
        }
    }

    pub(super) fn ask_old_rows(&self, core: &mut Core, cursor: u64) {
        let command = BusCommand::Rows { partition: self.number, node: core.settings.node.clone(), cursor };
        core.ask(self.number, Purpose::OldRows, command);
    }

    /// Says goodbye: what is left here is taken away by others.
    pub fn end(&mut self, core: &mut Core) {
        if self.lease == Lease::Up {
            if std::mem::take(&mut self.sender.is_changed) {
                self.state_told(core);
            }
            let node = core.settings.node.clone();
            let command = BusCommand::Bye { partition: self.number, node, generation: Some(self.generation) };
            core.ask(self.number, Purpose::Nothing, command);
        }
        self.let_go(core);
        self.lease = Lease::Ended;
    }
}
