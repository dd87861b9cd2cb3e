//! Who uses which key of an app on this node: connections now, and requests of the last hour (CON-052).
//!
//! A key is looked up once for each connection and each request, never for an event. Knows no clock: `chores` says when a minute is over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use fanfare_protocol::ids::AppKey;
use parking_lot::Mutex;

/// Most keys of an app that are counted at once; an app that changes keys more often has uses that nobody sees.
const MOST_KEYS: usize = 50;

/// Minutes of an hour.
const MINUTES: usize = 60;

/// The keys of an app that are used.
#[derive(Debug, Default)]
pub struct KeyUses {
    /// The lock guards the list only.
    keys: Mutex<Vec<(AppKey, Arc<KeyUse>)>>,
}

/// The use of one key.
#[derive(Debug, Default)]
pub struct KeyUse {
    connections: AtomicUsize,
    requests: AtomicU64,
    /// The requests at the end of each of the last minutes.
    earlier: Mutex<VecDeque<u64>>,
}

/// A connection that came by a key, until it is dropped.
#[derive(Debug)]
pub struct KeyInUse(Arc<KeyUse>);

impl KeyUses {
    /// Counts a connection that came by the key.
    #[must_use]
    pub fn connected(&self, key: &str) -> KeyInUse {
        let used = self.of(key);
        used.connections.fetch_add(1, Ordering::Relaxed);
        KeyInUse(used)
    }

    /// Counts a request that was signed with the key.
    pub fn requested(&self, key: &str) {
        self.of(key).requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Each key with its connections now and its requests of the last hour.
    #[must_use]
    pub fn all(&self) -> Vec<(AppKey, usize, u64)> {
        let keys = self.keys.lock();
        let numbers = |(key, used): &(AppKey, Arc<KeyUse>)| {
            (key.clone(), used.connections.load(Ordering::Relaxed), used.last_hour())
        };
        keys.iter().map(numbers).collect()
    }

    /// A minute is over: forgets what is older than an hour, and keys that were not used for an hour.
    pub fn minute_is_over(&self) {
        self.keys.lock().retain(|(_, used)| used.minute_is_over());
    }

    fn of(&self, key: &str) -> Arc<KeyUse> {
        let mut keys = self.keys.lock();
        if let Some((_, used)) = keys.iter().find(|(known, _)| known.as_str() == key) {
            return Arc::clone(used);
        }
        let used = Arc::<KeyUse>::default();
        if keys.len() < MOST_KEYS {
            keys.push((AppKey::from(key), Arc::clone(&used)));
        }
        used
    }
}

impl KeyUse {
    fn last_hour(&self) -> u64 {
        let earlier = self.earlier.lock();
        let before = earlier.front().filter(|_| earlier.len() == MINUTES).copied().unwrap_or_default();
        self.requests.load(Ordering::Relaxed) - before
    }

    /// Whether the key was used in the last hour.
    fn minute_is_over(&self) -> bool {
        let mut earlier = self.earlier.lock();
        if earlier.len() == MINUTES {
            earlier.pop_front();
        }
        earlier.push_back(self.requests.load(Ordering::Relaxed));
        let is_idle = earlier.len() == MINUTES && earlier.front() == earlier.back();
        !is_idle || self.connections.load(Ordering::Relaxed) > 0
    }
}

impl Drop for KeyInUse {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl KeyUses {
        fn numbers(&self, key: &str) -> (usize, u64) {
            let all = self.all();
            let found = all.iter().find(|(known, ..)| known.as_str() == key);
            found.map_or((0, 0), |(_, connections, requests)| (*connections, *requests))
        }
    }

    #[test]
    fn con_052_connections_are_counted_until_they_end_and_requests_for_an_hour() {
        let keys = KeyUses::default();
        let connections = [keys.connected("a"), keys.connected("a"), keys.connected("b")];
        keys.requested("a");
        assert_eq!((keys.numbers("a"), keys.numbers("b"), keys.numbers("c")), ((2, 1), (1, 0), (0, 0)));
        for _ in 0..MINUTES - 1 {
            keys.minute_is_over();
            keys.requested("b");
        }
        assert_eq!((keys.numbers("a"), keys.numbers("b")), ((2, 1), (1, 59)));
        keys.minute_is_over();
        assert_eq!((keys.numbers("a"), keys.numbers("b")), ((2, 0), (1, 59)));
        drop(connections);
        assert_eq!((keys.numbers("a"), keys.numbers("b")), ((0, 0), (0, 59)));
        for _ in 0..MINUTES {
            keys.minute_is_over();
        }
        assert!(keys.keys.lock().is_empty(), "nobody has used them for an hour");
    }

    #[test]
    fn con_052_an_app_counts_so_many_keys_and_no_more() {
        let keys = KeyUses::default();
        let held: Vec<KeyInUse> = (0..2 * MOST_KEYS).map(|key| keys.connected(&key.to_string())).collect();
        assert_eq!(keys.keys.lock().len(), MOST_KEYS);
        assert_eq!((keys.numbers("0"), keys.numbers("99")), ((1, 0), (0, 0)));
        drop(held);
        for _ in 0..MINUTES {
            keys.minute_is_over();
        }
        keys.requested("99");
        assert_eq!(keys.numbers("99"), (0, 1), "there is room again");
    }
}
