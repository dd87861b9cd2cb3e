//! The settings of one app that differ from the server's defaults.
//!
//! The same names serve the configuration file and the JSON column `settings`; absent settings take
//! the default. Owns which values are legal.

mod authorization;
mod fault;
mod given;
mod named;
mod nearest;
mod of_app;
mod webhooks;

use std::ops::RangeInclusive;

use fanfare_protocol::app::{App, Limits, OriginPattern, Quota, RedisFeed};
use fanfare_protocol::auth::Credential;
use fanfare_protocol::ids::AppId;
use serde::{Deserialize, Serialize};

pub use self::authorization::{AuthorizationSettings, is_http_url, is_passable_header, is_web_origin};
pub use self::fault::{
    LONGEST_FEED_PREFIX, MOST_CHANNEL_PREFIXES, MOST_WEBHOOKS, SettingFault, WebhookFault,
};
pub use self::given::setting_names;
pub use self::named::{SettingValue, named_settings, unset_app};
pub use self::nearest::nearest;
pub use self::webhooks::{WebhookSettings, are_channel_prefixes};

/// Legal values of `max_connections`; an absent setting means no quota.
pub const MAX_CONNECTIONS: RangeInclusive<usize> = 1..=100_000_000;

/// Legal values of `messages_per_second` and `messages_per_day`; an absent setting means no quota.
pub const MESSAGE_QUOTA: RangeInclusive<usize> = 1..=1_000_000_000;

/// Legal values of `resume_seconds`; 0 means off.
pub const RESUME_SECONDS: RangeInclusive<usize> = 0..=3600;

/// The one list of the limits that an app may override, with their legal values.
macro_rules! app_limits {
    ($($name:ident: $range:expr,)*) => {
        /// Legal values of each limit, in the order of [`Limits`].
        pub const LIMIT_RANGES: &[(&str, RangeInclusive<usize>)] = &[$((stringify!($name), $range)),*];

        /// The limits of one app that differ from the server's; the units are those of [`Limits`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(default, deny_unknown_fields)]
        #[expect(missing_docs, reason = "each field is the one of `Limits` with its name")]
        pub struct LimitOverrides {
            $(#[serde(skip_serializing_if = "Option::is_none")]
            pub $name: Option<usize>,)*
        }

        impl LimitOverrides {
            /// The limits that hold for the app, with the defaults where the app sets none.
            #[must_use]
            pub fn resolve(&self, defaults: &Limits) -> Limits {
                Limits { $($name: self.$name.unwrap_or(defaults.$name),)* }
            }

            /// The limits that differ from the defaults.
            pub(super) fn between(limits: &Limits, defaults: &Limits) -> Self {
                Self { $($name: (limits.$name != defaults.$name).then_some(limits.$name),)* }
            }

            fn are_none(&self) -> bool {
                self.given().iter().all(Option::is_none)
            }

            /// The values in the order of [`LIMIT_RANGES`].
            fn given(&self) -> [Option<usize>; LIMIT_RANGES.len()] {
                [$(self.$name,)*]
            }
        }

        /// Every limit with its name, in the order of [`LIMIT_RANGES`].
        #[must_use]
        pub fn named_limits(limits: &Limits) -> [(&'static str, usize); LIMIT_RANGES.len()] {
            [$((stringify!($name), limits.$name),)*]
        }
    };
}

app_limits! {
    channel_name: 1..=200,
    event_name: 1..=1024,
    event_bytes: 1..=16_777_216,
    channels_per_event: 1..=10_000,
    batch: 1..=10_000,
    members: 1..=100_000,
    member_bytes: 1..=1_048_576,
    user_id: 1..=200,
    client_event_bytes: 1..=16_777_216,
    client_events_per_second: 1..=100_000,
    watchlist: 1..=10_000,
    cache_seconds: 1..=86_400,
    cache_bytes: 1..=1_073_741_824,
    resume_entries: 1..=1_000_000,
    resume_bytes: 1..=1_073_741_824,
}

/// The settings of one app; `None` takes the server's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppSettings {
    /// Off: connections close with 4003, requests get 403. Default: on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Most connections at once on this node (WS-061). Default: no quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<usize>,
    /// Most messages in a second on this node. Default: no quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_per_second: Option<usize>,
    /// Most messages since midnight UTC on this node. Default: no quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_per_day: Option<usize>,
    /// Refuse connections without TLS (WS-063). Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_tls: Option<bool>,
    /// The allowed origins (WS-010). Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_origins: Option<Vec<OriginPattern>>,
    /// Close connections that do not authorize in time (WS-062). Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorized_connections: Option<bool>,
    /// Let clients send client events (WS-161). Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_events: Option<bool>,
    /// Send subscribers the subscription count (WS-175). Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_counts: Option<bool>,
    /// Send signed-in users the online status of their watchlist (WS-195). Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchlist_events: Option<bool>,
    /// Send soketi's `pusher:subscription_error` as well (WS-133). Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_error_event: Option<bool>,
    /// Seconds for which what a client missed is kept (RES-012). Default: 0, which is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_seconds: Option<usize>,
    /// Keep the traces of the last publishes (CON-043). Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<bool>,
    /// The app's webhooks. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<Vec<WebhookSettings>>,
    /// Limits of the app's own.
    #[serde(skip_serializing_if = "LimitOverrides::are_none")]
    pub limits: LimitOverrides,
    /// Whether and how the application is asked who may join a channel. Default: not asked.
    #[serde(skip_serializing_if = "AuthorizationSettings::are_none")]
    pub authorization: AuthorizationSettings,
    /// The Redis from which Laravel's `redis` broadcasts come. Default: none.
    #[serde(skip_serializing_if = "RedisFeed::is_none")]
    pub redis_feed: RedisFeed,
}

impl AppSettings {
    /// Every illegal value of the settings.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingFault> {
        let limits = LIMIT_RANGES.iter().zip(self.limits.given());
        let limits = limits.filter_map(|((name, range), value)| check_range(name, range, value));
        let others = [
            check_range("max_connections", &MAX_CONNECTIONS, self.max_connections),
            check_range(Quota::Second.setting(), &MESSAGE_QUOTA, self.messages_per_second),
            check_range(Quota::Day.setting(), &MESSAGE_QUOTA, self.messages_per_day),
            check_range("resume_seconds", &RESUME_SECONDS, self.resume_seconds),
        ];
        let origins = self.allowed_origins.iter().flatten().filter(|origin| !origin.is_legal());
        let origins = origins.map(|origin| SettingFault::NotAHostPattern(origin.as_str().to_owned()));
        limits
            .chain(others.into_iter().flatten())
            .chain(origins)
            .chain(self.authorization.faults())
            .chain(feed_fault(&self.redis_feed))
            .chain(webhooks::faults(self.webhooks.as_deref().unwrap_or_default()))
            .collect()
    }

    /// The app with every setting resolved.
    #[must_use]
    pub fn into_app(self, id: AppId, credentials: Vec<Credential>, defaults: &Limits) -> App {
        App {
            id,
            credentials,
            enabled: self.enabled.unwrap_or(true),
            max_connections: self.max_connections,
            messages_per_second: self.messages_per_second,
            messages_per_day: self.messages_per_day,
            force_tls: self.force_tls.unwrap_or(false),
            allowed_origins: self.allowed_origins.unwrap_or_default(),
            authorized_connections: self.authorized_connections.unwrap_or(false),
            client_events: self.client_events.unwrap_or(false),
            subscription_counts: self.subscription_counts.unwrap_or(false),
            watchlist_events: self.watchlist_events.unwrap_or(false),
            subscription_error_event: self.subscription_error_event.unwrap_or(false),
            resume_seconds: self.resume_seconds.unwrap_or(0),
            trace: self.trace.unwrap_or(false),
            limits: self.limits.resolve(defaults),
            authorization: self.authorization.resolve(),
            redis_feed: self.redis_feed,
            webhooks: webhooks::resolve(self.webhooks.unwrap_or_default()),
        }
    }
}

/// Whether a text may be the prefix of a Redis feed; an empty prefix takes every published message.
#[must_use]
pub fn is_feed_prefix(text: &str) -> bool {
    text.len() <= LONGEST_FEED_PREFIX && !text.chars().any(char::is_control)
}

/// The URL is parsed where it is used, because only there is it known what can be connected to.
fn feed_fault(feed: &RedisFeed) -> Option<SettingFault> {
    match &feed.prefix {
        Some(prefix) => (!is_feed_prefix(prefix)).then_some(SettingFault::FeedPrefix),
        None => feed.url.is_some().then_some(SettingFault::NoFeedPrefix),
    }
}

fn check_range(
    name: &'static str,
    range: &RangeInclusive<usize>,
    value: Option<usize>,
) -> Option<SettingFault> {
    let value = value.filter(|value| !range.contains(value))?;
    Some(SettingFault::OutOfRange { name, value, least: *range.start(), most: *range.end() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_absent_take_the_servers_defaults() {
        let defaults = Limits { members: 7, ..Limits::default() };
        let settings: AppSettings = serde_json::from_str(r#"{"limits":{"batch":3}}"#).unwrap();
        let app = settings.into_app(AppId::from("1"), Vec::new(), &defaults);
        assert_eq!(app.limits, Limits { batch: 3, members: 7, ..Limits::default() });
        assert!(
            app.enabled && !app.force_tls && !app.authorized_connections && !app.subscription_error_event
        );
        assert_eq!((app.max_connections, app.allowed_origins), (None, Vec::new()));
    }

    #[test]
    fn each_limit_is_held_to_its_own_range() {
        for (name, range) in LIMIT_RANGES {
            let json = |value: usize| format!(r#"{{"limits":{{"{name}":{value}}}}}"#);
            let faults = |value| serde_json::from_str::<AppSettings>(&json(value)).unwrap().faults();
            assert_eq!(faults(*range.start()), []);
            assert_eq!(faults(*range.end()), []);
            for value in [range.start() - 1, range.end() + 1] {
                let fault = faults(value)[0].to_string();
                assert!(fault.starts_with(&format!("{name} is {value}; it must be from ")), "{fault}");
            }
        }
    }

    #[test]
    fn a_quota_of_zero_is_refused_because_it_could_mean_two_things() {
        let settings = AppSettings { max_connections: Some(0), ..AppSettings::default() };
        let fault = settings.faults()[0].to_string();
        assert_eq!(fault, "max_connections is 0; it must be from 1 to 100000000");
        let settings: AppSettings =
            serde_json::from_str(r#"{"messages_per_second":0,"messages_per_day":1000000001}"#).unwrap();
        let faults: Vec<String> = settings.faults().iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "messages_per_second is 0; it must be from 1 to 1000000000",
                "messages_per_day is 1000000001; it must be from 1 to 1000000000",
            ]
        );
    }

    #[test]
    fn res_012_resume_is_off_by_default_and_lasts_an_hour_at_most() {
        let settings = |seconds| AppSettings { resume_seconds: seconds, ..AppSettings::default() };
        let resolved = |seconds| settings(seconds).into_app(AppId::from("1"), Vec::new(), &Limits::default());
        assert_eq!(resolved(None).resume_seconds, 0);
        assert_eq!(resolved(Some(90)).resume_seconds, 90);
        assert_eq!([settings(Some(0)).faults(), settings(Some(3600)).faults()], [[], []]);
        let fault = settings(Some(3601)).faults()[0].to_string();
        assert_eq!(fault, "resume_seconds is 3601; it must be from 0 to 3600");
    }
}
