//! All taps of the node: how many there may be, whose they are, and the way back to one (CON-032, CON-033).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;

use super::app_taps::{AppTaps, EntrySource};
use super::filter::LiveFilter;
use super::ring::LiveRing;
use super::tap::{Tap, TapHolder};
use crate::clock::unix_milliseconds;

/// Most taps of a node with a reader, and most altogether.
pub const MOST_TAPS: usize = 8;

/// Most taps of one session or token.
pub const MOST_OF_ONE: usize = 2;

/// A tap that somebody wants to open.
#[derive(Clone, Debug)]
pub struct TapWanted {
    /// The app.
    pub app: AppId,
    /// Which entries.
    pub filter: LiveFilter,
    /// Whether entries show what events carry.
    pub shows_data: bool,
    /// Whose it is.
    pub holder: TapHolder,
    /// The last number that a reader who comes back has got.
    pub after: Option<u64>,
}

/// There are as many taps as there may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "There are as many live lists as there may be: {MOST_TAPS} on a node, {MOST_OF_ONE} of a session; close one of those of {}",
    .holders.join(", ")
)]
pub struct TooManyTaps {
    /// The names of the tokens that have them.
    pub holders: Vec<String>,
}

/// The taps of a node.
#[derive(Debug)]
pub struct Taps {
    /// Taken before the locks of an app's taps and of a ring.
    open: Mutex<Vec<Arc<Tap>>>,
    /// Whether there is any, for whoever would have to find the app first.
    are_open: AtomicBool,
    source: Arc<EntrySource>,
}

impl Default for Taps {
    /// No taps. Numbers go on growing over a start of the server: they begin with the microseconds since 1970, and fewer are
    /// used than these pass.
    fn default() -> Self {
        let source = Arc::new(EntrySource::numbering_from(1000 * unix_milliseconds()));
        Self { open: Mutex::default(), are_open: AtomicBool::new(false), source }
    }
}

impl Taps {
    /// Says what people call the node.
    pub(crate) fn set_name(&self, name: &str) {
        self.source.set_name(name);
    }

    /// Whether anybody listens to any app.
    pub(crate) fn are_open(&self) -> bool {
        self.are_open.load(Ordering::Relaxed)
    }

    /// Opens a tap. A reader who comes back gets what has come since, or else a gap first.
    ///
    /// # Errors
    /// There are as many as there may be.
    pub(super) fn open(&self, of_app: &AppTaps, wanted: TapWanted) -> Result<Arc<Tap>, TooManyTaps> {
        let mut open = self.open.lock();
        let former = wanted.after.and_then(|_| open.iter().find(|tap| wanted.is_same(tap)).cloned());
        let stays = |tap: &&Arc<Tap>| !tap.is_away.load(Ordering::Relaxed);
        let is_own = |tap: &&Arc<Tap>| tap.holder.key == wanted.holder.key;
        let reading = open.iter().filter(stays).count();
        let own = open.iter().filter(stays).filter(is_own).count();
        let is_full = reading >= MOST_TAPS || own >= MOST_OF_ONE;
        if is_full && former.as_ref().is_none_or(|former| !stays(&former)) {
            let holders = open.iter().filter(stays).map(|tap| tap.holder.name.clone());
            return Err(TooManyTaps { holders: holders.collect() });
        }
        let oldest_away = || open.iter().find(|tap| !stays(tap)).filter(|_| open.len() >= MOST_TAPS).cloned();
        let replaced = former.clone().filter(|former| is_full || !stays(&former)).or_else(oldest_away);
        let tap = of_app.add(
            || {
                let ring = ring_after(wanted.after, former.as_ref(), self.source.last_id());
                let TapWanted { app, filter, shows_data, holder, .. } = wanted;
                Arc::new(Tap::new(app, (filter, shows_data), holder, ring))
            },
            &self.source,
        );
        open.push(Arc::clone(&tap));
        self.are_open.store(true, Ordering::Relaxed);
        if let Some(replaced) = replaced {
            open.retain(|tap| !Arc::ptr_eq(tap, &replaced));
            replaced.end();
        }
        Ok(tap)
    }

    pub(super) fn close(&self, of_app: &AppTaps, tap: &Arc<Tap>) {
        let mut open = self.open.lock();
        open.retain(|own| !Arc::ptr_eq(own, tap));
        self.are_open.store(!open.is_empty(), Ordering::Relaxed);
        drop(open);
        of_app.remove(tap);
    }
}

/// The ring of a reader who has got everything up to a number; `last` is the newest of all.
fn ring_after(after: Option<u64>, former: Option<&Arc<Tap>>, last: u64) -> LiveRing {
    let Some(after) = after else { return LiveRing::after(last) };
    if let Some(former) = former.filter(|_| after <= last) {
        let ring = former.ring.lock();
        if ring.has_all_after(after) {
            return ring.copy_after(after);
        }
    }
    let mut ring = LiveRing::after(last);
    ring.begin_with_gap(last);
    ring
}

impl TapWanted {
    fn is_same(&self, tap: &Tap) -> bool {
        let Self { app, filter, shows_data, holder, .. } = self;
        (app, filter, shows_data, holder) == (&tap.app, &tap.filter, &tap.shows_data, &tap.holder)
    }
}
