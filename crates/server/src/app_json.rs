//! An app as JSON, for programs: the one shape of the command line and of the administration API.
//!
//! Holds a secret only on request.

use std::ops::Range;

use fanfare_apps::{AppRecord, Apps, HourOfUsage, KeyRecord, NewKey, OperationError, Page, Usage};
use fanfare_config::{Origin, shown_url};
use fanfare_node::clock::unix_seconds;
use fanfare_protocol::utc::utc_milliseconds;
use serde_json::{Map, Value, json};

/// Whether secrets are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// Secrets are left out.
    Hidden,
    /// Secrets are included.
    Shown,
}

/// The whole app, and the place where the configuration names it, for those who may know that (CON-051).
#[must_use]
pub fn app(record: &AppRecord, place: Option<&Origin>, secrets: Secrets) -> Value {
    let mut value = json!({
        "id": record.id,
        "name": record.name,
        "enabled": record.enabled,
        "source": if record.fixed { "configuration" } else { "database" },
        "settings": settings(record),
        "keys": pairs(record, secrets),
        "created_at": record.created_at.map(moment),
    });
    if let (Some(object), Some(place)) = (value.as_object_mut(), place) {
        object.extend(named_in(place));
    }
    value
}

/// A place in the configuration: `from` is for people and says all, the others are for programs.
fn named_in(place: &Origin) -> Map<String, Value> {
    let (path, line, variable) = match place {
        Origin::File { path, line, .. } => (Some(path), Some(*line), None),
        Origin::DotEnv { path, line, name } => (Some(path), Some(*line), Some(name)),
        Origin::Option { path, .. } => (Some(path), None, None),
        Origin::Variable(name) => (None, None, Some(name)),
        Origin::Flag(_) | Origin::Default => (None, None, None),
    };
    let all = [
        ("from", Some(Value::from(place.to_string()))),
        ("file", path.map(|path| path.display().to_string().into())),
        ("line", line.filter(|line| *line > 0).map(Value::from)),
        ("variable", variable.map(|name| name.as_str().into())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The settings that differ from the server's defaults; the URL of a Redis without its password.
#[must_use]
pub fn settings(record: &AppRecord) -> Map<String, Value> {
    let mut settings = record.settings.clone();
    if let (Some(url), Some(Value::Object(feed))) = (&record.redis_url, settings.get_mut("redis_feed")) {
        feed.insert("url".to_owned(), shown_url(url).into());
    }
    settings
}

/// A page of the list, without secrets; `place_of` tells where the configuration names an app.
#[must_use]
pub fn page<'a>(page: &Page, place_of: impl Fn(&str) -> Option<&'a Origin>) -> Value {
    let apps: Vec<Value> =
        page.apps.iter().map(|record| app(record, place_of(&record.id), Secrets::Hidden)).collect();
    json!({ "apps": apps, "next": page.next })
}

/// The key pairs of an app.
#[must_use]
pub fn keys(record: &AppRecord, secrets: Secrets) -> Value {
    json!({ "keys": pairs(record, secrets) })
}

/// A new key pair, with its secret.
#[must_use]
pub fn new_key(pair: &NewKey) -> Value {
    json!({ "key": pair.key, "secret": pair.secret.expose() })
}

/// The usage of an app from one hour until before another; hours without usage are left out.
#[must_use]
pub fn usage(app: &str, hours: Range<u64>, used: &[HourOfUsage]) -> Value {
    let each = used.iter().map(|HourOfUsage { hour, usage }| {
        let mut object = counts(usage);
        object.insert("hour".to_owned(), hour_moment(*hour).into());
        Value::Object(object)
    });
    json!({
        "app": app,
        "from": hour_moment(hours.start),
        "until": hour_moment(hours.end),
        "hours": each.collect::<Vec<_>>(),
        "total": counts(&total(used)),
    })
}

/// The usage of an app in the current hour and the hours before, `hours` in all.
///
/// # Errors
/// The database is away.
pub async fn latest_usage(apps: &Apps, app: &str, hours: u32) -> Result<Value, OperationError> {
    let range = latest_hours(hours);
    let used = apps.usage(app, range.start, range.end).await?;
    Ok(usage(app, range, &used))
}

/// The current hour and the hours before, counted from 1970.
#[must_use]
pub fn latest_hours(hours: u32) -> Range<u64> {
    let until = unix_seconds() / 3600 + 1;
    until.saturating_sub(hours.into())..until
}

/// All hours together: counts add up, and the peak is the highest.
#[must_use]
pub fn total(used: &[HourOfUsage]) -> Usage {
    let mut total = Usage::default();
    for HourOfUsage { usage, .. } in used {
        total.add(usage);
    }
    total
}

/// The start of an hour that is counted from 1970.
#[must_use]
pub fn hour_moment(hour: u64) -> String {
    utc_milliseconds(hour.saturating_mul(3_600_000))
}

fn counts(usage: &Usage) -> Map<String, Value> {
    usage.named().into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect()
}

fn pairs(record: &AppRecord, secrets: Secrets) -> Vec<Value> {
    record.keys.iter().map(|pair| key(pair, secrets)).collect()
}

fn key(pair: &KeyRecord, secrets: Secrets) -> Value {
    let mut object = Map::new();
    object.insert("key".to_owned(), pair.key.clone().into());
    if secrets == Secrets::Shown {
        let secret = pair.secret.as_ref().map(|secret| secret.expose().to_owned());
        object.insert("secret".to_owned(), secret.into());
    }
    object.insert("created_at".to_owned(), pair.created_at.map(moment).into());
    object.insert("revoked_at".to_owned(), pair.revoked_at.map(moment).into());
    Value::Object(object)
}

/// Milliseconds since 1970, formatted for people and programs.
#[must_use]
pub fn moment(milliseconds: i64) -> String {
    utc_milliseconds(u64::try_from(milliseconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_has_a_line_for_each_hour_and_a_total() {
        let used = |hour, count| HourOfUsage {
            hour,
            usage: Usage {
                peak_connections: count,
                backend_messages: count,
                client_messages: 0,
                deliveries: 2 * count,
                delivered_bytes: 100 * count,
                webhook_deliveries: 3 * count,
                webhook_failures: 4 * count,
                webhook_events_dropped: 5 * count,
            },
        };
        let object = |count: u64, peak: u64| {
            json!({
                "peak_connections": peak, "backend_messages": count, "client_messages": 0,
                "deliveries": 2 * count, "delivered_bytes": 100 * count, "webhook_deliveries": 3 * count,
                "webhook_failures": 4 * count, "webhook_events_dropped": 5 * count,
            })
        };
        let (mut first, mut second) = (object(5, 5), object(2, 2));
        first["hour"] = "2025-11-24T10:00:00.000Z".into();
        second["hour"] = "2025-11-24T12:00:00.000Z".into();
        let hour = 1_763_978_400 / 3600;
        assert_eq!(
            usage("3", hour..hour + 24, &[used(hour, 5), used(hour + 2, 2)]),
            json!({
                "app": "3", "from": "2025-11-24T10:00:00.000Z", "until": "2025-11-25T10:00:00.000Z",
                "hours": [first, second], "total": object(7, 5),
            })
        );
    }
}
