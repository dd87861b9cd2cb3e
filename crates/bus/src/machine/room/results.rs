//! What came of a batch.

use super::Room;
use crate::command::{Applied, Operation};
use crate::machine::core::{About, Core};

impl Room {
    /// The batch was applied; the epoch is so old.
    pub fn applied(
        &mut self,
        core: &mut Core,
        sent: Vec<(Operation, About)>,
        results: Vec<Applied>,
        age: u64,
    ) {
        for ((operation, about), result) in sent.into_iter().zip(results) {
            match about {
                About::Row { channel, user, ticket } => {
                    let Applied { status, number, .. } = result;
                    self.row_stated(core, (channel, user), ticket, (status, number));
                }
                About::Count { channel, count, wish } => {
                    self.count_stated(core, &channel, (count, wish), &result);
                }
                About::Tell { channel } => self.late_told(core, channel, &result),
                About::Roster { channel, asked } => {
                    self.roster_answered(core, (channel, asked), (result.number, age), result.roster);
                }
                About::Swept => {
                    if let Operation::CountOld { channel } = operation {
                        self.late_told(core, channel, &result);
                    }
                }
                About::Adopted { channel } => {
                    self.adopted.remove(&channel);
                }
                About::Other => {}
            }
        }
    }
}
