//! What operators list: channels and who is in one, connections, and users (CON-022).
//!
//! A list is read in pieces, each under one lock that is held for a bounded number of entries. An entry that is there from the
//! first piece to the last is shown, however many others come and go; an entry may be shown twice.

use std::ops::Bound;
use std::sync::Arc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::UserInfo;

use super::{AppHub, SHARDS};
use crate::channel::{Channel, Occupancy};
use crate::conn::Conn;
use crate::users::OnlineHere;

/// Most entries of a table that are looked at while its lock is held.
const PIECE: usize = 1000;

/// Most places of channels that are looked at before the caller lets other tasks go on: some twenty microseconds.
const PIECE_OF_CHANNELS: usize = 400;

/// Places of a table that take as long to look at as a lock takes.
const PLACES_OF_A_LOCK: usize = 4;

/// The place where a list of channels goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelsPlace {
    shard: usize,
    bucket: usize,
    /// Size of the shard's table when the place was noted: a table of another size is read anew.
    buckets: usize,
}

/// A piece of the users who are signed in.
#[derive(Debug)]
pub struct SomeUsers {
    /// The users, by id.
    pub users: Vec<OnlineHere>,
    /// Behind whom the next piece begins; `None` behind the last.
    pub next: Option<UserId>,
}

impl AppHub {
    /// Shows a piece of the occupied channels that back ends see, in no order; `cached` says whether the channel has a cached
    /// event at `now`. Returns the place of the next piece, `None` behind the last. `show` is called under the shard's lock.
    pub fn some_channels(
        &self,
        place: ChannelsPlace,
        now: u64,
        mut show: impl FnMut(&ChannelName, Occupancy, bool),
    ) -> Option<ChannelsPlace> {
        self.piece_of_channels(PIECE_OF_CHANNELS, place, |channel| {
            if channel.is_shown() {
                show(&channel.name, channel.counts(), channel.last(now).is_some());
            }
        })
    }

    /// As [`AppHub::some_channels`], the channels that the connection is subscribed to.
    pub fn some_channels_of(
        &self,
        place: ChannelsPlace,
        socket: SocketId,
        mut show: impl FnMut(&ChannelName),
    ) -> Option<ChannelsPlace> {
        self.piece_of_channels(PIECE_OF_CHANNELS, place, |channel| {
            if channel.has_member(socket) {
                show(&channel.name);
            }
        })
    }

    /// Shows the channels at the next `most` places of the shards' tables, under the lock of one shard at a time.
    fn piece_of_channels(
        &self,
        most: usize,
        place: ChannelsPlace,
        mut show: impl FnMut(&Channel),
    ) -> Option<ChannelsPlace> {
        let ChannelsPlace { shard: first, bucket, buckets } = place;
        let mut left = most;
        for number in first..SHARDS {
            let shard = self.shards[number].lock();
            let goes_on = number == first && shard.num_buckets() == buckets;
            let from = if goes_on { bucket } else { 0 };
            let to = (from + left).min(shard.num_buckets());
            (from..to).filter_map(|bucket| shard.get_bucket(bucket)).for_each(&mut show);
            if to < shard.num_buckets() {
                return Some(ChannelsPlace { shard: number, bucket: to, buckets: shard.num_buckets() });
            }
            // A lock costs as much as some places.
            left = left.saturating_sub(to - from + PLACES_OF_A_LOCK);
            if left == 0 && number + 1 < SHARDS {
                return Some(ChannelsPlace { shard: number + 1, ..ChannelsPlace::default() });
            }
        }
        None
    }

    /// Shows a piece of the channel's subscribers, each with the user that it stands for on a presence channel; `below` is the
    /// place that the piece before has returned. Returns `None` behind the last piece. `show` is called under the shard's lock.
    pub fn some_subscribers(
        &self,
        channel: &ChannelName,
        below: Option<usize>,
        show: impl FnMut(&Arc<Conn>, Option<&UserId>),
    ) -> Option<usize> {
        self.look(channel, |channel| channel.piece_of_subscribers(PIECE, below, show)).flatten()
    }

    /// The next open connections behind a socket, by socket: `most`, and never more than a thousand.
    #[must_use]
    pub fn some_conns(&self, after: Option<SocketId>, most: usize) -> Vec<Arc<Conn>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let conns = self.conns.lock();
        let next = conns.range((from, Bound::Unbounded)).take(most.min(PIECE));
        next.map(|(_, conn)| Arc::clone(conn)).collect()
    }

    /// The open connection of this socket.
    #[must_use]
    pub fn conn(&self, socket: SocketId) -> Option<Arc<Conn>> {
        self.conns.lock().get(&socket).map(Arc::clone)
    }

    /// The connections that are signed in as the user, a thousand at most.
    #[must_use]
    pub fn conns_of_user(&self, user: &str) -> Vec<Arc<Conn>> {
        self.users.some_conns(user, PIECE)
    }

    /// A piece of the users who are signed in on this node and whose ids begin with `prefix`, by id.
    #[must_use]
    pub fn some_users(&self, prefix: &str, after: Option<&UserId>) -> SomeUsers {
        let (users, next) = self.users.piece(PIECE, prefix, after);
        SomeUsers { users, next }
    }

    /// How many users are signed in on this node in a piece of those whose ids begin with `prefix`; returns behind whom the next
    /// piece begins.
    #[must_use]
    pub fn count_some_users(&self, prefix: &str, after: Option<&UserId>) -> (usize, Option<UserId>) {
        self.users.count_piece(PIECE, prefix, after)
    }

    /// Of each of these users of a presence channel, the acknowledged connections on this node and the newest `user_info`, in
    /// their order; users who are not there any more are left out.
    #[must_use]
    pub fn some_members(&self, channel: &ChannelName, users: &[UserId]) -> Vec<(UserId, usize, UserInfo)> {
        self.look(channel, |channel| channel.some_members(users)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use fanfare_protocol::ids::SocketId;
    use fanfare_protocol::server;
    use fanfare_protocol::user::UserData;

    use super::*;
    use crate::Subscriptions;

    fn channel(number: usize) -> ChannelName {
        ChannelName::parse(&format!("c{number}"), 164).expect("a name")
    }

    fn hub() -> Arc<AppHub> {
        Arc::new(AppHub::new(crate::test_app("1")))
    }

    fn connected(hub: &Arc<AppHub>, bits: u64) -> Subscriptions {
        Subscriptions::new(Arc::clone(hub), crate::test_conn(bits))
    }

    #[test]
    fn con_022_channels_that_stay_are_listed_in_pieces_whatever_comes_and_goes_meanwhile() {
        const MOST: usize = 3;
        let hub = hub();
        let (mut stays, mut goes) = (connected(&hub, 1), connected(&hub, 2));
        for number in 0..3000 {
            let subscriptions = if number % 3 == 0 { &mut stays } else { &mut goes };
            subscriptions.subscribe(channel(number), None, 0).expect("new");
        }
        let mut found = BTreeSet::new();
        let mut place = Some(ChannelsPlace::default());
        let mut number = 0;
        while let Some(from) = place {
            let mut shown = 0;
            place = hub.piece_of_channels(MOST, from, |channel| {
                shown += 1;
                found.insert(channel.name.clone());
            });
            assert!(shown <= MOST, "one lock for {shown} entries");
            number += 1;
            goes.unsubscribe(&format!("c{number}"));
            goes.subscribe(channel(10_000 + number), None, 0).expect("new");
        }
        assert!((0..3000).step_by(3).all(|number| found.contains(&channel(number))));
    }

    #[test]
    fn con_022_subscribers_that_stay_are_listed_in_pieces_whatever_comes_and_goes_meanwhile() {
        const MOST: usize = 10;
        let (hub, name) = (hub(), channel(0));
        let subscribe = |bits| {
            let mut subscriptions = connected(&hub, bits);
            subscriptions.subscribe(name.clone(), None, 0).expect("new");
            subscriptions
        };
        let _stay: Vec<_> = (0..500).map(subscribe).collect();
        let mut go: Vec<_> = (500..1000).map(subscribe).collect();
        let mut found = BTreeSet::new();
        let mut below = None;
        loop {
            let mut shown = 0;
            below = hub
                .look(&name, |channel| {
                    channel.piece_of_subscribers(MOST, below, |conn, _| {
                        shown += 1;
                        found.insert(conn.id);
                    })
                })
                .flatten();
            assert!(shown <= MOST, "one lock for {shown} entries");
            go.remove(go.len() / 2);
            go.push(subscribe(5000 + go.len() as u64));
            go.remove(0);
            if below.is_none() {
                break;
            }
        }
        assert!((0..500).all(|bits| found.contains(&SocketId::from_bits(bits))));
    }

    /// More than a list counts.
    const MANY: u64 = 100_001;

    #[test]
    fn con_022_of_a_hundred_thousand_channels_subscribers_connections_and_users_a_thousand_are_read_under_one_lock()
     {
        let (hub, everywhere) = (hub(), channel(0));
        let come = |bits: u64| {
            let mut subscriptions = connected(&hub, bits);
            subscriptions.subscribe(everywhere.clone(), None, 0).expect("new");
            let name = ChannelName::parse(&format!("own{bits}"), 164).expect("a name");
            subscriptions.subscribe(name, None, 0).expect("new");
            let id = UserId::from(&*format!("u{bits:06}"));
            let user = UserData { id, user_info: None, watchlist: Vec::new(), watchlist_cut_from: None };
            subscriptions.sign_in(user, &server::pong(), bits);
            subscriptions
        };
        let _crowd: Vec<Subscriptions> = (0..MANY).map(come).collect();
        let all = usize::try_from(MANY).expect("few");

        let (mut found, mut place) = (BTreeSet::new(), Some(ChannelsPlace::default()));
        while let Some(from) = place {
            let before = found.len();
            place = hub.some_channels(from, 0, |name, _, _| {
                found.insert(name.clone());
            });
            assert!(found.len() - before <= PIECE);
        }
        assert_eq!(found.len(), all + 1);
        assert_eq!(hub.totals(), (all + 1, 2 * all));

        let (mut sockets, mut below) = (BTreeSet::new(), None);
        loop {
            let before = sockets.len();
            below = hub.some_subscribers(&everywhere, below, |conn, _| {
                sockets.insert(conn.id);
            });
            assert!(sockets.len() - before <= PIECE);
            if below.is_none() {
                break;
            }
        }
        assert_eq!(sockets.len(), all);

        let mut behind = None;
        while let piece = hub.some_conns(behind, usize::MAX)
            && let Some(last) = piece.last()
        {
            assert!(piece.len() <= PIECE && piece.iter().all(|conn| sockets.remove(&conn.id)));
            behind = Some(last.id);
        }
        assert!(sockets.is_empty());

        for (prefix, expected) in [("", all), ("u0000", 100), ("v", 0)] {
            let (mut count, mut listed, mut after) = (0, 0, None);
            loop {
                let SomeUsers { users, next } = hub.some_users(prefix, after.as_ref());
                let (counted, same) = hub.count_some_users(prefix, after.as_ref());
                assert!(users.len() <= PIECE && next == same);
                (count, listed, after) = (count + counted, listed + users.len(), next);
                if after.is_none() {
                    break;
                }
            }
            assert_eq!((count, listed), (expected, expected), "{prefix}");
        }
    }
}
