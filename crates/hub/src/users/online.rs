//! Users online in a cluster: a copy of each watched user's hidden channel, as of a presence channel's roster (CL-050,
//! CL-051).
//!
//! The copy changes by outcomes alone, and watchers are told only if the copy changes, so online and offline alternate
//! for every watcher. A first list waits until all copies are known.

use std::sync::Arc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{Change, ClusterOutcome, CopyId, Joined, OpenChannel, Telling, Ticket};
use fanfare_protocol::ids::{SocketId, UserId};

use super::standing::Standing;
use super::{Table, User, Users};
use crate::conn::Conn;
use crate::sharing::Sharing;

/// What the cluster says of a user, and is told.
#[derive(Debug, Default)]
pub(super) struct SharedUser {
    /// The join that the cluster was told, while the user is signed in on this node.
    ticket: Option<Ticket>,
    /// The cluster has the join.
    is_confirmed: bool,
    /// Present while somebody on this node watches the user.
    copy: Option<OnlineCopy>,
}

#[derive(Debug)]
struct OnlineCopy {
    id: CopyId,
    standing: Standing,
    is_online: bool,
}

impl Users {
    /// Applies what the cluster says about a user's hidden channel.
    pub(crate) fn apply(&self, outcome: ClusterOutcome) {
        let mut table = self.table.lock();
        match outcome {
            ClusterOutcome::Confirmed { user, ticket, .. } => table.confirm(&user, ticket),
            ClusterOutcome::Added { channel, copy, .. } => table.in_copy(&channel, copy, |table, id| {
                table.set_online(id, true);
            }),
            ClusterOutcome::Removed { channel, copy, .. } => table.in_copy(&channel, copy, |table, id| {
                table.set_online(id, false);
            }),
            ClusterOutcome::Roster { channel, copy, users, only_adds } => {
                table.in_copy(&channel, copy, |table, id| table.replace(id, !users.is_empty(), only_adds));
            }
            ClusterOutcome::Doubtful { channel, copy } => {
                table.in_copy(&channel, copy, |table, id| table.set_standing(id, Standing::Doubtful));
            }
            ClusterOutcome::Serve { channel, copy } => table.in_copy(&channel, copy, Table::serve),
            // A hidden channel has no limit, no count and no cache.
            _ => {}
        }
    }

    /// The hidden channels of all users who are signed in or watched on this node; `hooked` says whether a webhook wants to
    /// know of users.
    pub(crate) fn open_channels(&self, hooked: bool) -> Vec<OpenChannel> {
        let table = self.table.lock();
        let shared = table.users.iter().filter_map(|(id, user)| Some((id, user, user.shared.as_ref()?)));
        let open = shared.map(|(id, user, shared)| OpenChannel {
            channel: ChannelName::online(id),
            copy: shared.copy.as_ref().map(|copy| copy.id),
            count: user.signed_in.len(),
            told: Telling::Off,
            users: shared
                .ticket
                .map(|ticket| Joined::online(id, user.since, ticket, hooked))
                .into_iter()
                .collect(),
        });
        open.collect()
    }
}

impl Table {
    /// The user's first connection on this node: watchers hear of it from the cluster.
    pub(super) fn join_cluster(&mut self, id: &UserId, sharing: &Sharing, hooked: bool) {
        let Some(user) = self.users.get_mut(id) else { return };
        let since = user.since;
        let shared = user.shared.get_or_insert_default();
        let ticket = sharing.next_number();
        (shared.ticket, shared.is_confirmed) = (Some(ticket), false);
        sharing.push(Change::Joined(Joined::online(id, since, ticket, hooked)));
        if shared.stands_as(Standing::Served) {
            self.set_online(id, true);
        }
    }

    /// The user's last connection on this node: watchers hear of it from the cluster.
    pub(super) fn leave_cluster(&mut self, id: &UserId, sharing: &Sharing) {
        let shared = self.users.get_mut(id).and_then(|user| user.shared.as_mut());
        let Some(shared) = shared else { return };
        (shared.ticket, shared.is_confirmed) = (None, false);
        let (channel, user) = (ChannelName::online(id), id.clone());
        sharing.push(Change::Left { channel, user, ticket: sharing.next_number() });
    }

    /// The number of the user's connections on this node has changed, perhaps; behind the join or the leave, if there is one.
    pub(super) fn count_in_cluster(&self, id: &UserId, sharing: Option<&Sharing>) {
        let Some(sharing) = sharing else { return };
        let count = self.users.get(id).map_or(0, |user| user.signed_in.len());
        let channel = ChannelName::online(id);
        sharing.push(Change::Counted { channel, count, told: Telling::Off, hooked: false });
    }

    /// Watches one list instead of another; users on both stay watched throughout.
    pub(super) fn watch_in_cluster(
        &mut self,
        conn: &Arc<Conn>,
        before: &[UserId],
        watchlist: &[UserId],
        sharing: &Sharing,
    ) {
        for id in watchlist {
            let user = self.users.entry(id.clone()).or_default();
            user.watchers.insert(conn.id, Arc::clone(conn));
            user.open_if_closed(id, sharing);
        }
        let gone: Vec<UserId> = before.iter().filter(|id| !watchlist.contains(id)).cloned().collect();
        self.unwatch(conn.id, &gone, Some(sharing));
        self.unlisted.insert(conn.id, watchlist.to_vec());
        self.list_if_known(conn.id);
    }

    /// Sends a first list, if every user on it is known.
    fn list_if_known(&mut self, socket: SocketId) {
        let Some(watchlist) = self.unlisted.get(&socket) else { return };
        let user = |id: &UserId| self.users.get(id);
        let is_known = |id: &UserId| user(id).is_some_and(|user| !user.stands_as(Standing::Doubtful));
        if !watchlist.iter().all(is_known) {
            return;
        }
        let conn = watchlist.first().and_then(|id| user(id)?.watchers.get(&socket)).map(Arc::clone);
        let Some(watchlist) = self.unlisted.remove(&socket) else { return };
        if let Some(conn) = conn {
            self.send_list(&conn, &watchlist);
        }
    }

    fn confirm(&mut self, id: &UserId, ticket: Ticket) {
        let shared = self.users.get_mut(id).and_then(|user| user.shared.as_mut());
        let Some(shared) = shared.filter(|shared| shared.ticket == Some(ticket)) else { return };
        shared.is_confirmed = true;
        if shared.stands_as(Standing::Ready) {
            self.set_online(id, true);
        }
    }

    fn in_copy(&mut self, channel: &ChannelName, copy: CopyId, change: impl FnOnce(&mut Self, &UserId)) {
        let Some(id) = channel.online_user().map(UserId::from) else { return };
        let known = self.users.get(&id).and_then(|user| user.shared.as_ref()?.copy.as_ref());
        if known.is_some_and(|known| known.id == copy) {
            change(self, &id);
        }
    }

    /// Changes the copy, and tells the watchers if that is a change; a user who is here for sure stays (N4).
    fn set_online(&mut self, id: &UserId, is_online: bool) {
        let shared = self.users.get_mut(id).and_then(|user| user.shared.as_mut());
        let Some(shared) = shared else { return };
        if !is_online && shared.is_here_for_sure() {
            return;
        }
        let Some(copy) = shared.copy.as_mut().filter(|copy| copy.is_online != is_online) else { return };
        copy.is_online = is_online;
        self.tell_watchers(id, is_online);
    }

    fn replace(&mut self, id: &UserId, is_online: bool, only_adds: bool) {
        if is_online || !only_adds {
            self.set_online(id, is_online);
        }
        self.set_standing(id, Standing::Ready);
    }

    fn serve(&mut self, id: &UserId) {
        let is_here = |user: &User| !user.signed_in.is_empty();
        if self.users.get(id).is_some_and(is_here) {
            self.set_online(id, true);
        }
        self.set_standing(id, Standing::Served);
    }

    /// Watchers who waited get their first list, if they wait for nobody else.
    fn set_standing(&mut self, id: &UserId, standing: Standing) {
        let Some(user) = self.users.get_mut(id) else { return };
        if let Some(copy) = user.shared.as_mut().and_then(|shared| shared.copy.as_mut()) {
            copy.standing = standing;
        }
        if standing == Standing::Doubtful || self.unlisted.is_empty() {
            return;
        }
        let watchers = user.watchers.keys().filter(|socket| self.unlisted.contains_key(*socket));
        for socket in watchers.copied().collect::<Vec<_>>() {
            self.list_if_known(socket);
        }
    }
}

impl User {
    fn stands_as(&self, standing: Standing) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.stands_as(standing))
    }

    fn open_if_closed(&mut self, id: &UserId, sharing: &Sharing) {
        let shared = self.shared.get_or_insert_default();
        if shared.copy.is_none() {
            let copy = sharing.next_number();
            shared.copy = Some(OnlineCopy { id: copy, standing: Standing::Doubtful, is_online: false });
            sharing.push(Change::Opened { channel: ChannelName::online(id), copy });
        }
    }

    pub(super) fn close_if_unwatched(&mut self, id: &UserId, sharing: Option<&Sharing>) {
        let Some(sharing) = sharing.filter(|_| self.watchers.is_empty()) else { return };
        let copy = self.shared.as_mut().and_then(|shared| shared.copy.take());
        if let Some(copy) = copy {
            sharing.push(Change::Closed { channel: ChannelName::online(id), copy: copy.id });
        }
    }
}

impl SharedUser {
    pub(super) fn is_online(&self) -> bool {
        self.copy.as_ref().is_some_and(|copy| copy.is_online)
    }

    fn stands_as(&self, standing: Standing) -> bool {
        self.copy.as_ref().is_some_and(|copy| copy.standing == standing)
    }

    /// Whether the user is signed in on this node, and the cluster or the watchers know.
    fn is_here_for_sure(&self) -> bool {
        self.ticket.is_some() && (self.is_confirmed || self.stands_as(Standing::Served))
    }
}
