//! The taps of other nodes that this node looks for: how many there may be, and until when (CON-037).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::tap::Tap;

/// Most taps of all other nodes together that a node looks for.
pub const MOST_SERVED: usize = 32;

/// Longest lease that is taken.
const LONGEST_LEASE: Duration = Duration::from_secs(60);

/// A tap of another node: the node, and the tap's number there.
pub(super) type ServedKey = (u64, u64);

/// A tap of another node.
#[derive(Debug)]
pub(super) struct ServedTap {
    pub tap: Arc<Tap>,
    until: Mutex<Instant>,
    /// The other node waits for a sign of life.
    is_renewed: AtomicBool,
}

impl ServedTap {
    fn renew(&self, lease: Duration) {
        *self.until.lock() = Instant::now() + lease.min(LONGEST_LEASE);
        self.is_renewed.store(true, Ordering::Release);
        self.tap.bell.notify_one();
    }

    /// When the lease runs out.
    pub fn until(&self) -> Instant {
        *self.until.lock()
    }

    /// Whether the lease was told since this was last asked.
    pub fn take_renewed(&self) -> bool {
        self.is_renewed.swap(false, Ordering::AcqRel)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct ServedTaps(Mutex<HashMap<ServedKey, Arc<ServedTap>>>);

/// There are as many as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyServed;

impl ServedTaps {
    /// Prolongs a lease; without time, ends the tap. False if there is no such tap.
    pub fn renew(&self, key: ServedKey, lease: Duration) -> bool {
        let served = self.0.lock().get(&key).cloned();
        if let Some(served) = &served {
            served.renew(lease);
        }
        served.is_some()
    }

    /// Adds a tap.
    ///
    /// # Errors
    /// There are as many as there may be.
    pub fn add(
        &self,
        key: ServedKey,
        tap: impl FnOnce() -> Arc<Tap>,
        lease: Duration,
    ) -> Result<Arc<ServedTap>, TooManyServed> {
        let mut served = self.0.lock();
        if served.len() >= MOST_SERVED {
            return Err(TooManyServed);
        }
        let added =
            ServedTap { tap: tap(), until: Mutex::new(Instant::now()), is_renewed: AtomicBool::new(false) };
        added.renew(lease);
        let added = Arc::new(added);
        served.insert(key, Arc::clone(&added));
        Ok(added)
    }

    pub fn remove(&self, key: ServedKey) {
        self.0.lock().remove(&key);
    }

    pub fn count(&self) -> usize {
        self.0.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::ids::AppId;

    use super::super::filter::LiveFilter;
    use super::super::ring::LiveRing;
    use super::super::tap::TapHolder;
    use super::*;

    fn tap() -> Arc<Tap> {
        let holder = TapHolder { token: 0, session: None, name: String::new(), is_bound: false };
        Arc::new(Tap::new(
            AppId::from("3"),
            (LiveFilter::default(), false),
            holder,
            (LiveRing::after(0), None),
        ))
    }

    #[test]
    fn con_037_a_node_looks_for_so_many_taps_of_others_and_a_renewed_one_takes_no_further_place() {
        let (served, second) = (ServedTaps::default(), Duration::from_secs(1));
        for number in 0..MOST_SERVED as u64 {
            assert!(served.add((number % 3, number), tap, second).is_ok());
        }
        assert!(matches!(served.add((9, 0), tap, second), Err(TooManyServed)));
        assert!(served.renew((0, 0), second) && !served.renew((9, 0), second));
        assert_eq!(served.count(), MOST_SERVED);
        served.remove((0, 0));
        let added = served.add((9, 0), tap, Duration::MAX).unwrap();
        assert!(added.until() <= Instant::now() + LONGEST_LEASE);
        assert!(added.take_renewed() && !added.take_renewed());
    }
}
