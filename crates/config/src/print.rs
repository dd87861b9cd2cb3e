//! The effective configuration, as `--print` shows it.
//!
//! Without secrets: apps are printed as comments, because an app without its secret would be another app.

use std::fmt::Write as _;
use std::path::Path;

use fanfare_apps::{SettingValue, named_limits, named_settings};
use fanfare_protocol::app::{App, Authorization, OriginPattern};
use fanfare_protocol::webhook::Webhook;
use toml::Value;

use super::apps::FixedApp;
use super::effective::Effective;
use super::fault::Origin;
use super::keys::{Keys, ValueKind};
use super::socketio::EchoClient;
use super::tls::CERTIFICATES;
use crate::certificate::Files;
use crate::redis_url::shown_url;

/// The mask of a secret; never a legal secret itself.
const MASK: &str = "***";

/// All settings in TOML; each that is not a default with its origin. `embedded` is the data directory of a
/// server that keeps a database of its own.
pub(super) fn effective(
    effective: &Effective,
    (apps, clients, certificates): (&[FixedApp], &[EchoClient], &[Files]),
    embedded: Option<&Path>,
) -> String {
    let mut text =
        String::from("# What holds, and behind it where it was set; no comment means the default.\n");
    let mut section = String::new();
    let keys = Keys::all();
    for (key, kind) in &keys.node {
        let (of, name) = key.rsplit_once('.').expect("every key is in a section");
        if of != section {
            let _ = writeln!(text, "\n[{of}]");
            of.clone_into(&mut section);
        }
        let (value, place) = effective.get(key);
        let value = &with_unit(*kind, value);
        let _ = match place {
            Origin::Default => writeln!(text, "{name} = {value}"),
            place => writeln!(text, "{name} = {value} # {place}"),
        };
    }
    for Files { certificate, key, .. } in certificates {
        let path = |path: &Path| Value::from(path.to_string_lossy().into_owned());
        let (certificate, key) = (path(certificate), path(key));
        let _ = writeln!(text, "\n[[{CERTIFICATES}]]\ncert_file = {certificate}\nkey_file = {key}");
    }
    if let Some(directory) = embedded {
        let directory = directory.display();
        let _ =
            writeln!(text, "\n# No app and no database is named: apps are kept in {directory}/fanfare.db.");
    }
    if !clients.is_empty() {
        text.push_str("\n# The clients are comments because their keys are not shown.\n");
    }
    for EchoClient { app_id, place, .. } in clients {
        let app_id = Value::from(&**app_id);
        let _ =
            writeln!(text, "#\n# [[socketio.clients]] # {place}\n# app_id = {app_id}\n# key = \"{MASK}\"");
    }
    if !apps.is_empty() {
        text.push_str("\n# The apps are comments because their secrets are not shown.\n");
    }
    for app in apps {
        write_app(&mut text, app);
    }
    text
}

/// A time as a text that says its unit; all else as it is.
pub(super) fn with_unit(kind: ValueKind, value: &Value) -> Value {
    match (kind, value.as_integer().and_then(|count| u64::try_from(count).ok())) {
        (ValueKind::Time { unit, .. }, Some(count)) => unit.show(count).into(),
        _ => value.clone(),
    }
}

fn write_app(text: &mut String, FixedApp { place, app, .. }: &FixedApp) {
    let _ = writeln!(text, "#\n# [[apps.list]] # {place}");
    for (name, value) in settings(app) {
        let _ = writeln!(text, "# {name} = {value}");
    }
    for (name, value) in authorization(&app.authorization) {
        let _ = writeln!(text, "# authorization.{name} = {value}");
    }
    text.push_str("# [apps.list.limits]\n");
    for (name, value) in named_limits(&app.limits) {
        let _ = writeln!(text, "# {name} = {value}");
    }
    if !app.redis_feed.is_none() {
        text.push_str("# [apps.list.redis_feed]\n");
    }
    let url = app.redis_feed.url.as_ref().map(shown_url);
    for (name, value) in [("url", url), ("prefix", app.redis_feed.prefix.clone())] {
        if let Some(value) = value {
            let _ = writeln!(text, "# {name} = {}", Value::from(value));
        }
    }
    for webhook in &app.webhooks {
        text.push_str("# [[apps.list.webhooks]]\n");
        for (name, value) in self::webhook(webhook) {
            let _ = writeln!(text, "# {name} = {value}");
        }
    }
}

/// The settings of a webhook.
fn webhook(webhook: &Webhook) -> [(&'static str, Value); 6] {
    let Webhook { url, events, channel_prefixes, batch, enabled, durable } = webhook;
    let events: Vec<Value> = events.each().map(|kind| kind.name().into()).collect();
    [
        ("url", url.clone().into()),
        ("events", events.into()),
        ("batch", (*batch).into()),
        ("channel_prefixes", channel_prefixes.clone().into()),
        ("enabled", (*enabled).into()),
        ("durable", (*durable).into()),
    ]
}

/// An app's settings without its sections; a quota only if set.
fn settings(app: &App) -> Vec<(&'static str, Value)> {
    let mut all = vec![("id", app.id.as_str().into())];
    for pair in &app.credentials {
        all.push(("key", pair.key.as_str().into()));
        all.push(("secret", MASK.into()));
    }
    let shown = |value| match value {
        SettingValue::Switch(on) => Some(on.into()),
        SettingValue::Quota { most, .. } => most.map(number),
        SettingValue::Seconds { count, .. } => Some(number(count)),
        SettingValue::Origins(origins) => {
            let origins: Vec<&str> = origins.iter().map(OriginPattern::as_str).collect();
            Some(origins.into())
        }
    };
    all.extend(named_settings(app).into_iter().filter_map(|(name, value)| Some((name, shown(value)?))));
    all
}

/// The settings of an app's authorization, only those that are set.
fn authorization(asked: &Authorization) -> Vec<(&'static str, Value)> {
    let Authorization { url, user_url, origins, headers, must_equal } = asked;
    let text = |name, text: Option<String>| Some((name, Value::String(text?)));
    let list = |name, list: &[String]| (!list.is_empty()).then(|| (name, Value::from(list.to_vec())));
    [
        text("url", url.clone()),
        text("user_url", user_url.clone()),
        list("origins", origins),
        list("headers", headers),
        text("must_equal", must_equal.as_ref().map(ToString::to_string)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Every number came from TOML, whose numbers are no larger.
fn number(count: usize) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}
