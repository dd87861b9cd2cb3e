//! Keeping what is known of the database's apps true: the one task that reads known apps anew.
//!
//! Hears of changes as they happen; reads everything that is known when it begins to listen, and again
//! whenever it had to begin anew. Look-ups never do this: an app in use never waits for the database.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::app::App;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::READING;
use crate::apps::{Apps, NotFound, Stored};
use crate::store::{Ask, Changed, Listener, Record};

/// Time between two attempts to listen.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);

/// What has become of an app in use.
#[derive(Clone, Debug)]
pub enum Change {
    /// It is new, or has other settings or keys; also one that is not enabled.
    Now(Arc<App>),
    /// It is as it was, or was looked up since it became so.
    Same(Arc<App>),
    /// It does not exist any more; this is what it was.
    Gone(Arc<App>),
}

impl Apps {
    /// Tells every change of the database's apps, until the end of the process. Of those that take broadcasts from
    /// a Redis each is told at first, and again whenever it was read.
    ///
    /// What is told is what look-ups answer from then on. Without a database, or where somebody else
    /// follows already, there is nothing to tell.
    pub async fn follow(&self, mut on: impl FnMut(Change) + Send) {
        let Some(stored) = &self.stored else { return };
        let Some(mut old) = stored.old_ones.lock().take() else { return };
        loop {
            match timeout(READING, stored.store.listen()).await {
                Ok(Ok(listener)) => follow_one(stored, listener, &mut old, &mut on).await,
                Ok(Err(error)) => stored.outage.begin(&error),
                Err(_) => stored.outage.begin(&"it cannot be listened to"),
            }
            sleep(BETWEEN_ATTEMPTS).await;
        }
    }
}

/// Follows until the connection is lost, or a change cannot be read: whoever begins anew reads everything.
async fn follow_one(
    stored: &Stored,
    mut listener: Listener,
    old: &mut mpsc::Receiver<Box<str>>,
    on: &mut (impl FnMut(Change) + Send),
) {
    stored.cache.hear();
    let mut all_is_known = read_all(stored, on).await;
    while all_is_known {
        let changed = {
            // Given up half-way it would begin from the start, and never end where many apps are in use.
            let mut next = pin!(listener.next());
            loop {
                tokio::select! {
                    changed = &mut next => break changed,
                    Some(id) = old.recv() => if !read_one(stored, &id, on).await { return },
                }
            }
        };
        stored.cache.hear();
        all_is_known = match changed {
            Ok(Changed::App(id)) => read_one(stored, &id, on).await,
            Ok(Changed::Something) => read_all(stored, on).await,
            Err(error) => {
                tracing::warn!(
                    target: "fanfare::apps",
                    %error,
                    "changes of apps are not heard of; listening anew"
                );
                false
            }
        };
    }
}

/// Reads every known app anew and those that are wanted unasked, and forgets which names were of no app; false if
/// the database is away.
async fn read_all(stored: &Stored, on: &mut (impl FnMut(Change) + Send)) -> bool {
    stored.cache.forget_misses();
    let Some(feeds) = stored.in_time(stored.store.feed_ids()).await else { return false };
    let ids: BTreeSet<Box<str>> = feeds.into_iter().map(Into::into).chain(stored.cache.known_ids()).collect();
    for id in ids {
        if !read_one(stored, &id, on).await {
            return false;
        }
    }
    true
}

/// Reads one app anew; false if the database is away.
async fn read_one(stored: &Stored, id: &str, on: &mut (impl FnMut(Change) + Send)) -> bool {
    let ask = Ask::Id(Box::from(id));
    let before = stored.cache.last(&ask).await;
    match (before, stored.read_now(&ask).await) {
        (Some(before), Ok(Record::App(now))) if Arc::ptr_eq(&before, &now) => on(Change::Same(now)),
        (_, Ok(Record::App(now))) => on(Change::Now(now)),
        (Some(before), Err(NotFound::NoSuchApp)) => on(Change::Gone(before)),
        // Nothing is learned while the database is away, nor from a row that cannot be used.
        (_, Err(NotFound::DatabaseAway)) => return false,
        (_, Ok(Record::Faulty(_)) | Err(NotFound::NoSuchApp)) => {}
    }
    true
}
