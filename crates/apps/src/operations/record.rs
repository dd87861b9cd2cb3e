//! An app as operators see it: its own settings, not the resolved ones; its pairs, with their secrets hidden.

use fanfare_protocol::app::{App, RedisUrl};
use fanfare_protocol::auth::Secret;
use serde_json::{Map, Value};

use crate::master_keys::{MasterKeys, Owner};
use crate::settings::AppSettings;
use crate::store::{Listed, ListedKey};

/// A stored app.
#[derive(Clone, Debug)]
pub struct AppRecord {
    /// The app's id.
    pub id: String,
    /// A name for people; empty for the configuration's apps.
    pub name: String,
    /// Whether the app is enabled.
    pub enabled: bool,
    /// Whether the app is in the configuration, and cannot be changed here.
    pub fixed: bool,
    /// Settings that differ from the server's defaults, by the names of the configuration file, without the URL of
    /// a Redis.
    pub settings: Map<String, Value>,
    /// The URL of the app's Redis; `None` also for a URL that cannot be opened.
    pub redis_url: Option<RedisUrl>,
    /// The app's pairs, the oldest first, revoked ones included.
    pub keys: Vec<KeyRecord>,
    /// In milliseconds since 1970; unknown for the configuration's apps.
    pub created_at: Option<i64>,
}

/// A pair of an app.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    /// The public half.
    pub key: String,
    /// The secret half; `None` if the secret cannot be opened.
    pub secret: Option<Secret>,
    /// In milliseconds since 1970; unknown for the configuration's apps.
    pub created_at: Option<i64>,
    /// When the pair was revoked.
    pub revoked_at: Option<i64>,
}

impl AppRecord {
    pub(super) fn fixed(app: &App) -> Self {
        let keys = app.credentials.iter().map(|pair| KeyRecord {
            key: pair.key.as_str().to_owned(),
            secret: Some(pair.secret.clone()),
            created_at: None,
            revoked_at: None,
        });
        let mut settings = AppSettings::from(app);
        // Those have a field of their own.
        settings.enabled = None;
        let redis_url = settings.redis_feed.url.take();
        Self {
            id: app.id.as_str().to_owned(),
            name: String::new(),
            enabled: app.enabled,
            fixed: true,
            settings: serde_json::to_value(&settings).ok().and_then(object).unwrap_or_default(),
            redis_url,
            keys: keys.collect(),
            created_at: None,
        }
    }

    pub(super) fn stored(row: Listed, keys: Vec<ListedKey>, master: &MasterKeys) -> Self {
        let open = |pair: ListedKey| KeyRecord {
            secret: master
                .open(Owner { app: &row.id, key: &pair.key }, &pair.secret)
                .ok()
                .map(|secret| Secret::new(&secret)),
            key: pair.key,
            created_at: Some(pair.made_at),
            revoked_at: pair.revoked_at,
        };
        let keys = keys.into_iter().map(open).collect();
        let mut settings: Map<String, Value> = serde_json::from_str(&row.settings).unwrap_or_default();
        let stored = settings.get_mut("redis_feed").and_then(|feed| feed.as_object_mut()?.remove("url"));
        let stored = stored.as_ref().and_then(Value::as_str);
        let url = stored.and_then(|stored| master.open(Owner::of_feed_url(&row.id), stored).ok());
        Self {
            name: row.name,
            enabled: row.enabled,
            fixed: false,
            settings,
            redis_url: url.map(RedisUrl::new),
            keys,
            created_at: Some(row.created_at),
            id: row.id,
        }
    }
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map),
        _ => None,
    }
}
