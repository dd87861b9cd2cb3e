//! All taps of the node: how many there may be, whose they are, and the way back to one (CON-032, CON-033).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;

use super::app_taps::{AppTaps, EntrySource};
use super::filter::LiveFilter;
use super::lease::TapLease;
use super::ring::LiveRing;
use super::served::{ServedKey, ServedTap, ServedTaps, TooManyServed};
use super::tap::{Tap, TapHolder};
use super::told::ToldItem;
use crate::clock::unix_milliseconds;

/// Most taps of a node with a reader, and most altogether.
pub const MOST_TAPS: usize = 8;

/// Most taps of one session or token.
pub const MOST_OF_ONE: usize = 2;

/// Most taps of all tokens that are bound to apps: operators can always look themselves (CON-016).
const MOST_OF_BOUND: usize = 6;

/// Most taps of one token that is bound to apps, whatever its sessions.
const MOST_OF_ONE_BOUND: usize = 4;

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
    "There are as many live lists as there may be: {MOST_TAPS} on a node, {MOST_OF_BOUND} of tokens that are bound to apps, \
     {MOST_OF_ONE_BOUND} of one of these, {MOST_OF_ONE} of a session; close one of those of {}",
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
    /// How many there are, those of other nodes among them, for whoever would have to find the app first.
    count: AtomicUsize,
    source: Arc<EntrySource>,
    /// The taps of other nodes.
    pub(super) served: ServedTaps,
    /// The number of the last lease.
    last_lease: AtomicU64,
}

/// Who reads the taps of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaseReader {
    /// Somebody.
    Here,
    /// Nobody at the moment.
    Away,
    /// There is no such tap any more.
    Gone,
}

impl Default for Taps {
    /// No taps. Numbers go on growing over a start of the server: they begin with the microseconds since 1970, and fewer are
    /// used than these pass.
    fn default() -> Self {
        let source = Arc::new(EntrySource::numbering_from(1000 * unix_milliseconds()));
        Self {
            open: Mutex::default(),
            count: AtomicUsize::new(0),
            source,
            served: ServedTaps::default(),
            last_lease: AtomicU64::new(0),
        }
    }
}

impl Taps {
    /// Says what people call the node.
    pub(crate) fn set_name(&self, name: &str) {
        self.source.set_name(name);
    }

    /// Whether anybody listens to any app.
    pub(crate) fn are_open(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// How many taps of this node are open, those among them whose reader may come back, and how many of other nodes.
    #[must_use]
    pub fn numbers(&self) -> (usize, usize) {
        (self.open.lock().len(), self.served.count())
    }

    /// Opens a tap, which the other nodes are told of if there are any. A reader who comes back gets what has come since, or else
    /// a gap first.
    ///
    /// # Errors
    /// There are as many as there may be.
    pub(super) fn open(
        &self,
        of_app: &AppTaps,
        wanted: TapWanted,
        is_alone: bool,
    ) -> Result<Arc<Tap>, TooManyTaps> {
        let mut open = self.open.lock();
        let former = wanted.after.and_then(|_| open.iter().find(|tap| wanted.is_same(tap)).cloned());
        let stays = |tap: &&Arc<Tap>| !tap.is_away.load(Ordering::Relaxed);
        let is_full = wanted.holder.is_at_its_most(open.iter().filter(stays).map(|tap| &tap.holder));
        if is_full && former.as_ref().is_none_or(|former| !stays(&former)) {
            let holders = open.iter().filter(stays).map(|tap| tap.holder.name.clone());
            return Err(TooManyTaps { holders: holders.collect() });
        }
        let oldest_away = || open.iter().find(|tap| !stays(tap)).filter(|_| open.len() >= MOST_TAPS).cloned();
        let replaced = former.clone().filter(|former| is_full || !stays(&former)).or_else(oldest_away);
        let known = former.as_ref().and_then(|former| former.lease.clone()).filter(|lease| !lease.is_over());
        let lease = known.or_else(|| (!is_alone).then(|| self.lease(&wanted)));
        let tap = of_app.add(
            || {
                let ring = ring_after(wanted.after, former.as_ref(), self.source.last_id());
                let TapWanted { app, filter, shows_data, holder, .. } = wanted;
                Arc::new(Tap::new(app, (filter, shows_data), holder, (ring, lease)))
            },
            &self.source,
        );
        open.push(Arc::clone(&tap));
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(replaced) = replaced {
            open.retain(|tap| !Arc::ptr_eq(tap, &replaced));
            replaced.end();
        }
        Ok(tap)
    }

    /// Ends the taps of a token that is not valid any more, those of its sessions too; on this node alone.
    pub fn end_of_token(&self, token: i64) {
        self.end_of(|holder| holder.token == token);
    }

    /// Ends the taps of a session that is over; on this node alone.
    pub fn end_of_session(&self, session: &str) {
        self.end_of(|holder| holder.session.as_deref() == Some(session));
    }

    fn end_of(&self, is_over: impl Fn(&TapHolder) -> bool) {
        let open = self.open.lock();
        open.iter().filter(|tap| is_over(&tap.holder)).for_each(|tap| tap.end());
    }

    pub(super) fn close(&self, of_app: &AppTaps, tap: &Arc<Tap>) {
        let mut open = self.open.lock();
        open.retain(|own| !Arc::ptr_eq(own, tap));
        if let Some(lease) = tap.lease.as_ref().filter(|lease| !open.iter().any(|own| own.is_under(lease))) {
            lease.end();
        }
        drop(open);
        of_app.remove(tap);
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// What the other nodes are told of a tap.
    fn lease(&self, wanted: &TapWanted) -> Arc<TapLease> {
        let TapWanted { app, filter, shows_data, .. } = wanted;
        let number = self.last_lease.fetch_add(1, Ordering::Relaxed) + 1;
        let about = serde_json::to_vec(&filter.told(*shows_data)).unwrap_or_default();
        Arc::new(TapLease::new(number, app.clone(), about))
    }

    /// The lease with this number.
    pub(super) fn leased(&self, number: u64) -> Option<Arc<TapLease>> {
        let open = self.open.lock();
        open.iter().filter_map(|tap| tap.lease.as_ref()).find(|lease| lease.number == number).cloned()
    }

    /// Who reads the taps of a lease.
    pub(super) fn reader(&self, lease: &Arc<TapLease>) -> LeaseReader {
        let open = self.open.lock();
        let under = open.iter().filter(|tap| tap.is_under(lease));
        under.fold(LeaseReader::Gone, |reader, tap| match reader {
            LeaseReader::Here => LeaseReader::Here,
            LeaseReader::Gone | LeaseReader::Away if tap.is_away.load(Ordering::Relaxed) => LeaseReader::Away,
            LeaseReader::Gone | LeaseReader::Away => LeaseReader::Here,
        })
    }

    /// Ends a lease whose tap has no reader, who is told of a gap on coming back; false if there is one by now.
    pub(super) fn let_lapse(&self, of_app: &AppTaps, lease: &Arc<TapLease>) -> bool {
        // Nobody takes the lease over meanwhile.
        let open = self.open.lock();
        let is_read = |tap: &&Arc<Tap>| tap.is_under(lease) && !tap.is_away.load(Ordering::Relaxed);
        if open.iter().any(|tap| is_read(&tap)) {
            return false;
        }
        of_app.take_in(lease, vec![ToldItem::LeftOut(None, false)]);
        lease.end();
        true
    }

    /// Looks for a tap of another node.
    ///
    /// # Errors
    /// This node looks for as many as it may.
    pub(super) fn serve(
        &self,
        of_app: &AppTaps,
        (key, lease): (ServedKey, Duration),
        (app, filter, shows_data): (AppId, LiveFilter, bool),
    ) -> Result<Arc<ServedTap>, TooManyServed> {
        let holder = TapHolder { token: 0, session: None, name: String::new(), is_bound: false };
        let made = || {
            let ring = LiveRing::after(self.source.last_id());
            Arc::new(Tap::new(app, (filter, shows_data), holder, (ring, None)))
        };
        let served = self.served.add(key, || of_app.add(made, &self.source), lease)?;
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(served)
    }

    pub(super) fn end_serving(&self, of_app: &AppTaps, (key, served): (ServedKey, &ServedTap)) {
        self.served.remove(key);
        of_app.remove(&served.tap);
        self.count.fetch_sub(1, Ordering::Relaxed);
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

impl TapHolder {
    /// Whether this holder has no further tap beside those of `reading`.
    fn is_at_its_most<'a>(&self, reading: impl Iterator<Item = &'a Self>) -> bool {
        let (mut all, mut own, mut bound, mut of_token) = (0, 0, 0, 0);
        for other in reading {
            all += 1;
            own += usize::from((other.token, &other.session) == (self.token, &self.session));
            bound += usize::from(other.is_bound);
            of_token += usize::from(other.token == self.token);
        }
        all >= MOST_TAPS
            || own >= MOST_OF_ONE
            || self.is_bound && (bound >= MOST_OF_BOUND || of_token >= MOST_OF_ONE_BOUND)
    }
}

impl TapWanted {
    fn is_same(&self, tap: &Tap) -> bool {
        let Self { app, filter, shows_data, holder, .. } = self;
        (app, filter, shows_data, holder) == (&tap.app, &tap.filter, &tap.shows_data, &tap.holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(session: usize, bound: Option<i64>) -> TapHolder {
        let (token, session) = (bound.unwrap_or_default(), Some(session.to_string()));
        TapHolder { token, session, name: String::new(), is_bound: bound.is_some() }
    }

    /// Opens a tap for a session of a token, or for the token itself.
    fn opened(taps: &Taps, of_app: &AppTaps, token: i64, session: Option<&str>) -> Arc<Tap> {
        let session = session.map(str::to_owned);
        let holder = TapHolder { token, session, name: String::new(), is_bound: false };
        let (app, filter) = (AppId::from("3"), LiveFilter::default());
        let wanted = TapWanted { app, filter, shows_data: false, holder, after: None };
        taps.open(of_app, wanted, true).expect("a place")
    }

    #[test]
    fn con_027_the_taps_of_a_token_with_its_sessions_or_of_one_session_are_ended_and_no_others() {
        let (taps, of_app) = (Taps::default(), AppTaps::default());
        let all: Vec<Arc<Tap>> = [(1, None), (1, Some("a")), (1, Some("b")), (2, None), (2, Some("c"))]
            .map(|(token, session)| opened(&taps, &of_app, token, session))
            .into();
        let ended = || all.iter().map(|tap| tap.is_ended()).collect::<Vec<_>>();
        taps.end_of_session("b");
        assert_eq!(ended(), [false, false, true, false, false]);
        taps.end_of_token(1);
        assert_eq!(ended(), [true, true, true, false, false]);
    }

    #[test]
    fn con_032_a_token_that_is_bound_to_apps_has_no_more_taps_for_more_sessions() {
        let open: Vec<TapHolder> = (0..4).map(|session| holder(session, Some(1))).collect();
        let is_full = |wanted: &TapHolder, open: &[TapHolder]| wanted.is_at_its_most(open.iter());
        assert!(!is_full(&open[3], &open[..3]) && is_full(&holder(4, Some(1)), &open));
        assert!(!is_full(&holder(4, Some(2)), &open), "another token");
        assert!(!is_full(&holder(4, None), &open), "a token of all apps");
        let free: Vec<TapHolder> = (0..7).map(|session| holder(session, None)).collect();
        assert!(!is_full(&holder(8, None), &free), "sessions of a token that is not bound");
    }
}
