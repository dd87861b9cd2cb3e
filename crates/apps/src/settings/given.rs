//! Settings in a request: a JSON object, all of whose faults are reported at once.
//!
//! Null resets a setting to the server's default. Absent settings stay unchanged.

use serde_json::{Map, Value};

use super::named::{named_settings, unset_app};
use super::nearest::nearest;
use super::webhooks::as_far_as_legal;
use super::{AppSettings, AuthorizationSettings, LIMIT_RANGES, WebhookSettings};
use crate::time::TimeUnit;

/// The one setting that is a list of objects.
const WEBHOOKS: &str = "webhooks";

/// The settings that hold others.
const SECTIONS: &[&str] = &["limits", "authorization", "redis_feed"];

/// The settings within `redis_feed`.
const FEED: [&str; 2] = ["url", "prefix"];

impl AppSettings {
    /// The settings, changed as `given` says.
    ///
    /// # Errors
    /// Every unknown name, and every illegal value, in words.
    pub fn with(&self, given: &Map<String, Value>) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut merged = as_object(self);
        merge(&mut merged, given, "", &mut faults);
        let settings: Self = match serde_json::from_value(Value::Object(merged)) {
            Ok(settings) => settings,
            // Each value was tried alone, so that its fault is in the list already.
            Err(error) if faults.is_empty() => return Err(vec![error.to_string()]),
            Err(_) => return Err(faults),
        };
        faults.extend(settings.faults().iter().map(ToString::to_string));
        if faults.is_empty() { Ok(settings) } else { Err(faults) }
    }
}

fn as_object(settings: &AppSettings) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Merges the given settings into an object; `section` is empty, or a section's name with a dot.
fn merge(into: &mut Map<String, Value>, given: &Map<String, Value>, section: &str, faults: &mut Vec<String>) {
    for (name, value) in given {
        let key = format!("{section}{name}");
        match value {
            Value::Object(held) if SECTIONS.contains(&&*key) => {
                let mut own = match into.remove(name) {
                    Some(Value::Object(own)) => own,
                    _ => Map::new(),
                };
                merge(&mut own, held, &format!("{name}."), faults);
                into.insert(name.clone(), Value::Object(own));
            }
            _ if !is_known(&key) => faults.push(unknown(&key)),
            Value::Null => {
                into.remove(name);
            }
            value if key == WEBHOOKS => {
                let list = as_far_as_legal(value, unknown_of_webhook, faults);
                into.insert(name.clone(), list);
            }
            value => {
                match in_seconds(&key, value).and_then(|value| alone(&key, name, &value).map(|()| value)) {
                    Ok(value) => {
                        into.insert(name.clone(), value);
                    }
                    Err(fault) => faults.push(fault),
                }
            }
        }
    }
}

/// The names of all settings, those in sections with the section in front, such as `limits.batch`.
#[must_use]
pub fn setting_names() -> Vec<String> {
    known().collect()
}

/// A time with a unit, such as `"30m"`, as the number that is stored.
fn in_seconds(key: &str, value: &Value) -> Result<Value, String> {
    match value {
        Value::String(text) if key.ends_with("_seconds") => {
            TimeUnit::Seconds.read(text).map(Value::from).ok_or_else(|| {
                format!("{key}: {text:?} is no time; give whole seconds, or a text such as \"30m\"")
            })
        }
        _ => Ok(value.clone()),
    }
}

/// The settings that have a value, those in sections with the section in front.
fn known() -> impl Iterator<Item = String> {
    let limits = LIMIT_RANGES.iter().map(|(name, _)| format!("limits.{name}"));
    let authorization = AuthorizationSettings::NAMES.iter().map(|name| format!("authorization.{name}"));
    let feed = FEED.iter().map(|name| format!("redis_feed.{name}"));
    let names = names().into_iter().map(str::to_owned);
    names.chain(limits).chain(authorization).chain(feed)
}

/// The settings outside sections.
fn names() -> Vec<&'static str> {
    named_settings(&unset_app()).into_iter().map(|(name, _)| name).chain([WEBHOOKS]).collect()
}

fn is_known(key: &str) -> bool {
    SECTIONS.contains(&key) || known().any(|known| known == key)
}

fn unknown(key: &str) -> String {
    advice(key, known())
}

/// As [`unknown`], of a key within the list of webhooks.
fn unknown_of_webhook(key: &str) -> String {
    let names = WebhookSettings::NAMES.iter();
    let place = key.split('.').next().unwrap_or_default();
    advice(key, names.map(|name| format!("{place}.{name}")))
}

fn advice(key: &str, known: impl Iterator<Item = String>) -> String {
    match nearest(key, known) {
        Some(known) => format!("unknown setting {key}; did you mean {known}?"),
        None => format!("unknown setting {key}; config/default.toml lists those of an app"),
    }
}

/// Whether the value is of the setting's type.
fn alone(key: &str, name: &str, value: &Value) -> Result<(), String> {
    let mut object = Map::new();
    object.insert(name.to_owned(), value.clone());
    let mut object = Value::Object(object);
    if let Some((section, _)) = key.split_once('.') {
        object = serde_json::json!({ section: object });
    }
    match serde_json::from_value::<AppSettings>(object) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{key}: {}", plainly(&error.to_string()))),
    }
}

/// What was expected, in words that are not Rust's.
fn plainly(error: &str) -> String {
    [
        ("a boolean", "true or false"),
        ("usize", "a whole number"),
        ("a sequence", "a list"),
        ("a string", "a text"),
    ]
    .into_iter()
    .fold(error.to_owned(), |text, (theirs, ours)| {
        text.replace(&format!("expected {theirs}"), &format!("expected {ours}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(before: &str, given: &str) -> Result<String, Vec<String>> {
        let before: AppSettings = serde_json::from_str(before).unwrap();
        let given: Map<String, Value> = serde_json::from_str(given).unwrap();
        before.with(&given).map(|settings| serde_json::to_string(&settings).unwrap())
    }

    #[test]
    fn what_is_given_is_set_null_takes_back_and_the_rest_stays() {
        let before = r#"{"max_connections":5,"client_events":true,"limits":{"batch":3,"members":7}}"#;
        let given =
            r#"{"max_connections":null,"force_tls":true,"limits":{"batch":null,"event_bytes":20480}}"#;
        let after = r#"{"force_tls":true,"client_events":true,"limits":{"event_bytes":20480,"members":7}}"#;
        assert_eq!(with(before, given).unwrap(), after);
        assert_eq!(with(before, "{}").unwrap(), before);
        assert_eq!(with(r#"{"limits":{"batch":3}}"#, r#"{"limits":null}"#).unwrap(), "{}");
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let given = r#"{"client_event":true,"zzz":1,"force_tls":"yes","max_connections":0,
            "allowed_origins":["https://example.com","example.com"],"limits":{"bach":1,"batch":0,"members":-1}}"#;
        assert_eq!(
            with("{}", given).unwrap_err(),
            [
                "unknown setting client_event; did you mean client_events?",
                "force_tls: invalid type: string \"yes\", expected true or false",
                "unknown setting limits.bach; did you mean limits.batch?",
                "limits.members: invalid value: integer `-1`, expected a whole number",
                "unknown setting zzz; config/default.toml lists those of an app",
                "batch is 0; it must be from 1 to 10000",
                "max_connections is 0; it must be from 1 to 100000000",
                "allowed_origins holds \"https://example.com\"; give a host alone, such as example.com or *.example.com",
            ]
        );
    }

    #[test]
    fn a_time_may_have_a_unit() {
        assert_eq!(
            with("{}", r#"{"limits":{"cache_seconds":"30m"}}"#).unwrap(),
            r#"{"limits":{"cache_seconds":1800}}"#
        );
        assert_eq!(with("{}", r#"{"resume_seconds":"2m"}"#).unwrap(), r#"{"resume_seconds":120}"#);
        assert_eq!(
            with("{}", r#"{"limits":{"cache_seconds":"250ms"}}"#).unwrap_err(),
            [r#"limits.cache_seconds: "250ms" is no time; give whole seconds, or a text such as "30m""#]
        );
    }

    #[test]
    fn a_fault_in_a_section_is_told_once() {
        let given = r#"{"authorization":{"url":"/auth"},"redis_feed":{"url":"redis://h"}}"#;
        let faults = with("{}", given).unwrap_err();
        let told =
            ["authorization.url holds \"/auth\"; give ", "redis_feed.url is set without redis_feed.prefix"];
        assert_eq!(faults.len(), told.len(), "{faults:?}");
        assert!(faults.iter().zip(told).all(|(fault, told)| fault.starts_with(told)), "{faults:?}");
    }

    #[test]
    fn webhooks_are_given_as_a_whole_and_every_fault_of_the_list_is_told_at_once() {
        let one = r#"{"webhooks":[{"url":"http://a/","events":["presence"]}]}"#;
        assert_eq!(with("{}", one).unwrap(), one);
        assert_eq!(with(one, r#"{"webhooks":[]}"#).unwrap(), r#"{"webhooks":[]}"#);
        assert_eq!(with(one, r#"{"webhooks":null}"#).unwrap(), "{}");
        let given = r#"{"webhooks":[{"ulr":"http://a/","batch":1,"events":"presence"},7,
            {"url":"ftp://a/","event":["presence"]}],"zzz":1}"#;
        assert_eq!(
            with("{}", given).unwrap_err(),
            [
                "webhooks[1].batch: invalid type: integer `1`, expected a boolean",
                "webhooks[1].events: invalid type: string \"presence\", expected a sequence",
                "unknown setting webhooks[1].ulr; did you mean webhooks[1].url?",
                "webhooks[2] is not an object",
                "unknown setting webhooks[3].event; did you mean webhooks[3].events?",
                "unknown setting zzz; config/default.toml lists those of an app",
                "webhooks[1] has no url",
                "webhooks[3].url holds \"ftp://a/\"; give a URL such as https://example.com/webhooks, without a \
                 user or password in it",
                "webhooks[3] has no events; name some of \
                 channel_existence (channel_occupied, channel_vacated), presence (member_added, member_removed), client_events, cache_miss, \
                 subscription_count, users (user_online, user_offline)",
            ]
        );
        assert_eq!(
            with(one, r#"{"webhooks":[{"events":["presence"]}]}"#).unwrap_err(),
            ["webhooks[1] has no url"]
        );
        assert!(
            with("{}", r#"{"webhooks":{}}"#).unwrap_err()[0].starts_with("webhooks: give a list such as ")
        );
    }

    #[test]
    fn the_list_of_names_has_every_setting() {
        for key in known() {
            let name = key.rsplit('.').next().unwrap();
            assert_eq!(alone(&key, name, &Value::Null), Ok(()), "{key}");
        }
        let fault = serde_json::from_str::<AppSettings>(r#"{"zzz":1}"#).unwrap_err().to_string();
        let listed: Vec<&str> = fault.split('`').skip(3).step_by(2).collect();
        assert_eq!(listed, names().iter().chain(SECTIONS).copied().collect::<Vec<_>>());
    }
}
