//! What Redis has answered, brought to where the question came from.

use fanfare_protocol::ids::AppId;

use super::greeting::why;
use super::{Lease, Leased};
use crate::command::{Applied, BusAnswer, Failure, Operation, Row};
use crate::machine::core::{About, Core, Purpose};

/// How long joins wait after a full Redis.
const FULL: u64 = 1_000;

impl Leased {
    /// The answer to a command that is still waited for.
    pub fn answered(&mut self, core: &mut Core, purpose: Purpose, answer: BusAnswer) {
        match (purpose, answer) {
            (Purpose::Hello, BusAnswer::Hello { epoch, age }) => {
                if self.lease == Lease::Greeting {
                    self.begin(core, epoch, age);
                }
            }
            (Purpose::Hello, _) => self.rest(core),
            (Purpose::Beat { sent }, answer) => self.beaten(core, sent, answer),
            (Purpose::Batch { app, sent }, BusAnswer::Applied { epoch, age, results }) => {
                if self.epoch.as_ref() == Some(&epoch) {
                    self.applied(core, &app, (sent, age), results);
                } else {
                    self.hello_again(core, why::OTHER_EPOCH);
                }
            }
            (Purpose::Batch { app, sent }, BusAnswer::Failed(Failure::OutOfMemory)) => {
                self.refused(core, &app, sent);
            }
            (Purpose::Batch { .. } | Purpose::Take, BusAnswer::Fenced) => {
                core.numbers.fenced += 1;
                self.hello_again(core, why::FENCED);
            }
            (Purpose::Batch { .. }, _) => self.rest(core),
            (Purpose::Numbers { topics }, BusAnswer::Numbers(numbers)) => {
                for ((app, serial), number) in topics.into_iter().zip(numbers) {
                    self.in_known_room(core, &app, |room, core| room.probed(core, serial, number));
                }
            }
            (Purpose::OldRows, answer) => self.old_rows(core, answer),
            (Purpose::Reaping { node, app, sent }, answer) => self.reaped(core, &node, (app, sent), answer),
            (Purpose::RowsOfDead { node }, answer) => self.rows_of_dead(&node, answer),
            (Purpose::RosterPart { app, channel, asked }, answer) => {
                self.in_known_room(core, &app, |room, core| match answer {
                    BusAnswer::RosterPart { users, cursor } => {
                        room.part_answered(core, (channel, asked), users, cursor);
                    }
                    _ => room.part_failed(core, &channel, asked),
                });
            }
            (Purpose::Read { app, channel, copy }, answer) => {
                self.in_known_room(core, &app, |room, core| match answer {
                    BusAnswer::Read(kept) => room.read_answered(core, channel, copy, kept),
                    _ => room.read_failed(core, channel, copy),
                });
            }
            (Purpose::Keep { app, channel }, BusAnswer::Failed(_)) => {
                self.in_known_room(core, &app, |room, core| room.keep_failed(core, &channel));
            }
            (Purpose::Keep { .. }, BusAnswer::NotKept) => core.numbers.refused_oom += 1,
            (Purpose::Miss { app, channel }, BusAnswer::Missed { is_first }) => {
                self.in_known_room(core, &app, |room, core| room.missed(core, channel, is_first));
            }
            (purpose, answer) => self.hooks_answered(core, purpose, answer),
        }
    }

    fn in_known_room(
        &mut self,
        core: &mut Core,
        app: &AppId,
        act: impl FnOnce(&mut crate::machine::room::Room, &mut Core),
    ) {
        if self.rooms.contains_key(app) {
            self.in_room(core, app, act);
        }
    }

    fn applied(
        &mut self,
        core: &mut Core,
        app: &AppId,
        (sent, age): (Vec<(Operation, About)>, u64),
        results: Vec<Applied>,
    ) {
        self.settle_later(core, age);
        self.in_known_room(core, app, |room, core| room.applied(core, sent, results, age));
    }

    /// Redis is full: joins are said again in a second (CL-106).
    fn refused(&mut self, core: &mut Core, app: &AppId, sent: Vec<(Operation, About)>) {
        core.numbers.refused_oom += 1;
        self.full_until = Some(core.now + FULL);
        for room in self.rooms.values_mut() {
            room.is_full = true;
        }
        self.in_known_room(core, app, |room, core| room.refused(core, sent));
    }

    /// Part of what Redis has of this node from before.
    fn old_rows(&mut self, core: &mut Core, answer: BusAnswer) {
        let BusAnswer::Rows { rows, cursor } = answer else { return self.rest(core) };
        for row in rows {
            let app = match &row {
                Row::Member { app, .. } | Row::Count { app, .. } => app.clone(),
            };
            self.in_room(core, &app, |room, _| room.sweep(row));
        }
        if cursor != 0 {
            self.ask_old_rows(core, cursor);
        } else {
            self.is_swept = true;
            self.in_rooms(core, |room, _| room.end_sweep());
        }
    }
}
