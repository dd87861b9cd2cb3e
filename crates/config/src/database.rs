//! The storage of apps besides the configuration.

use fanfare_apps::{Database, Storage};

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
            // A variable of that name may belong to another program.
            takes_foreign: !self.effective.is_by_variable("apps.database", "DATABASE_URL"),
        }
    }

    /// Whether neither an app nor a database is named, so that the server keeps a database of its own.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.fixed.is_empty() && self.effective.text("apps.database").is_empty()
    }
}
