//! The apps of the configuration, by id and by key. An app of the configuration comes before one of the database, and changes only
//! when a reload puts other apps in the place of all.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use fanfare_protocol::app::App;
use fanfare_protocol::ids::{AppId, AppKey};

/// The apps of the configuration, of now.
pub(crate) struct Fixed(ArcSwap<FixedApps>);

/// The apps of the configuration at one moment.
pub(crate) struct FixedApps {
    /// In the order of the configuration.
    pub list: Vec<Arc<App>>,
    pub by_id: HashMap<AppId, Arc<App>>,
    pub by_key: HashMap<AppKey, Arc<App>>,
}

impl Fixed {
    pub fn new(apps: Vec<App>) -> Self {
        Self(ArcSwap::from_pointee(FixedApps::of(apps.into_iter().map(Arc::new).collect())))
    }

    /// The apps of this moment; not to be held while waiting.
    pub fn now(&self) -> Guard<Arc<FixedApps>> {
        self.0.load()
    }

    /// The apps of this moment, for who waits meanwhile.
    pub fn kept(&self) -> Arc<FixedApps> {
        self.0.load_full()
    }

    /// Puts these apps in the place of all; an app that is as before keeps its `Arc`. Returns those before, and those of now.
    pub fn replace(&self, apps: Vec<App>) -> (Arc<FixedApps>, Arc<FixedApps>) {
        let before = self.kept();
        let same = |app: App| match before.by_id.get(&app.id).filter(|known| ***known == app) {
            Some(known) => Arc::clone(known),
            None => Arc::new(app),
        };
        let now = Arc::new(FixedApps::of(apps.into_iter().map(same).collect()));
        self.0.store(Arc::clone(&now));
        (before, now)
    }

    /// A stored app without the keys that the configuration uses; `None` if the configuration has the app's id.
    pub fn without_ours(&self, mut app: App) -> Option<App> {
        let now = self.now();
        app.credentials.retain(|pair| !now.by_key.contains_key(pair.key.as_str()));
        (!now.by_id.contains_key(app.id.as_str())).then_some(app)
    }
}

impl FixedApps {
    fn of(list: Vec<Arc<App>>) -> Self {
        let by_id = list.iter().map(|app| (app.id.clone(), Arc::clone(app))).collect();
        let by_key = list
            .iter()
            .flat_map(|app| app.credentials.iter().map(move |pair| (pair.key.clone(), Arc::clone(app))))
            .collect();
        Self { list, by_id, by_key }
    }
}
