//! A full Redis: leaves are said, joins are served here and said when there is room (CL-106).

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::Telling;

use super::Room;
use crate::command::Operation;
use crate::machine::channel::Wish;
use crate::machine::core::{About, Core};

impl Room {
    /// Redis was full, so nothing of the batch was done, or nothing but leaves.
    pub fn refused(&mut self, core: &mut Core, sent: Vec<(Operation, About)>) {
        for (operation, about) in sent.into_iter().rev() {
            match about {
                About::Row { channel, user, ticket } => {
                    let member = self.channels.get_mut(&channel).and_then(|held| held.members.get_mut(&user));
                    let Some(member) = member else { continue };
                    member.in_flight = member.in_flight.saturating_sub(1);
                    if member.ticket != ticket {
                        continue;
                    }
                    if member.is_present {
                        member.was_served = true;
                    } else {
                        core.leaves += usize::from(!member.is_queued);
                        self.queue_row(&channel, &user);
                    }
                }
                About::Count { channel, .. } => self.count_refused(core, &channel),
                About::Roster { channel, .. } => self.want(core, &channel),
                About::Swept => self.sweep.push_front(operation),
                About::Adopted { channel } => {
                    self.adopted.remove(&channel);
                    self.adopting.push_front(channel);
                }
                About::Tell { .. } | About::Other => self.others.push_front(operation),
            }
        }
        self.serve_all(core);
    }

    fn count_refused(&mut self, core: &mut Core, channel: &ChannelName) {
        let Some(held) = self.channels.get_mut(channel) else { return };
        held.count.in_flight = held.count.in_flight.saturating_sub(1);
        held.count.stated = None;
        held.count.wish = if held.count.told == Telling::Off { Wish::None } else { Wish::All };
        if held.count.count == 0 {
            self.restate_count(core, channel);
        }
    }

    /// There may be room again: everything that Redis does not have is said.
    pub fn try_again(&mut self, core: &mut Core) {
        self.is_full = false;
        let names: Vec<_> = self.channels.keys().cloned().collect();
        for channel in names {
            self.queue_unsaid(&channel);
            self.restate_count(core, &channel);
        }
        self.look_after(core);
    }
}
