//! The apps of the configuration, by id and by key. An app of the configuration comes before one of the database, and never changes
//! while the server runs.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_protocol::app::App;
use fanfare_protocol::ids::{AppId, AppKey};

/// The apps of the configuration.
pub(crate) struct Fixed {
    /// In the order of the configuration.
    pub list: Vec<Arc<App>>,
    pub by_id: HashMap<AppId, Arc<App>>,
    pub by_key: HashMap<AppKey, Arc<App>>,
}

impl Fixed {
    pub fn new(apps: Vec<App>) -> Self {
        let list: Vec<Arc<App>> = apps.into_iter().map(Arc::new).collect();
        let by_id = list.iter().map(|app| (app.id.clone(), Arc::clone(app))).collect();
        let by_key = list
            .iter()
            .flat_map(|app| app.credentials.iter().map(move |pair| (pair.key.clone(), Arc::clone(app))))
            .collect();
        Self { list, by_id, by_key }
    }

    /// A stored app without the keys that the configuration uses; `None` if the configuration has the app's id.
    pub fn without_ours(&self, mut app: App) -> Option<App> {
        app.credentials.retain(|pair| !self.by_key.contains_key(pair.key.as_str()));
        (!self.by_id.contains_key(app.id.as_str())).then_some(app)
    }
}
