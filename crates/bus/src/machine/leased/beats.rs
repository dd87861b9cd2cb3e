//! Beats: the lease is renewed each second, and with it comes what has happened in the partition.

use super::greeting::why;
use super::{Lease, Leased};
use crate::command::{Beat, BusAnswer, BusCommand, Operation};
use crate::machine::core::{Core, Purpose};
use crate::machine::room::Room;
use crate::partition::Topic;
use crate::scripts::Delta;
use fanfare_protocol::ids::AppId;

/// Between two beats.
const BEAT: u64 = 1_000;

/// Between two beats when a delta of another epoch was heard.
const BEAT_IN_DOUBT: u64 = 100;

/// Topics whose numbers are asked for at once.
const MOST_TOPICS: usize = 100;

impl Leased {
    /// Time goes on.
    pub fn tick(&mut self, core: &mut Core) {
        if matches!(self.lease, Lease::Resting(until) if until <= core.now) {
            self.hello(core);
        }
        self.tick_hooks(core);
        if self.lease != Lease::Up {
            return;
        }
        if self.settles.is_some_and(|at| at <= core.now) {
            // Everybody has announced by now; until now rosters have only added (N8).
            self.settles = None;
            self.in_rooms(core, Room::want_all);
        }
        if self.full_until.is_some_and(|until| until <= core.now) {
            self.full_until = None;
            self.in_rooms(core, Room::try_again);
        }
        if self.next_beat <= core.now {
            (self.next_beat, self.last_beat) = (core.now + BEAT, core.now);
            self.beat(core);
        }
    }

    /// When something is to be done next.
    pub fn next(&self, core: &Core) -> Option<u64> {
        if let Lease::Resting(until) = self.lease {
            return [Some(until), self.next_hooks(core)].into_iter().flatten().min();
        }
        let is_up = self.lease == Lease::Up;
        let beat = is_up.then_some(self.next_beat);
        let times = [beat, self.settles, self.full_until, self.next_reap(core.now), self.next_hooks(core)];
        times.into_iter().flatten().min()
    }

    /// Says the beat alone.
    fn renew(&mut self, core: &mut Core) {
        let (partition, generation) = (self.number, self.generation);
        let command = BusCommand::Beat { partition, generation, samples: self.samples() };
        core.ask(self.number, Purpose::Beat { sent: core.now }, command);
    }

    fn beat(&mut self, core: &mut Core) {
        self.renew(core);
        let serials: Vec<(AppId, u64)> =
            self.rooms.iter().filter_map(|(app, room)| Some((app.clone(), room.probe_serial()?))).collect();
        for chunk in serials.chunks(MOST_TOPICS) {
            let topics =
                chunk.iter().map(|(app, _)| Topic { partition: self.number, app: app.clone() }).collect();
            core.ask(
                self.number,
                Purpose::Numbers { topics: chunk.to_vec() },
                BusCommand::Numbers { topics },
            );
        }
    }

    pub(super) fn beaten(&mut self, core: &mut Core, sent: u64, answer: BusAnswer) {
        match answer {
            BusAnswer::Beat(beat) if Some(&beat.epoch) == self.epoch.as_ref() => self.go_on(core, sent, beat),
            BusAnswer::Beat(_) => self.hello_again(core, why::OTHER_EPOCH),
            BusAnswer::Fenced => {
                core.numbers.fenced += 1;
                self.hello_again(core, why::FENCED);
            }
            _ => self.rest(core),
        }
    }

    fn go_on(&mut self, core: &mut Core, sent: u64, beat: Beat) {
        core.numbers.unknown += std::mem::take(&mut self.foreign);
        self.sender.beaten = Some(sent);
        for node in &beat.dead {
            self.find_dead(core, node);
        }
        for (app, channel) in beat.late.clone() {
            // A full Redis takes no count; the beat names the channel again in a second, here or elsewhere.
            if self.full_until.is_none() {
                self.in_room(core, &app, |room, _| room.say(Operation::TellCount { channel }));
            }
        }
        self.own_hooks(core, &beat);
        if beat.is_more {
            self.renew(core);
        }
    }

    /// A delta of a topic. One of another epoch may say that this one has ended: Redis is asked at once, because anybody who
    /// may publish there could say so.
    pub fn heard(&mut self, core: &mut Core, app: &AppId, delta: Delta) {
        if self.lease != Lease::Up {
            return;
        }
        if self.epoch.as_ref() == Some(&delta.epoch) {
            if self.rooms.contains_key(app) {
                self.in_room(core, app, |room, core| room.heard(core, delta));
            }
        } else if self.previous.as_ref() != Some(&delta.epoch) {
            self.foreign += 1;
            self.next_beat = self.next_beat.min(core.now.max(self.last_beat + BEAT_IN_DOUBT));
        }
    }
}
