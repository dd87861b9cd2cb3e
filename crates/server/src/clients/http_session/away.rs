//! Sessions whose client asks for nothing at the moment: bounded for each client address.
//!
//! Such a session costs its client no connection, so nothing else stops one stranger from taking all seats of the node.
//! Sessions that poll and those that stream have a bound each: a crowd's polls, which are all away in the moment after an
//! event, keep no stream out.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare_node::addresses::{ByAddress, OfAddress, counted};

use crate::connections::ExemptNetworks;

/// Share of the node's seats, 1 in this many, that one address may hold without a request that waits.
const SHARE: usize = 16;

/// The least bound: a crowd behind one address polls anew at the same moment.
const LEAST: usize = 64;

/// Sessions away, by client address.
#[derive(Debug)]
pub struct AwayBounds {
    away: ByAddress<Counts>,
    most: usize,
    /// Addresses without the bound: all clients behind such a proxy may have its address.
    exempt: ExemptNetworks,
}

/// The sessions of one address that are away.
#[derive(Debug, Default)]
struct Counts {
    polling: AtomicUsize,
    streaming: AtomicUsize,
}

/// Whether one session is away; not counted any more once dropped.
#[derive(Debug)]
pub struct Away {
    /// `None` without a bound.
    counts: Option<Arc<OfAddress<Counts>>>,
    is_stream: bool,
    is_away: bool,
}

impl AwayBounds {
    /// The bounds of a node with so many seats.
    #[must_use]
    pub fn new(seats: usize, exempt: ExemptNetworks) -> Self {
        Self { away: ByAddress::default(), most: (seats / SHARE).max(LEAST), exempt }
    }

    /// Counts a new session of a client that polls; `None` if too many of its address are away.
    #[must_use]
    pub fn enter(&self, client: IpAddr) -> Option<Away> {
        let mut away = self.of(client, false);
        let one_more = |count: usize| (count < self.most).then_some(count + 1);
        if let Some(count) = away.count() {
            count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        }
        away.is_away = true;
        Some(away)
    }

    /// A new session of a client that streams, which is not away; `None` if too many of its address are: a stream that is
    /// broken off at once leaves a session that holds a seat, and no connection, until it ends.
    #[must_use]
    pub fn enter_stream(&self, client: IpAddr) -> Option<Away> {
        let away = self.of(client, true);
        let has_room = away.count().is_none_or(|count| count.load(Ordering::Relaxed) < self.most);
        has_room.then_some(away)
    }

    fn of(&self, client: IpAddr, is_stream: bool) -> Away {
        let address = counted(client, &self.exempt.now());
        let counts = address.map(|address| self.away.of(address, Counts::default));
        Away { counts, is_stream, is_away: false }
    }
}

impl Away {
    /// The client waits for messages, or does not.
    pub fn set(&mut self, is_away: bool) {
        if std::mem::replace(&mut self.is_away, is_away) == is_away {
            return;
        }
        match self.count() {
            Some(count) if is_away => count.fetch_add(1, Ordering::Relaxed),
            Some(count) => count.fetch_sub(1, Ordering::Relaxed),
            None => 0,
        };
    }

    fn count(&self) -> Option<&AtomicUsize> {
        let counts = self.counts.as_ref()?;
        Some(if self.is_stream { &counts.streaming } else { &counts.polling })
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn an_address_has_so_many_sessions_away_and_others_have_theirs() {
        let bounds =
            AwayBounds::new(1, ExemptNetworks::new(vec!["192.0.2.9/32".parse().expect("a network")]));
        let mut held: Vec<_> = (0..LEAST).map(|_| bounds.enter(CLIENT).expect("room")).collect();
        assert!(bounds.enter(CLIENT).is_none());
        assert!(bounds.enter("192.0.2.2".parse().expect("an address")).is_some());
        for _ in 0..=LEAST {
            held.extend(bounds.enter("192.0.2.9".parse().expect("an address")));
        }
        assert_eq!(held.len(), 2 * LEAST + 1, "a trusted proxy");
        held[0].set(false);
        held[0].set(false);
        let another = bounds.enter(CLIENT);
        assert!(another.is_some() && bounds.enter(CLIENT).is_none());
        drop((another, held));
        assert!(bounds.away.is_empty());
    }

    #[test]
    fn polls_that_are_away_keep_no_stream_out_and_streams_that_are_away_do() {
        let bounds = AwayBounds::new(1, ExemptNetworks::default());
        let polls: Vec<_> = (0..LEAST).map(|_| bounds.enter(CLIENT).expect("room")).collect();
        let mut streams: Vec<_> = (0..=LEAST).map(|_| bounds.enter_stream(CLIENT).expect("room")).collect();
        assert!(bounds.enter(CLIENT).is_none());
        streams.iter_mut().skip(1).for_each(|stream| stream.set(true));
        assert!(bounds.enter_stream(CLIENT).is_none());
        drop(polls);
        assert!(bounds.enter(CLIENT).is_some(), "streams that are away keep no poll out");
    }
}
