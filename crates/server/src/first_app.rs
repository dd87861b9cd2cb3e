//! The app for the printed lines: the first.
//!
//! Creates an app only in the embedded database, where no other program would.

use std::sync::Arc;

use fanfare_apps::{Apps, AppsError};
use fanfare_config::Config;
use fanfare_protocol::app::App;

/// An app, and the facts about its secret.
pub struct ShownApp {
    /// The app itself.
    pub app: Arc<App>,
    /// The app is in the embedded database, so that its secret is known nowhere else.
    pub embedded: bool,
    /// The app was created just now.
    pub new: bool,
}

impl ShownApp {
    /// The first configured app; or, in the embedded database, the first there, created if there never was one.
    ///
    /// # Errors
    /// The database could not be read, or the app not be created.
    pub async fn find(config: &Config, apps: &Apps) -> Result<Option<Self>, AppsError> {
        if config.is_embedded() {
            let first = apps.first_or_invent().await?;
            return Ok(first.map(|first| Self { app: first.app, embedded: true, new: first.is_new }));
        }
        let app = apps.first().await?;
        Ok(app.map(|app| Self { app, embedded: false, new: false }))
    }
}
