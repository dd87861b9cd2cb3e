//! The taps of one app: told of what happens, by whoever sees it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::entry::LiveEntry;
use super::fact::LiveFact;
use super::lease::TapLease;
use super::tap::Tap;
use super::told::ToldItem;

/// What the entries of all apps share: their numbers, the name of the node, and a clock.
#[derive(Debug)]
pub(super) struct EntrySource {
    last_id: AtomicU64,
    name: OnceLock<Box<str>>,
    started: Instant,
}

impl EntrySource {
    pub(super) fn numbering_from(id: u64) -> Self {
        Self { last_id: AtomicU64::new(id), name: OnceLock::new(), started: Instant::now() }
    }

    pub(super) fn set_name(&self, name: &str) {
        // Said once, by the start.
        let _ = self.name.set(name.into());
    }

    /// The number of the newest entry.
    pub(super) fn last_id(&self) -> u64 {
        self.last_id.load(Ordering::Relaxed)
    }

    /// The number of the next entry; the one before is free for a place where entries are missing.
    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(2, Ordering::Relaxed) + 2
    }

    /// Nanoseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The taps of an app on this node.
#[derive(Debug, Default)]
pub struct AppTaps {
    /// Whether there is any: all that is looked at where nobody listens.
    are_open: AtomicBool,
    /// Guards the list, and keeps the entries of all taps in one order. No tap is read under the lock.
    taps: Mutex<Vec<Arc<Tap>>>,
    source: OnceLock<Arc<EntrySource>>,
}

impl AppTaps {
    /// Whether anybody listens.
    #[must_use]
    pub fn are_open(&self) -> bool {
        self.are_open.load(Ordering::Relaxed)
    }

    /// Tells the taps of what has happened, if any is open. The fact is made only then.
    pub fn tell<'a>(&self, fact: impl FnOnce() -> LiveFact<'a>) {
        if self.are_open() {
            self.tell_open(&fact());
        }
    }

    fn tell_open(&self, fact: &LiveFact<'_>) {
        let Some(source) = self.source.get() else { return };
        let taps = self.taps.lock();
        let mut wanting = taps.iter().filter(|tap| tap.filter.wants(fact)).peekable();
        if wanting.peek().is_none() {
            return;
        }
        let at = (source.now(), source.next_id());
        let keeps_data = fact.frame.is_some() && taps.iter().any(|tap| tap.shows_data);
        let mut made = None;
        for tap in wanting {
            tap.offer(fact.kind, at, || {
                let make = || {
                    Arc::new(LiveEntry::new(
                        at.1,
                        source.name.get().map_or("", |name| name),
                        fact,
                        keeps_data,
                    ))
                };
                Arc::clone(made.get_or_insert_with(make))
            });
        }
    }

    /// Puts what another node has told into the taps of a lease; whoever tells something here meanwhile comes in between.
    pub(super) fn take_in(&self, lease: &Arc<TapLease>, items: Vec<ToldItem>) {
        let Some(source) = self.source.get() else { return };
        for item in items {
            let taps = self.taps.lock();
            let (now, id) = (source.now(), source.next_id());
            let under = taps.iter().filter(|tap| tap.is_under(lease));
            match item {
                ToldItem::Entry(kind, members) => {
                    let mut made = None;
                    let mut members = Some(members);
                    for tap in under {
                        tap.offer(kind, (now, id), || {
                            let make = || {
                                let members = members.take().unwrap_or_default();
                                Arc::new(LiveEntry::of_other_node(id, kind, members))
                            };
                            Arc::clone(made.get_or_insert_with(make))
                        });
                    }
                }
                ToldItem::LeftOut(kinds, is_sample) => {
                    under.for_each(|tap| tap.leave_out_there(kinds.clone(), is_sample, id));
                }
            }
        }
    }

    /// Adds what `made` makes while nothing is told; its entries come from this source, which is the same for all.
    pub(super) fn add(&self, made: impl FnOnce() -> Arc<Tap>, source: &Arc<EntrySource>) -> Arc<Tap> {
        self.source.get_or_init(|| Arc::clone(source));
        let mut taps = self.taps.lock();
        let tap = made();
        taps.push(Arc::clone(&tap));
        self.are_open.store(true, Ordering::Relaxed);
        tap
    }

    pub(super) fn remove(&self, tap: &Arc<Tap>) {
        let mut taps = self.taps.lock();
        taps.retain(|own| !Arc::ptr_eq(own, tap));
        self.are_open.store(!taps.is_empty(), Ordering::Relaxed);
    }
}
