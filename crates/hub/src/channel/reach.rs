//! Whom an event of the channel reaches, counted for whoever asks where an event went (CON-042).
//!
//! Only looks; an event that nobody asks about is not counted here.

use fanfare_protocol::ids::SocketId;

use super::Channel;
use crate::outbox::Flow;

/// The subscribers of a channel on this node, as an event meets them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventReach {
    /// Subscribed connections, also those that the event is not for.
    pub subscribers: usize,
    /// Connections whose outbox takes the event.
    pub took: usize,
    /// Subscribed connections that the publisher has excluded.
    pub excluded: usize,
    /// Connections that read too slowly: their socket is full, so that the event waits behind earlier ones.
    pub slow: usize,
}

impl Channel {
    /// Whom an event would reach now.
    pub(crate) fn reach(&self, except: Option<SocketId>) -> EventReach {
        let mut reach = EventReach { subscribers: self.subscriptions(), ..EventReach::default() };
        reach.excluded = usize::from(except.is_some_and(|socket| self.has_member(socket)));
        for (socket, member) in &self.members {
            if Some(*socket) == except {
                continue;
            }
            match member.conn.outbox.flow() {
                Flow::Free => reach.took += 1,
                Flow::Stuck => {
                    reach.took += 1;
                    reach.slow += 1;
                }
                Flow::Ending => {}
            }
        }
        reach
    }
}
