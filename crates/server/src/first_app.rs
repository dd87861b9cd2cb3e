//! The app that lines are printed for: opens what the configuration names, and finds the first app in it.
//!
//! Makes an app in the embedded database alone, where nobody else would.

use std::sync::Arc;

use fanfare_apps::{Apps, AppsError};
use fanfare_config::Config;
use fanfare_protocol::app::App;

/// An app, and what is known of its secret.
pub struct ShownApp {
    /// The app itself.
    pub app: Arc<App>,
    /// The app is in the embedded database, so that nobody else knows its secret.
    pub embedded: bool,
    /// The app was made just now.
    pub new: bool,
}

/// Opens the apps of the configuration, and their database if there is one.
///
/// # Errors
/// The database could not be opened, or its tables not brought up to date.
pub async fn open_apps(config: &Config) -> Result<Apps, AppsError> {
    Apps::open(config.fixed_apps(), config.database(), config.kept()).await
}

impl ShownApp {
    /// The first configured app; or, in the embedded database, the first there, made if there is none.
    ///
    /// # Errors
    /// The database could not be read, or the app not be made.
    pub async fn find(config: &Config, apps: &Apps) -> Result<Option<Self>, AppsError> {
        if config.is_embedded() {
            let first = apps.first_or_invent().await?;
            return Ok(Some(Self { app: first.app, embedded: true, new: first.is_new }));
        }
        let app = apps.first().await?;
        Ok(app.map(|app| Self { app, embedded: false, new: false }))
    }
}
