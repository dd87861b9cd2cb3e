//! An app as JSON, for programs: the one shape of the command line and of the administration API.
//!
//! Holds a secret only where it was asked for.

use fanfare_apps::{AppRecord, KeyRecord, NewKey, Page};
use fanfare_protocol::utc::utc;
use serde_json::{Map, Value, json};

/// Whether secrets are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// They are left out.
    Hidden,
    /// They were asked for.
    Shown,
}

/// The whole app.
#[must_use]
pub fn app(record: &AppRecord, secrets: Secrets) -> Value {
    json!({
        "id": record.id,
        "name": record.name,
        "enabled": record.enabled,
        "source": if record.fixed { "configuration" } else { "database" },
        "settings": record.settings,
        "keys": pairs(record, secrets),
        "created_at": record.created_at.map(moment),
    })
}

/// A page of the list, without secrets.
#[must_use]
pub fn page(page: &Page) -> Value {
    let apps: Vec<Value> = page.apps.iter().map(|record| app(record, Secrets::Hidden)).collect();
    json!({ "apps": apps, "next": page.next })
}

/// The pairs of an app.
#[must_use]
pub fn keys(record: &AppRecord, secrets: Secrets) -> Value {
    json!({ "keys": pairs(record, secrets) })
}

/// A pair that was made just now, with its secret.
#[must_use]
pub fn new_key(pair: &NewKey) -> Value {
    json!({ "key": pair.key, "secret": pair.secret.expose() })
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

/// Milliseconds since 1970 as people and programs read them.
#[must_use]
pub fn moment(milliseconds: i64) -> String {
    utc(u64::try_from(milliseconds / 1000).unwrap_or(0))
}
