//! Apps and their storage.
//!
//! Finds an app by key or by id: first in the configuration, then in SQLite or
//! Postgres, through a cache that works on during an outage of the database, and follows every change. Knows no socket
//! and no connection, and shows no secret.

mod acme;
mod apps;
mod audit;
mod backlog;
mod cache;
mod cause;
mod database;
mod error;
mod first;
mod fixed;
mod follow;
mod master_keys;
mod operations;
mod outage;
mod peek;
mod placeholders;
mod sessions;
mod settings;
mod store;
mod taking_over;
mod time;
mod tokens;
mod usage;

pub use apps::{Apps, Storage};
pub use audit::{AuditAction, AuditEntry, AuditPage, AuditRecord, Auditor, MOST_AUDITED, MOST_OF_READERS};
pub use backlog::{
    BacklogBounds, BacklogRoom, BackloggedUrl, DroppedRequest, KeptOfUrl, LeaseOutcome, LeasedRequest,
    MOST_KEPT_COUNTED, RequestLease, UndeliveredRequest,
};
pub use database::{Database, NotADatabase, PostgresUrl};
pub use error::AppsError;
pub use first::FirstApp;
pub use follow::AppChange;
pub use master_keys::{MasterKeyFault, MasterKeys};
pub use operations::{
    AppRecord, AppsWanted, ChangedApp, FoundApp, KeyRecord, MOST_LISTED, NewApp, NewKey, OperationError,
    Page, ToSeal, Update,
};
pub use peek::peek;
pub use placeholders::is_placeholder;
pub use sessions::{AdminSession, MOST_SESSIONS, NewSession, SessionTimes, is_session_id};
pub use settings::{
    AppSettings, AuthorizationSettings, LIMIT_RANGES, LONGEST_FEED_PREFIX, LimitOverrides, MAX_CONNECTIONS,
    MESSAGE_QUOTA, MOST_CHANNEL_PREFIXES, MOST_WEBHOOKS, RESUME_SECONDS, SettingFault, SettingValue,
    WebhookFault, WebhookSettings, are_channel_prefixes, is_feed_prefix, is_http_url, is_passable_header,
    is_web_origin, named_limits, named_settings, nearest, setting_names, unset_app,
};
pub use store::AuditWanted;
pub use time::TimeUnit;
pub use tokens::{Bearer, MOST_TOKENS_LISTED, NewToken, NotAScope, Scope, TokenPage, TokenRecord};
pub use usage::{HourOfUsage, MOST_HOURS, Usage};

/// Timeout of one look-up, also for a look-up that waits for the read of another.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Timeout of one read: 200 ms below [`PATIENCE`], so that waiting look-ups hear "database away" before their
/// own timeout.
const READING: std::time::Duration = std::time::Duration::from_millis(1800);
