//! Refreshes the cache of the database's apps: the one task that reads known apps again.
//!
//! Listens for changes as they happen; reads every known app when listening begins, and again after
//! every lost connection. Look-ups never do this: an app in use never waits for the database.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::app::App;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::READING;
use crate::apps::{Apps, NotFound, Stored, ToRefresh};
use crate::cause::cause;
use crate::store::{Ask, Changed, Listener, Record};

/// Time between two attempts to listen.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);

/// A change of an app in use.
#[derive(Clone, Debug)]
pub enum AppChange {
    /// The app is new, or has other settings or keys; also an app that is not enabled.
    Now(Arc<App>),
    /// The app is unchanged, or its change was seen by a look-up already.
    Same(Arc<App>),
    /// The app was deleted; the value is its last state.
    Gone(Arc<App>),
}

impl Apps {
    /// Reports every change of the database's apps, until the end of the process. Each app with broadcasts from
    /// a Redis is reported at first, and again after every read.
    ///
    /// Look-ups answer with a reported state from then on. Without a database, or while another task
    /// follows already, nothing is reported.
    pub async fn follow(&self, mut on: impl FnMut(AppChange) + Send) {
        let Some(stored) = &self.stored else { return };
        let Some(mut old) = stored.old_ones.lock().take() else { return };
        loop {
            match timeout(READING, stored.store.listen()).await {
                Ok(Ok(listener)) => follow_one(stored, listener, &mut old, &mut on).await,
                Ok(Err(error)) => stored.outage.begin(&stored.place, &cause(&error)),
                Err(_) => stored.outage.begin(&stored.place, "it cannot be listened to"),
            }
            sleep(BETWEEN_ATTEMPTS).await;
        }
    }
}

/// Follows until the connection is lost, or a change cannot be read: the next call reads every app again.
async fn follow_one(
    stored: &Stored,
    mut listener: Listener,
    old: &mut mpsc::Receiver<ToRefresh>,
    on: &mut (impl FnMut(AppChange) + Send),
) {
    stored.cache.hear();
    let mut all_is_known = read_all(stored, on).await;
    while all_is_known {
        let changed = {
            // Kept over the loop: a restart for every refreshed app would never end where many apps are in use.
            let mut next = pin!(listener.next());
            loop {
                tokio::select! {
                    changed = &mut next => break changed,
                    Some(ToRefresh { id, done }) = old.recv() => {
                        let is_read = match id {
                            Some(id) => read_one(stored, &id, on).await,
                            None => read_all(stored, on).await,
                        };
                        // Tells the waiter, if there is one.
                        drop(done);
                        if !is_read {
                            return;
                        }
                    }
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

/// Reads every known app and every app with a feed, and empties the table of unknown names; false during an
/// outage.
async fn read_all(stored: &Stored, on: &mut (impl FnMut(AppChange) + Send)) -> bool {
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

/// Reads one app again; false if the database is away.
async fn read_one(stored: &Stored, id: &str, on: &mut (impl FnMut(AppChange) + Send)) -> bool {
    let ask = Ask::Id(Box::from(id));
    if stored.fixed.now().by_id.contains_key(id) {
        // The configuration has the app by now.
        stored.cache.forget(&ask).await;
        return true;
    }
    let before = stored.cache.last(&ask).await;
    match (before, stored.read_now(&ask).await) {
        (Some(before), Ok(Record::App(now))) if Arc::ptr_eq(&before, &now) => on(AppChange::Same(now)),
        (_, Ok(Record::App(now))) => on(AppChange::Now(now)),
        (Some(before), Err(NotFound::NoSuchApp)) => on(AppChange::Gone(before)),
        // An outage says nothing about the app, and neither does a row that cannot be used.
        (_, Err(NotFound::DatabaseAway)) => return false,
        (_, Ok(Record::Faulty(_)) | Err(NotFound::NoSuchApp)) => {}
    }
    true
}
