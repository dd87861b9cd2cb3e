//! The users who are signed in on this node, in pieces for operators' lists (CON-022).

use std::ops::Bound;
use std::sync::Arc;

use fanfare_protocol::ids::UserId;

use super::{Table, User, Users};
use crate::conn::Conn;

/// A user who is signed in on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlineHere {
    /// The user.
    pub user: UserId,
    /// Signed-in connections.
    pub connections: usize,
    /// When the first of them signed in since there was none, in seconds since 1970.
    pub since: u64,
}

impl Users {
    /// The users among the next `most` of the table whose ids begin with `prefix`, and behind whom the next piece begins.
    pub(crate) fn piece(
        &self,
        most: usize,
        prefix: &str,
        after: Option<&UserId>,
    ) -> (Vec<OnlineHere>, Option<UserId>) {
        let table = self.table.lock();
        let (mut found, mut last, mut looked_at) = (Vec::new(), None, 0);
        for (id, user) in table.behind(prefix, after).take(most) {
            looked_at += 1;
            last = Some(id);
            if !user.signed_in.is_empty() {
                let connections = user.signed_in.len();
                found.push(OnlineHere { user: id.clone(), connections, since: user.since });
            }
        }
        (found, last.filter(|_| looked_at == most).cloned())
    }

    /// How many users are signed in among the next `most` of the table whose ids begin with `prefix`, and behind whom the next
    /// piece begins.
    pub(crate) fn count_piece(
        &self,
        most: usize,
        prefix: &str,
        after: Option<&UserId>,
    ) -> (usize, Option<UserId>) {
        let table = self.table.lock();
        let (mut count, mut last, mut looked_at) = (0, None, 0);
        for (id, user) in table.behind(prefix, after).take(most) {
            looked_at += 1;
            last = Some(id);
            count += usize::from(!user.signed_in.is_empty());
        }
        (count, last.filter(|_| looked_at == most).cloned())
    }

    /// At most so many connections that are signed in as the user.
    pub(crate) fn some_conns(&self, user: &str, most: usize) -> Vec<Arc<Conn>> {
        let table = self.table.lock();
        let signed_in = table.users.get(user).map(|user| &user.signed_in);
        signed_in.into_iter().flat_map(|conns| conns.values()).take(most).map(Arc::clone).collect()
    }
}

impl Table {
    /// The users behind `after` whose ids begin with `prefix`, by id.
    fn behind<'t>(
        &'t self,
        prefix: &'t str,
        after: Option<&UserId>,
    ) -> impl Iterator<Item = (&'t UserId, &'t User)> {
        let from = match after {
            Some(after) if after.as_str() >= prefix => Bound::Excluded(after.as_str()),
            _ => Bound::Included(prefix),
        };
        let range = self.users.range::<str, _>((from, Bound::Unbounded));
        // As of channels, no time is spent on comparing with nothing.
        range.take_while(move |(id, _)| prefix.is_empty() || id.as_str().starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use fanfare_protocol::server;
    use fanfare_protocol::user::UserData;

    use crate::{AppHub, Subscriptions};

    fn signed_in(hub: &Arc<AppHub>, bits: u64, id: &str) -> Subscriptions {
        let mut subscriptions = Subscriptions::new(Arc::clone(hub), crate::test_conn(bits));
        let user = UserData {
            id: id.into(),
            user_info: None,
            watchlist: vec!["watched".into()],
            watchlist_cut_from: None,
        };
        subscriptions.sign_in(user, &server::pong(), bits);
        subscriptions
    }

    #[test]
    fn con_022_users_that_stay_are_listed_in_pieces_whatever_comes_and_goes_meanwhile() {
        const MOST: usize = 7;
        let hub = Arc::new(AppHub::new(crate::test_app("1")));
        let _stay: Vec<_> = (0..100).map(|n| signed_in(&hub, n, &format!("u{n:03}"))).collect();
        let mut go: Vec<_> = (100..200).map(|n| signed_in(&hub, n, &format!("u{:03}g", n - 100))).collect();
        let (mut found, mut after) = (BTreeSet::new(), None);
        loop {
            let (users, next) = hub.users.piece(MOST, "u", after.as_ref());
            assert!(users.len() <= MOST, "one lock for {} entries", users.len());
            found.extend(users.into_iter().map(|row| row.user));
            go.pop();
            go.push(signed_in(&hub, 1000 + go.len() as u64, &format!("u{:03}n", go.len())));
            go.remove(0);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert!((0..100).all(|n| found.contains(&*format!("u{n:03}"))));
        assert!(!found.contains("watched"), "who is only watched is not signed in");
    }
}
