//! The cache of the database's apps, and the expiry of its entries.
//!
//! Every table is bounded; unknown names have a table of their own, so that guessed keys
//! cannot evict real apps. Never reads from the database itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare_protocol::app::App;
use moka::future::Cache as Table;

use crate::store::{Ask, Record, RowFault};

/// Most entries of each table; an app has one for its id and one for each key.
const MOST: u64 = 100_000;

/// Longest time that a name counts as unknown, so that a new app is soon found.
const MISS_SECONDS: u64 = 5;

/// What is known of a name. One type for all tables: each further type would put a copy of the library's code into the binary.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    App(Arc<App>),
    /// The app's row cannot be used.
    Faulty(Arc<RowFault>),
    Nothing,
}

impl From<Record<Arc<App>>> for Known {
    fn from(record: Record<Arc<App>>) -> Self {
        match record {
            Record::App(app) => Self::App(app),
            Record::Faulty(fault) => Self::Faulty(Arc::new(fault)),
        }
    }
}

pub(crate) struct Cache {
    /// Entries that have not expired; also lets only one look-up of a name run at a time. Look-ups never
    /// answer from this table alone: a name that was lost during its look-up may still be here.
    pub fresh: Table<Ask, Known>,
    /// The last state read of each app, of any age: look-ups answer from this table.
    last: Table<Ask, Known>,
    misses: Table<Ask, Known>,
    /// Number of database changes heard of.
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

    /// The app's last known state, of any age.
    pub async fn last(&self, ask: &Ask) -> Option<Arc<App>> {
        match self.last.get(ask).await? {
            Known::App(app) => Some(app),
            Known::Faulty(_) | Known::Nothing => None,
        }
    }

    /// The ids of all cached apps.
    pub fn known_ids(&self) -> Vec<Box<str>> {
        let ids = self.last.iter().filter_map(|(ask, _)| match &*ask {
            Ask::Id(id) => Some(id.clone()),
            Ask::Key(_) => None,
        });
        ids.collect()
    }

    /// Notes a change: a read in progress may be older than the change.
    pub fn hear(&self) {
        self.heard.fetch_add(1, Ordering::SeqCst);
    }

    /// Number of changes heard of so far; a reader has to take the number before the read.
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::SeqCst)
    }

    /// True once per expiry: for the first caller after it, so that one look-up starts the refresh.
    pub async fn grows_old(&self, ask: &Ask) -> bool {
        if self.fresh.contains_key(ask) {
            return false;
        }
        if let Some(app) = self.last(ask).await {
            self.fresh.insert(ask.clone(), Known::App(app)).await;
        }
        true
    }

    /// Caches an app that was read, under all its names, and removes names that the app has lost.
    ///
    /// An unchanged app keeps its `Arc`. An app that a change since `heard` may have overtaken is not cached: the next
    /// look-up reads the app again. `heard` is the number of changes before the read.
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
            self.fresh.insert(name.clone(), Known::App(Arc::clone(&app))).await;
            self.last.insert(name.clone(), Known::App(Arc::clone(&app))).await;
        }
        if self.heard() != heard {
            // Overtaken meanwhile: no one can tell which of the two states is newer.
            for name in &names {
                self.drop_name(name).await;
            }
        }
        app
    }

    /// Names that were unknown may have an app now.
    pub fn forget_misses(&self) {
        self.misses.invalidate_all();
    }

    /// Caches an unknown name for a while, unless a change since `heard` may have given the name to an app.
    pub async fn remember_miss(&self, ask: Ask, heard: u64) {
        if self.heard() == heard {
            self.forget(&ask).await;
            self.misses.insert(ask.clone(), Known::Nothing).await;
        }
        if self.heard() != heard {
            self.misses.invalidate(&ask).await;
        }
    }

    /// Removes the cache entry of a name; for an id also every key of the app.
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

/// All names that an app is looked up by; its id first.
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
        // A look-up that began before the change, and was slower.
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
