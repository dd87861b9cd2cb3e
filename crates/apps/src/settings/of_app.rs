//! The settings that an app has, from the app itself: those that differ from the built-in defaults.
//!
//! The way back from [`AppSettings::into_app`], for apps of the configuration, whose settings are kept resolved.

use fanfare_protocol::app::{App, Authorization, Limits};
use fanfare_protocol::webhook::Webhook;

use super::{AppSettings, AuthorizationSettings, LimitOverrides, WebhookSettings};

impl From<&App> for AppSettings {
    fn from(app: &App) -> Self {
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
            limits,
            authorization,
            redis_feed,
            webhooks,
        } = app;
        let on = |switch: &bool| switch.then_some(true);
        Self {
            enabled: (!enabled).then_some(false),
            max_connections: *max_connections,
            messages_per_second: *messages_per_second,
            messages_per_day: *messages_per_day,
            force_tls: on(force_tls),
            allowed_origins: unless_empty(allowed_origins),
            authorized_connections: on(authorized_connections),
            client_events: on(client_events),
            subscription_counts: on(subscription_counts),
            watchlist_events: on(watchlist_events),
            subscription_error_event: on(subscription_error_event),
            resume_seconds: (*resume_seconds != 0).then_some(*resume_seconds),
            trace: on(trace),
            webhooks: (!webhooks.is_empty()).then(|| webhooks.iter().map(of_webhook).collect()),
            limits: LimitOverrides::between(limits, &Limits::default()),
            authorization: of_authorization(authorization),
            redis_feed: redis_feed.clone(),
        }
    }
}

fn unless_empty<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn of_webhook(webhook: &Webhook) -> WebhookSettings {
    let Webhook { url, events, channel_prefixes, batch, enabled, durable } = webhook;
    WebhookSettings {
        url: Some(url.clone()),
        events: Some(events.each().map(|kind| kind.name().to_owned()).collect()),
        batch: Some(*batch),
        channel_prefixes: Some(channel_prefixes.clone()),
        enabled: Some(*enabled),
        durable: Some(*durable),
    }
}

fn of_authorization(authorization: &Authorization) -> AuthorizationSettings {
    let Authorization { url, user_url, origins, headers, must_equal } = authorization;
    AuthorizationSettings {
        url: url.clone(),
        user_url: user_url.clone(),
        origins: unless_empty(origins),
        headers: unless_empty(headers),
        must_equal: must_equal.as_ref().map(ToString::to_string),
    }
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::ids::AppId;

    use super::*;

    fn resolved(settings: AppSettings) -> App {
        settings.into_app(AppId::from("1"), Vec::new(), &Limits::default())
    }

    #[test]
    fn an_app_tells_the_settings_that_made_it() {
        for text in [
            "{}",
            r#"{"enabled":false,"max_connections":5,"force_tls":true,"allowed_origins":["a.example"],"resume_seconds":60,"trace":true}"#,
            r#"{"messages_per_second":7,"messages_per_day":9,"client_events":true,"limits":{"batch":3,"event_bytes":20000}}"#,
            r#"{"authorization":{"url":"http://a.example/auth","origins":["https://a.example"],"must_equal":"code=0"}}"#,
            r#"{"redis_feed":{"url":"redis://:pw@r.example","prefix":"p_"}}"#,
            r#"{"webhooks":[{"url":"https://a.example/w","events":["presence","users"],"batch":true,"channel_prefixes":["x"]}]}"#,
        ] {
            let app = resolved(serde_json::from_str(text).unwrap());
            let told = AppSettings::from(&app);
            assert_eq!(resolved(told.clone()), app, "{text}");
            let told = serde_json::to_value(&told).unwrap();
            let given: serde_json::Value = serde_json::from_str(text).unwrap();
            for (name, value) in given.as_object().unwrap().iter().filter(|(name, _)| *name != "webhooks") {
                assert_eq!(told[name], *value, "{text}");
            }
        }
        assert_eq!(AppSettings::from(&resolved(AppSettings::default())), AppSettings::default());
    }
}
