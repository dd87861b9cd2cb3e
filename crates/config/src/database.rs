//! The storage of apps besides the configuration.

use fanfare_apps::{AppsError, Database, Storage, peek};
use fanfare_protocol::app::App;

use super::Config;

impl Config {
    /// The database to open, if any: the one named, or SQLite in the data directory if
    /// [`Config::is_embedded`].
    #[must_use]
    pub fn database(&self) -> Option<Database> {
        self.database.clone()
    }

    /// How apps are stored.
    #[must_use]
    pub fn kept(&self) -> Storage {
        Storage {
            defaults: self.default_limits.clone(),
            cache_seconds: self.apps.cache_seconds,
            keys: self.master_keys.clone(),
            creates: true,
            // A variable of that name may belong to another program.
            takes_foreign: !self.effective.is_by_variable("apps.database", "DATABASE_URL"),
        }
    }

    /// The app of the database with this key, or this id; the oldest app if neither is given. The database is only read.
    ///
    /// # Errors
    /// The database cannot be read, or the app's row is faulty.
    pub async fn stored_app(&self, key: Option<&str>, id: Option<&str>) -> Result<Option<App>, AppsError> {
        match &self.database {
            Some(database) => peek(database, &self.kept(), key, id).await,
            None => Ok(None),
        }
    }

    /// Whether neither an app nor a database is named, so that the server keeps a database of its own.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.fixed.is_empty() && self.effective.text("apps.database").is_empty()
    }
}
