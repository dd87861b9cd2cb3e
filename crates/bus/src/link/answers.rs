//! What Redis has answered: brought to the machine, to the askers of questions, and to the list of nodes.

use redis::Value;

use super::Link;
use super::batch::{Asked, answer_of, error_in};
use crate::command::{BusAnswer, BusCommand, Failure};

/// Why a lease is taken anew when an answer has another form than this release knows.
const NOT_READ: &str = "Redis has answered what this release cannot read";

impl Link {
    pub(super) fn answers(&mut self, now: u64, with: Vec<Asked>, values: Vec<Value>) {
        let mut values = values.into_iter();
        let mut next = |parts: usize| values.by_ref().take(parts).collect::<Vec<Value>>();
        for asked in with {
            self.shared.counters.sent.add(asked.events());
            match asked {
                Asked::Events(count) => {
                    if error_in(&next(count)).is_some() {
                        self.board.note_loss();
                    }
                }
                Asked::BusCommand { token, command, parts } => {
                    let values = next(parts);
                    let error = error_in(&values);
                    let answer = answer_of(&command, values);
                    match error {
                        Some(error)
                            if matches!(command, BusCommand::Keep { .. } | BusCommand::Read { .. }) =>
                        {
                            self.board.refuse_cache(&error);
                        }
                        Some(error) => self.board.set_why(error),
                        None if matches!(answer, BusAnswer::Failed(Failure::Other)) => {
                            self.board.set_why(NOT_READ);
                        }
                        None => {}
                    }
                    self.machine.answered(now, token, answer);
                }
                Asked::Question { answer, parts } => {
                    let values = next(parts);
                    // The asker may be gone.
                    let _ = answer.map(|answer| answer.send(values));
                }
                Asked::Roll { parts } => {
                    let values = next(parts);
                    let removal = self.roll.as_mut().and_then(|roll| roll.hear(now, &values, &self.shared));
                    removal.into_iter().for_each(|command| self.say(command));
                }
            }
        }
    }
}
