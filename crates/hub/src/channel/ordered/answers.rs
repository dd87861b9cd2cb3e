//! Answers of Redis to the question what is kept of a cache channel, and what is done when there is none.

use fanfare_protocol::cluster::{Change, CopyId, FoundEvent};

use super::fed::covered_by;
use super::reading::{Origin, Pending, Reading};
use super::{Ahead, OrderedCache, was_read};
use crate::cache::Last;
use crate::channel::Channel;
use crate::conn::Sockets;
use crate::sharing::InCluster;

impl Channel {
    /// Takes over what Redis keeps: for the first time, then what has come meanwhile follows; or after the link was
    /// lost.
    pub(crate) fn read_cache(&mut self, found: Option<FoundEvent>, at: &InCluster<'_>) {
        let version = found.as_ref().map_or(0, |found| found.version);
        let lives = |found: &FoundEvent| u64::try_from(found.lives.as_millis()).unwrap_or(u64::MAX);
        let found = found.map(|found| Last::new(&found.frame, at.now.saturating_add(lives(&found))));
        let Some(cache) = self.ordered() else { return };
        if std::mem::take(&mut cache.is_lost) {
            cache.found_again(version);
        }
        let Some(reading) = cache.reading.take_if(|reading| reading.is_covered_by(version)) else {
            if cache.is_loading() {
                self.read_cache_again(at);
            } else {
                self.read_later(version, found);
            }
            return;
        };
        (cache.first_read, cache.newest, cache.own) = (version, version, 0);
        self.set_kept(found);
        let covered = covered_by(self.last(at.now).map(|(frame, _)| frame), version, reading.events());
        self.acknowledge_ready(at);
        for (place, pending) in reading.into_events().into_iter().enumerate() {
            if place >= covered || pending.origin != Origin::Fed {
                self.catch_up(pending, version, true);
            }
        }
    }

    /// Does with an event that has waited what would have been done at once.
    fn catch_up(&mut self, pending: Pending, read: u64, is_delivered: bool) {
        let Pending { origin, frame, except, until } = pending;
        let Some(cache) = self.ordered() else { return };
        let is_quiet = match origin {
            Origin::Here => {
                cache.sent_own();
                self.set_kept(Some(Last::new(&frame, until)));
                false
            }
            Origin::Echo { version } => {
                if !was_read(version, read) {
                    self.own_came_back(version, &frame, until);
                }
                return;
            }
            // Delivered, and kept unless Redis had it first.
            Origin::Fed => match cache.fed.deliver(&frame) {
                None => {
                    self.set_kept(Some(Last::new(&frame, until)));
                    false
                }
                Some(_) => false,
            },
            Origin::Other { version, .. } if was_read(version, read) => return,
            Origin::Other { version, is_quiet } => {
                if is_quiet {
                    cache.fed.hear(&frame);
                }
                cache.newest = cache.newest.max(version);
                if cache.keeps_others() {
                    self.set_kept(Some(Last::new(&frame, until)));
                }
                is_quiet
            }
        };
        if is_delivered && !is_quiet {
            self.deliver(&frame, except);
        }
    }

    /// Events that have waited were dropped, and the answer lacks them: a new copy begins, which is read anew.
    fn read_cache_again(&mut self, at: &InCluster<'_>) {
        if let Some(cache) = self.ordered() {
            *cache = OrderedCache::default();
        }
        if let Some(copy) = self.begin_copy(at) {
            at.sharing.push(Change::Opened { channel: self.name.clone(), copy });
        }
    }

    /// Names the copy anew: what the cluster says of the copy before is not meant any more.
    fn begin_copy(&mut self, at: &InCluster<'_>) -> Option<CopyId> {
        let copy = self.copy.as_mut()?;
        copy.is_roster_ready = false;
        copy.id = at.sharing.next_number();
        Some(copy.id)
    }

    /// Takes over an answer while an event is kept already, if the answer is newer than all that was heard.
    fn read_later(&mut self, version: u64, found: Option<Last>) {
        let Some(cache) = self.ordered() else { return };
        if version == 0 && cache.newest == 0 && cache.own == 0 {
            // Redis has lost what it kept.
            self.set_kept(None);
        } else if version > cache.newest {
            cache.newest = version;
            let is_kept = cache.own == 0;
            let (kept, found) = if is_kept { (found, None) } else { (None, found) };
            // Whoever was served an event by an earlier answer is past that event.
            let served = cache.ahead.take().map_or_else(Sockets::default, |ahead| ahead.served);
            cache.ahead = Some(Ahead { version, found, served });
            if is_kept {
                self.set_kept(kept);
            }
        }
    }

    /// The link was lost: own events will not come back. What is kept is served (CL-043).
    pub(crate) fn lose_cache(&mut self, at: &InCluster<'_>) {
        self.stop_reading_cache();
        if let Some(cache) = self.ordered() {
            cache.lose();
        }
        self.acknowledge_ready(at);
    }

    /// Keeps the last of the events that have come while Redis was asked, for its answer may never come.
    pub(in crate::channel) fn stop_reading_cache(&mut self) {
        let Some(cache) = self.ordered() else { return };
        cache.is_lost = true;
        let reading = cache.reading.take();
        for pending in reading.into_iter().flat_map(Reading::into_events) {
            self.catch_up(pending, 0, false);
        }
    }

    /// Changes were dropped before the cluster had them: own events may never come back, and the answer to an open
    /// question may not be as of the right place. A new copy begins, of which the snapshot tells.
    pub(in crate::channel) fn forget_own_events(&mut self, at: &InCluster<'_>) {
        let Some(cache) = self.ordered() else { return };
        if cache.is_loading() {
            *cache = OrderedCache::default();
        } else {
            cache.lose();
        }
        self.begin_copy(at);
    }
}
