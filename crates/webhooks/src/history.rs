//! The last deliveries of each URL, in memory (CON-054).
//!
//! Bounded for each URL in number, and for all together in bytes: above that the URLs that were quiet for the longest
//! time lose theirs. A history lives longer than its URL's queue, which goes when it is empty: only a URL that is
//! no more in the app's settings takes its history with it. What was sent is kept of failed deliveries, of each URL up to
//! [`MOST_SENT`] bytes, so that an operator can repeat them: the oldest go first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use fanfare_protocol::ids::AppId;
use fanfare_protocol::webhook::Webhook;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::backlog::KeptRequest;
use crate::delivery::Delivery;

/// Deliveries that are kept of each URL.
pub const MOST_DELIVERIES: usize = 50;

/// Most bytes of all histories of a node.
pub(crate) const MOST_BYTES: usize = 16 << 20;

/// Most bytes of what was sent that are kept of a URL; one body is smaller.
pub(crate) const MOST_SENT: usize = 1 << 20;

/// Estimated memory of a history beside its deliveries and its URL.
const AROUND: usize = 256;

/// What one node knows of a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlHistory {
    /// The URL.
    pub url: String,
    /// Whether the last attempt was answered with 2xx; `None` before the first.
    pub works: Option<bool>,
    /// Since when that is so, in milliseconds since 1970.
    pub since: u64,
    /// Events that wait for their delivery, or are under way.
    pub waiting: usize,
    /// The last deliveries, the newest first.
    pub deliveries: Vec<Delivery>,
}

/// The histories of all URLs.
pub(crate) struct Histories {
    most_bytes: usize,
    bytes: Arc<AtomicUsize>,
    /// The number of the last delivery.
    last: AtomicU64,
    of_apps: Mutex<HashMap<AppId, Vec<Arc<History>>>>,
}

/// The history of one URL.
pub(crate) struct History {
    url: Box<str>,
    /// The bytes of all histories.
    in_all: Arc<AtomicUsize>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    deliveries: VecDeque<KeptDelivery>,
    bytes: usize,
    /// Bytes of what was sent, which are part of `bytes`.
    sent_bytes: usize,
    works: Option<bool>,
    since: u64,
}

/// A delivery, and what was sent if that failed.
struct KeptDelivery {
    delivery: Delivery,
    sent: Option<KeptRequest>,
}

impl Kept {
    /// Forgets the oldest of what was sent until the rest has room; returns the bytes.
    fn forget_sent(&mut self) -> usize {
        let mut freed = 0;
        for kept in &mut self.deliveries {
            if self.sent_bytes - freed <= MOST_SENT {
                break;
            }
            freed += kept.sent.take().as_ref().map_or(0, cost_of);
        }
        self.sent_bytes -= freed;
        freed
    }
}

impl KeptDelivery {
    fn shown(&self) -> Delivery {
        Delivery { is_kept: self.sent.is_some(), ..self.delivery.clone() }
    }

    fn cost(&self) -> usize {
        self.delivery.cost() + self.sent.as_ref().map_or(0, cost_of)
    }
}

/// Memory of what was sent.
fn cost_of(sent: &KeptRequest) -> usize {
    size_of::<KeptRequest>() + sent.key.len() + sent.body.len()
}

impl Histories {
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, bytes: Arc::default(), last: AtomicU64::new(0), of_apps: Mutex::default() }
    }

    /// The history of an app's URL, begun if there is none.
    pub fn of(&self, app: &AppId, url: &str) -> Arc<History> {
        let mut of_apps = self.of_apps.lock();
        let urls = of_apps.entry(app.clone()).or_default();
        if let Some(known) = urls.iter().find(|history| &*history.url == url) {
            return Arc::clone(known);
        }
        let history = Arc::new(History::new(url, &self.bytes));
        urls.push(Arc::clone(&history));
        history
    }

    /// Keeps a delivery, under the next number of the node, and of a failed one what was sent; returns the number.
    pub fn keep(&self, history: &History, delivery: Delivery, sent: Option<KeptRequest>) -> u64 {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let sent = sent.filter(|_| delivery.cause.is_some());
        history.keep(KeptDelivery { delivery: Delivery { number, ..delivery }, sent });
        if self.bytes.load(Ordering::Relaxed) > self.most_bytes {
            self.make_room();
        }
        number
    }

    /// What is known of an app's URLs, without what waits.
    pub fn show(&self, app: &AppId) -> Vec<UrlHistory> {
        let histories = self.of_apps.lock().get(app).cloned().unwrap_or_default();
        histories.iter().map(|history| history.show()).collect()
    }

    /// A delivery of an app by its number, with its URL and what was sent, as far as that is kept.
    pub fn find(&self, app: &AppId, number: u64) -> Option<(String, Delivery, Option<KeptRequest>)> {
        let histories = self.of_apps.lock().get(app).cloned().unwrap_or_default();
        histories.iter().find_map(|history| {
            let kept = history.kept.lock();
            let found = kept.deliveries.iter().find(|kept| kept.delivery.number == number)?;
            Some(((*history.url).to_owned(), found.delivery.clone(), found.sent.clone()))
        })
    }

    /// Forgets the URLs that the app has no more.
    pub fn retain(&self, app: &AppId, webhooks: &[Webhook]) {
        let mut of_apps = self.of_apps.lock();
        if let Some(urls) = of_apps.get_mut(app) {
            urls.retain(|history| webhooks.iter().any(|webhook| webhook.url == *history.url));
            if urls.is_empty() {
                of_apps.remove(app);
            }
        }
    }

    /// The histories that were quiet for the longest time go, until an eighth of the room is free.
    fn make_room(&self) {
        let mut of_apps = self.of_apps.lock();
        let mut by_age: Vec<(u64, Arc<History>)> =
            of_apps.values().flatten().map(|history| (history.last(), Arc::clone(history))).collect();
        by_age.sort_unstable_by_key(|(last, _)| *last);
        for (_, history) in by_age {
            if self.bytes.load(Ordering::Relaxed) <= self.most_bytes / 8 * 7 {
                break;
            }
            history.forget();
        }
        // A queue that still has a URL's history fills it again.
        of_apps.retain(|_, urls| {
            urls.retain(|history| Arc::strong_count(history) > 1 || history.last() > 0);
            !urls.is_empty()
        });
    }
}

impl History {
    fn new(url: &str, in_all: &Arc<AtomicUsize>) -> Self {
        Self { url: url.into(), in_all: Arc::clone(in_all), kept: Mutex::default() }
    }

    /// The URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn keep(&self, new: KeptDelivery) {
        let mut kept = self.kept.lock();
        let works = new.delivery.cause.is_none();
        if new.delivery.is_of_url() && kept.works != Some(works) {
            (kept.works, kept.since) = (Some(works), new.delivery.at);
        }
        let around = if kept.bytes == 0 { AROUND + self.url.len() } else { 0 };
        let gone = if kept.deliveries.len() < MOST_DELIVERIES { None } else { kept.deliveries.pop_front() };
        let gone_sent = gone.as_ref().and_then(|gone| gone.sent.as_ref()).map_or(0, cost_of);
        let (mut freed, come) = (gone.map_or(0, |gone| gone.cost()), new.cost() + around);
        kept.sent_bytes = kept.sent_bytes + new.sent.as_ref().map_or(0, cost_of) - gone_sent;
        kept.deliveries.push_back(new);
        freed += kept.forget_sent();
        kept.bytes = kept.bytes + come - freed;
        self.in_all.fetch_add(come, Ordering::Relaxed);
        self.in_all.fetch_sub(freed, Ordering::Relaxed);
    }

    /// The number of the last delivery.
    fn last(&self) -> u64 {
        self.kept.lock().deliveries.back().map_or(0, |last| last.delivery.number)
    }

    fn show(&self) -> UrlHistory {
        let kept = self.kept.lock();
        UrlHistory {
            url: (*self.url).to_owned(),
            works: kept.works,
            since: kept.since,
            waiting: 0,
            deliveries: kept.deliveries.iter().rev().map(KeptDelivery::shown).collect(),
        }
    }

    /// Drops the deliveries; whether the URL works stays known.
    fn forget(&self) {
        let mut kept = self.kept.lock();
        self.in_all.fetch_sub(std::mem::take(&mut kept.bytes), Ordering::Relaxed);
        kept.sent_bytes = 0;
        kept.deliveries = VecDeque::new();
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.in_all.fetch_sub(self.kept.get_mut().bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
