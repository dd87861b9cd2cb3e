//! What was read of the database's apps, and for how long it is good.
//!
//! Every table is bounded; the names of no app have one of their own, so that whoever tries keys
//! cannot push real apps out. Never asks the database itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare_protocol::app::App;
use moka::future::Cache as Table;

use crate::store::{Ask, Record};

/// Most entries of each table; an app has one for its id and one for each key.
const MOST: u64 = 100_000;

/// Longest time that a name is taken for that of no app, so that a new app can be used soon.
const MISS_SECONDS: u64 = 5;

pub(crate) struct Cache {
    /// Young enough not to be read anew; also lets only one look-up of a name run at a time. Never answers by
    /// itself: a name that was lost while it was looked up may still be here.
    pub fresh: Table<Ask, Record<Arc<App>>>,
    /// The last that was read of each app, of any age: it is what look-ups answer with.
    last: Table<Ask, Arc<App>>,
    misses: Table<Ask, ()>,
    /// How many changes of the database were heard of.
    heard: AtomicU64,
}

impl Cache {
    pub fn new(seconds: u64) -> Self {
        let expiring =
            |seconds| Table::builder().max_capacity(MOST).time_to_live(Duration::from_secs(seconds));
        Self {
            fresh: expiring(seconds).build(),
            last: Table::new(MOST),
            misses: Table::builder()
                .max_capacity(MOST)
                .time_to_live(Duration::from_secs(seconds.min(MISS_SECONDS)))
                .build(),
            heard: AtomicU64::new(0),
        }
    }

    pub fn is_miss(&self, ask: &Ask) -> bool {
        self.misses.contains_key(ask)
    }

    /// The app as it was last seen, however long ago.
    pub async fn last(&self, ask: &Ask) -> Option<Arc<App>> {
        self.last.get(ask).await
    }

    /// The ids of all apps that are known.
    pub fn known_ids(&self) -> Vec<Box<str>> {
        let ids = self.last.iter().filter_map(|(ask, _)| match &*ask {
            Ask::Id(id) => Some(id.clone()),
            Ask::Key(_) => None,
        });
        ids.collect()
    }

    /// A change was heard of: what is being read now may be older than it.
    pub fn hear(&self) {
        self.heard.fetch_add(1, Ordering::SeqCst);
    }

    /// How many changes were heard of so far; whoever reads has to know before it begins.
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::SeqCst)
    }

    /// Whether it is time to read a known app anew; tells it to one who asks, then again a time later.
    pub async fn grows_old(&self, ask: &Ask) -> bool {
        if self.fresh.contains_key(ask) {
            return false;
        }
        if let Some(app) = self.last(ask).await {
            self.fresh.insert(ask.clone(), Record::App(app)).await;
        }
        true
    }

    /// The app was read: it answers under all its names, and under none that it has lost.
    ///
    /// One that has not changed stays the very same. One that a change may have overtaken since `heard`, when its
    /// reading began, is not remembered: the next look-up reads it again.
    pub async fn remember(&self, app: App, heard: u64) -> Arc<App> {
        let mut app = Arc::new(app);
        if self.heard() != heard {
            return app;
        }
        let names = names(&app);
        if let Some(before) = self.last(&names[0]).await {
            if before == app {
                app = before;
            } else {
                for lost in self::names(&before).iter().filter(|name| !names.contains(name)) {
                    self.drop_name(lost).await;
                }
            }
        }
        for name in &names {
            self.misses.invalidate(name).await;
            self.fresh.insert(name.clone(), Record::App(Arc::clone(&app))).await;
            self.last.insert(name.clone(), Arc::clone(&app)).await;
        }
        if self.heard() != heard {
            // Overtaken on the way: whatever stands there now, nobody can tell which is the newer.
            for name in &names {
                self.drop_name(name).await;
            }
        }
        app
    }

    /// Names that were of no app may be of one now.
    pub fn forget_misses(&self) {
        self.misses.invalidate_all();
    }

    /// The name is of no app, for now; unless a change since `heard` has made it one's.
    pub async fn remember_miss(&self, ask: Ask, heard: u64) {
        if self.heard() == heard {
            self.forget(&ask).await;
            self.misses.insert(ask.clone(), ()).await;
        }
        if self.heard() != heard {
            self.misses.invalidate(&ask).await;
        }
    }

    /// What was known under the name is not true any more; with an id, all that the app had.
    pub async fn forget(&self, ask: &Ask) {
        if let (Ask::Id(_), Some(app)) = (ask, self.last(ask).await) {
            for name in names(&app) {
                self.drop_name(&name).await;
            }
        }
        self.drop_name(ask).await;
    }

    async fn drop_name(&self, name: &Ask) {
        self.fresh.invalidate(name).await;
        self.last.invalidate(name).await;
    }
}

/// All that an app is looked up by; its id first.
fn names(app: &App) -> Vec<Ask> {
    let keys = app.credentials.iter().map(|credential| Ask::Key(Box::from(credential.key.as_str())));
    std::iter::once(Ask::Id(Box::from(app.id.as_str()))).chain(keys).collect()
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::auth::{Credential, Secret};

    use super::*;

    fn app(keys: &[&str]) -> App {
        let pair = |key: &&str| Credential { key: (*key).into(), secret: Secret::new("secret") };
        App::new("1".into(), keys.iter().map(pair).collect())
    }

    fn key(key: &str) -> Ask {
        Ask::Key(Box::from(key))
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let cache = Cache::new(60);
        let heard = cache.heard();
        cache.remember(app(&["old", "new"]), heard).await;
        cache.hear();
        cache.remember(app(&["new"]), cache.heard()).await;
        assert!(cache.last(&key("old")).await.is_none(), "it was revoked");
        // A look-up that has begun before the change, and was slower.
        let slow = cache.remember(app(&["old", "new"]), heard).await;
        assert_eq!(slow.credentials.len(), 2, "its own asker is answered with what it read");
        assert!(cache.last(&key("old")).await.is_none());
        assert_eq!(cache.last(&key("new")).await.map(|app| app.credentials.len()), Some(1));
        cache.remember_miss(key("new"), heard).await;
        assert!(!cache.is_miss(&key("new")));
        cache.remember_miss(key("other"), cache.heard()).await;
        assert!(cache.is_miss(&key("other")));
    }
}
