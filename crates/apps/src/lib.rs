//! Which apps exist, and where they are kept.
//!
//! Finds an app by key or by id: those of the configuration first, then those of SQLite or
//! Postgres, through a cache that goes on while the database is away, and hears of every change. Knows no socket and no
//! connection, and shows no secret.

mod apps;
mod cache;
mod database;
mod error;
mod first;
mod follow;
mod master_keys;
mod operations;
mod outage;
mod settings;
mod store;
mod tokens;
mod usage;

pub use apps::{Apps, Kept};
pub use database::{Database, NotADatabase, PostgresUrl};
pub use error::AppsError;
pub use first::FirstApp;
pub use follow::Change;
pub use master_keys::{MasterKeyFault, MasterKeys};
pub use operations::{AppRecord, KeyRecord, MOST_LISTED, NewApp, NewKey, OperationError, Page, Update};
pub use settings::{
    AppSettings, AuthorizationSettings, LIMIT_RANGES, LONGEST_FEED_PREFIX, LimitOverrides, MAX_CONNECTIONS,
    MESSAGE_QUOTA, MOST_CHANNEL_PREFIXES, MOST_WEBHOOKS, SettingFault, WebhookFault, WebhookSettings,
    are_channel_prefixes, is_feed_prefix, is_http_url, is_passable_header, is_web_origin, named_limits,
    nearest,
};
pub use tokens::{Bearer, MOST_TOKENS_LISTED, NewToken, NotAScope, Scope, TokenRecord};
pub use usage::{HourOfUsage, MOST_HOURS, Usage};

/// Longest time that a look-up waits, be it for a reading that another has begun.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Longest time that a reading takes before the database counts as away; the rest of
/// [`PATIENCE`] is for telling those who wait for it.
const READING: std::time::Duration = std::time::Duration::from_millis(1800);
