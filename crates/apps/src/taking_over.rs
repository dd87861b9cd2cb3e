//! Other apps of the configuration, and other defaults, while the server runs.
//!
//! Says what that changes; ends no connection itself.

use std::sync::Arc;

use fanfare_protocol::app::{App, Limits};

use crate::apps::Apps;
use crate::follow::AppChange;

impl Apps {
    /// Puts these apps in the place of the configuration's, and these limits in the place of those for apps that set none. Look-ups
    /// answer so from then on. Returns the changes of the configuration's apps; an app that is gone from the configuration, and that
    /// the database has, is that of the database from then on.
    ///
    /// Changes of the database's apps are reported by [`Apps::follow`], once [`Apps::read_all_again`] was called.
    pub async fn take_over(&self, fixed: Vec<App>, defaults: Limits) -> Vec<AppChange> {
        let (before, now) = self.fixed.replace(fixed);
        if let Some(stored) = &self.stored {
            stored.reading.defaults.store(Arc::new(defaults));
            // What is being read was asked for before.
            stored.cache.hear();
            stored.cache.forget_misses();
        }
        let is_same =
            |app: &&Arc<App>| before.by_id.get(&app.id).is_some_and(|known| Arc::ptr_eq(known, app));
        let mut changes: Vec<AppChange> =
            now.list.iter().filter(|app| !is_same(app)).map(|app| AppChange::Now(Arc::clone(app))).collect();
        for app in before.list.iter().filter(|app| !now.by_id.contains_key(&app.id)) {
            // While the database is away, nobody knows of an app there.
            let found = self.by_id(app.id.as_str()).await.ok().flatten();
            changes.push(found.map_or_else(|| AppChange::Gone(Arc::clone(app)), AppChange::Now));
        }
        changes
    }

    /// Has every known app of the database read again by who follows, and reported; waits for that two seconds at most.
    pub async fn read_all_again(&self) {
        if let Some(stored) = &self.stored {
            stored.read_again(None).await;
        }
    }
}
