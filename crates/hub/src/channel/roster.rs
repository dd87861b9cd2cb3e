//! The copy of a presence channel's roster: what all acknowledged subscribers of this node hold (CL-014).
//!
//! Copy and subscribers change together, and only if the copy changes, so joins and leaves alternate for every
//! subscriber (CL-012, N3).

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{Joined, Ticket};
use fanfare_protocol::ids::UserId;
use fanfare_protocol::presence::UserInfo;
use fanfare_protocol::webhook::Kind;
use hashbrown::HashSet;
use hashbrown::hash_map::Entry;

use super::Channel;
use super::copy::Here;
use super::member::User;
use super::merging::MemberChange;
use crate::sharing::InCluster;
use crate::sync::RandomState;

impl Channel {
    /// The cluster has the user's join; another ticket than the newest confirms nothing (N5).
    pub(crate) fn confirm(&mut self, user: &UserId, ticket: Ticket, at: &InCluster<'_>) {
        let here = self.copy.as_mut().and_then(|copy| copy.here.get_mut(user));
        let Some(here) = here.filter(|here| here.ticket == ticket) else { return };
        here.is_confirmed = true;
        self.acknowledge_user(user, at);
    }

    /// Adds a user to the copy, and tells the subscribers; a newer `user_info` replaces the older one silently (WS-123).
    pub(crate) fn add_user(&mut self, user: &UserId, info: UserInfo) {
        match self.users.get_or_insert_default().entry(user.clone()) {
            Entry::Occupied(mut known) => known.get_mut().renew(&info),
            Entry::Vacant(vacant) => {
                vacant.insert(User { connections: 0, info: info.clone(), is_replaced: false });
                self.tell_change(user, MemberChange::Came(info));
            }
        }
    }

    /// Removes a user from the copy, and tells the subscribers; not a user who is on this node (N4).
    pub(crate) fn remove_user(&mut self, user: &UserId) {
        if self.is_here_for_sure(user) {
            return;
        }
        let removed = self.users.as_mut().and_then(|users| users.remove(user));
        if let Some(User { info, is_replaced, .. }) = removed {
            self.tell_change(user, MemberChange::Went { info, is_replaced });
        }
    }

    /// Whether the user is on this node, and the cluster or a subscriber of this node knows.
    fn is_here_for_sure(&self, user: &UserId) -> bool {
        let here = self.copy.as_ref().and_then(|copy| copy.here.get(user));
        let is_acknowledged = || {
            let known = self.users.as_ref().and_then(|users| users.get(user));
            known.is_some_and(|user| user.connections > 0)
        };
        here.is_some_and(|here| here.is_confirmed || is_acknowledged())
    }

    /// Takes over a newer `user_info` of this node at once; what the cluster says later is newer still.
    pub(super) fn renew_info(&mut self, user: &UserId, info: &UserInfo) {
        if let Some(known) = self.users.as_mut().and_then(|users| users.get_mut(user)) {
            known.renew(info);
        }
    }

    /// Takes over a reading of the whole roster, and tells the difference (N2); `only_adds` while other nodes may not
    /// have told their users yet (N8).
    pub(crate) fn replace_roster(
        &mut self,
        roster: Vec<(UserId, UserInfo)>,
        only_adds: bool,
        at: &InCluster<'_>,
    ) {
        if !only_adds && let Some(users) = &self.users {
            let there: HashSet<&UserId, RandomState> = roster.iter().map(|(user, _)| user).collect();
            let gone: Vec<UserId> = users.keys().filter(|user| !there.contains(user)).cloned().collect();
            for user in gone {
                self.remove_user(&user);
            }
        }
        for (user, info) in roster {
            self.add_user(&user, info);
        }
        self.set_ready(true);
        self.acknowledge_ready(at);
    }

    /// The roster is being read anew: newcomers wait.
    pub(crate) fn doubt_roster(&mut self) {
        self.set_ready(false);
    }

    fn set_ready(&mut self, is_ready: bool) {
        if let Some(copy) = &mut self.copy {
            copy.is_roster_ready = is_ready;
        }
    }
}

impl Here {
    /// What the cluster is told of the user. Whom the cluster or a subscriber knows already is not counted against the
    /// limit (CL-016).
    pub(super) fn joined(&self, channel: &ChannelName, user: &UserId, at: &InCluster<'_>) -> Joined {
        let is_known = self.is_confirmed || self.connections > self.waiting.len();
        Joined {
            channel: channel.clone(),
            user: user.clone(),
            info: self.info.clone(),
            ticket: self.ticket,
            most: (!is_known).then_some(at.app.limits.members),
            hooked: at.hooks.want(Kind::Presence),
        }
    }
}
