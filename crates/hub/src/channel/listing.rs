//! Who is in the channel, in bounded pieces, for operators' lists (CON-022).

use std::sync::Arc;

use fanfare_protocol::ids::UserId;
use fanfare_protocol::presence::UserInfo;

use super::Channel;
use crate::conn::Conn;

impl Channel {
    /// Shows the `most` subscribers below a place in the table, from its end down, and returns where the next piece ends.
    ///
    /// A subscriber that goes is replaced by the last of the table, and a newcomer stands at its end: so whoever stays
    /// either stands below the place, or has been shown. Subscribers that wait for the cluster are shown first, as many as
    /// fit.
    pub(crate) fn piece_of_subscribers(
        &self,
        most: usize,
        below: Option<usize>,
        mut show: impl FnMut(&Arc<Conn>, Option<&UserId>),
    ) -> Option<usize> {
        let mut left = most;
        if below.is_none() {
            let waiting = self.copy.iter().flat_map(|copy| copy.waiting.values()).take(most);
            for member in waiting {
                show(&member.conn, member.user.as_ref());
                left -= 1;
            }
        }
        let end = below.map_or(self.members.len(), |below| below.min(self.members.len()));
        let start = end.saturating_sub(left);
        for (_, member) in (start..end).rev().filter_map(|at| self.members.get_index(at)) {
            show(&member.conn, member.user.as_ref());
        }
        (start > 0).then_some(start)
    }

    /// Of each of these users, the acknowledged connections here and the newest `user_info`.
    pub(crate) fn some_members(&self, users: &[UserId]) -> Vec<(UserId, usize, UserInfo)> {
        let known = users.iter().filter_map(|id| Some((id, self.users.as_ref()?.get(id)?)));
        known.map(|(id, user)| (id.clone(), user.connections, user.info.clone())).collect()
    }
}
