//! What was refused, to whom and why: the one place where a refusal is made known (CON-044, CON-045).
//!
//! Strangers cause refusals by the thousand, so that a refusal like one before costs no memory, and holds no lock that another
//! app's refusal needs. In memory alone. Never holds a secret, a signature or what an event carries: callers leave these out.

mod noted;
mod ring;
mod seen;
mod webhooks;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use fanfare_protocol::ids::AppId;
use parking_lot::RwLock;

use ring::Ring;

pub use noted::{NotedRefusal, RefusalKind};
pub use ring::{MOST_REFUSALS, RefusalRow};
pub use webhooks::follow_webhooks;

pub(crate) use webhooks::{dropped_between_nodes, kept_dropped};

/// Most apps whose refusals are kept.
const MOST_APPS: usize = 1000;

/// Most bytes of the refusals of all apps together.
const MOST_BYTES: usize = 16 << 20;

/// The last refusals of each app, and of no app.
#[derive(Debug)]
pub struct Refusals {
    bounds: Bounds,
    /// Hashes texts: strangers choose them, and must not find two of one hash.
    hashes: RandomState,
    /// The number of the last row.
    last: AtomicU64,
    /// Bytes of the rows of all apps.
    bytes: Arc<AtomicUsize>,
    /// The lock guards the table, and is held for a look-up.
    of_apps: RwLock<HashMap<AppId, Arc<Ring>>>,
    of_nobody: Ring,
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    apps: usize,
    bytes: usize,
}

impl Default for Refusals {
    fn default() -> Self {
        Self::new(Bounds { apps: MOST_APPS, bytes: MOST_BYTES })
    }
}

impl Refusals {
    fn new(bounds: Bounds) -> Self {
        let bytes = Arc::<AtomicUsize>::default();
        Self {
            bounds,
            hashes: RandomState::new(),
            last: AtomicU64::new(0),
            of_nobody: Ring::new(&bytes),
            of_apps: RwLock::default(),
            bytes,
        }
    }

    /// The refusals of an app, or of no app, the newest first.
    #[must_use]
    pub fn show(&self, app: Option<&AppId>) -> Vec<RefusalRow> {
        match app {
            None => self.of_nobody.show(),
            Some(app) => {
                let ring = self.of_apps.read().get(app).map(Arc::clone);
                ring.map(|ring| ring.show()).unwrap_or_default()
            }
        }
    }

    /// The number of an app's refusals, as long as any is kept.
    #[must_use]
    pub fn made(&self, app: &AppId) -> u64 {
        self.of_apps.read().get(app).map_or(0, |ring| ring.made())
    }

    /// Forgets the refusals of an app that there is no more.
    pub(crate) fn forget(&self, app: &AppId) {
        self.of_apps.write().remove(app);
    }

    fn keep(&self, app: Option<&AppId>, refusal: &NotedRefusal<'_>, now: u64) {
        // Before any lock is taken.
        let mut hasher = Hashing(self.hashes.build_hasher());
        let _ = write!(hasher, "{}", refusal.text);
        let hash = hasher.0.finish();
        let next = || self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let has_grown = match app {
            None => self.of_nobody.keep(refusal, hash, now, next),
            Some(app) => self.ring_of(app).keep(refusal, hash, now, next),
        };
        if has_grown && self.bytes.load(Ordering::Relaxed) > self.bounds.bytes {
            self.make_room();
        }
    }

    fn ring_of(&self, app: &AppId) -> Arc<Ring> {
        if let Some(known) = self.of_apps.read().get(app) {
            return Arc::clone(known);
        }
        let is_full = self.of_apps.read().len() >= self.bounds.apps;
        if is_full {
            self.make_room();
        }
        let mut of_apps = self.of_apps.write();
        Arc::clone(of_apps.entry(app.clone()).or_insert_with(|| Arc::new(Ring::new(&self.bytes))))
    }

    /// The apps to which nothing was refused for the longest time lose their refusals, until an eighth of the room is free.
    fn make_room(&self) {
        let mut of_apps = self.of_apps.write();
        let mut by_age: Vec<(u64, AppId)> =
            of_apps.iter().map(|(app, ring)| (ring.last_at(), app.clone())).collect();
        by_age.sort_unstable();
        let Bounds { apps, bytes } = self.bounds;
        for (_, app) in by_age {
            let has_room = of_apps.len() <= apps / 8 * 7;
            if has_room && self.bytes.load(Ordering::Relaxed) <= bytes / 8 * 7 {
                break;
            }
            of_apps.remove(&app);
        }
    }
}

/// Hashes what is written.
struct Hashing<H>(H);

impl<H: Hasher> std::fmt::Write for Hashing<H> {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        self.0.write(part.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
