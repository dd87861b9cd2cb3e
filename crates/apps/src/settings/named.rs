//! The one list of an app's settings outside sections: the keys of the configuration, its printing and the settings in
//! requests follow this list.

use std::ops::RangeInclusive;

use fanfare_protocol::app::{App, OriginPattern, Quota};
use fanfare_protocol::ids::AppId;

use super::{MAX_CONNECTIONS, MESSAGE_QUOTA, RESUME_SECONDS};

/// The value of a setting; the variant says which values the setting takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingValue<'a> {
    /// On or off.
    Switch(bool),
    /// A number; none means no quota.
    Quota {
        /// The value.
        most: Option<usize>,
        /// Legal values.
        legal: RangeInclusive<usize>,
    },
    /// A time in seconds; 0 means off.
    Seconds {
        /// The value.
        count: usize,
        /// Legal values.
        legal: RangeInclusive<usize>,
    },
    /// Origins.
    Origins(&'a [OriginPattern]),
}

/// Every setting of an app outside sections and without webhooks: its name and its value, in the order of
/// [`super::AppSettings`].
#[must_use]
pub fn named_settings(app: &App) -> [(&'static str, SettingValue<'_>); 13] {
    use SettingValue::{Origins, Quota as Most, Seconds, Switch};
    let App {
        id: _,
        credentials: _,
        enabled,
        max_connections,
        messages_per_second,
        messages_per_day,
        force_tls,
        allowed_origins,
        authorized_connections,
        client_events,
        subscription_counts,
        watchlist_events,
        subscription_error_event,
        resume_seconds,
        trace,
        limits: _,
        authorization: _,
        redis_feed: _,
        webhooks: _,
    } = app;
    [
        ("enabled", Switch(*enabled)),
        ("max_connections", Most { most: *max_connections, legal: MAX_CONNECTIONS }),
        (Quota::Second.setting(), Most { most: *messages_per_second, legal: MESSAGE_QUOTA }),
        (Quota::Day.setting(), Most { most: *messages_per_day, legal: MESSAGE_QUOTA }),
        ("force_tls", Switch(*force_tls)),
        ("allowed_origins", Origins(allowed_origins)),
        ("authorized_connections", Switch(*authorized_connections)),
        ("client_events", Switch(*client_events)),
        ("subscription_counts", Switch(*subscription_counts)),
        ("watchlist_events", Switch(*watchlist_events)),
        ("subscription_error_event", Switch(*subscription_error_event)),
        ("resume_seconds", Seconds { count: *resume_seconds, legal: RESUME_SECONDS }),
        ("trace", Switch(*trace)),
    ]
}

/// The app that [`named_settings`] is asked about where only names and kinds are wanted.
#[must_use]
pub fn unset_app() -> App {
    App::new(AppId::from(""), Vec::new())
}
