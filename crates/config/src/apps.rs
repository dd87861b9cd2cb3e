//! The apps of the file and the environment.
//!
//! Checks each app's settings and that no two share an id or a key; reads no database.

use std::collections::BTreeMap;

use fanfare_apps::AppSettings;
use fanfare_protocol::app::{App, Limits as AppLimits};
use fanfare_protocol::auth::{Credential, Secret};
use fanfare_protocol::ids::{AppId, AppKey};
use serde::Deserialize;
use toml::{Table, Value};

use super::fault::{Cause, Fault, Origin};
use super::given::{Given, GivenApp};
use super::keys::{Keys, kind_of};
use super::webhook_list;

/// An app with every setting resolved.
#[derive(Debug)]
pub(super) struct FixedApp {
    pub place: Origin,
    pub name: String,
    pub app: App,
}

/// The contents of an app's table. Not `Debug`: the table has the secret.
#[derive(Deserialize)]
struct Entry {
    id: String,
    key: String,
    secret: String,
    #[serde(flatten)]
    settings: AppSettings,
}

/// Owners of ids and keys, so that none is used twice.
#[derive(Default)]
struct Owners {
    ids: BTreeMap<String, String>,
    keys: BTreeMap<String, String>,
}

/// Resolves all apps; an app that variables name twice, or that repeats the file's, counts once.
pub(super) fn resolve(
    given: Vec<GivenApp>,
    defaults: &AppLimits,
    keys: &Keys,
    faults: &mut Vec<Fault>,
) -> Vec<FixedApp> {
    let mut owners = Owners::default();
    let mut fixed: Vec<FixedApp> = Vec::new();
    for app in given {
        let (place, name) = (app.place.clone(), app.name.clone());
        let again = |known: &FixedApp| {
            matches!(place, Origin::Variable(_) | Origin::DotEnv { .. }) && has_credentials(&known.app, &app)
        };
        if fixed.iter().any(again) {
            continue;
        }
        if let Some(entry) = check(app, keys, &mut owners, faults) {
            let credential =
                Credential { key: AppKey::from(&*entry.key), secret: Secret::new(&entry.secret) };
            let app = entry.settings.into_app(AppId::from(&*entry.id), vec![credential], defaults);
            fixed.push(FixedApp { place, name, app });
        }
    }
    fixed
}

/// Whether a source gives the app's own id, key and secret.
fn has_credentials(app: &App, given: &GivenApp) -> bool {
    let value = |key: &str| given.settings.iter().find(|setting| setting.key == key)?.value.as_str();
    let pair = value("key").and_then(|key| app.credential(key));
    value("id") == Some(app.id.as_str())
        && pair.is_some_and(|pair| value("secret") == Some(pair.secret.expose()))
}

/// Checks the settings of one app; `None` if any is wrong.
fn check(app: GivenApp, keys: &Keys, owners: &mut Owners, faults: &mut Vec<Fault>) -> Option<Entry> {
    let before = faults.len();
    let missing = ["id", "key", "secret"]
        .into_iter()
        .filter(|key| !app.settings.iter().any(|setting| setting.key == *key))
        .map(|key| Fault { place: app.place.clone(), cause: Cause::Missing { app: app.name.clone(), key } });
    faults.extend(missing);
    webhook_list::check(&app.name, &app.webhooks, &app.settings, faults);
    let mut entry = Table::new();
    for Given { place, key, value } in app.settings {
        let shown = shown_key(&app.name, &place, &key);
        let listed = webhook_list::without_number(&key).map_or_else(|| key.clone(), |(listed, _)| listed);
        let checked = match kind_of(&keys.app, &listed) {
            Some(kind) => kind.check(&shown, value),
            None => Err(Cause::UnknownKey { key: shown, hint: keys.nearest_of_app(&listed) }),
        };
        match checked.and_then(|value| owners.claim(&app.name, &key, value)) {
            Ok(value) => put(&mut entry, &key, value),
            Err(cause) => faults.push(Fault { place, cause }),
        }
    }
    let legal = faults.len() == before;
    legal.then(|| entry.try_into().expect("every value was checked against the list of keys"))
}

/// The name of an app's key in a fault; for a variable, `place` shows the variable's own name already.
fn shown_key(app: &str, place: &Origin, key: &str) -> String {
    match place {
        Origin::Variable(_) | Origin::DotEnv { .. } | Origin::Option { .. } => format!("the app's {key}"),
        _ => format!("{app}.{key}"),
    }
}

fn put(entry: &mut Table, key: &str, value: Value) {
    if let Some((listed, number)) = webhook_list::without_number(key)
        && let Some((list, name)) = listed.split_once('.')
    {
        let list = entry.entry(list).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            // Tables come in order, and none is empty.
            list.resize_with(list.len().max(number), || Value::Table(Table::new()));
            if let Value::Table(webhook) = &mut list[number - 1] {
                webhook.insert(name.to_owned(), value);
            }
        }
        return;
    }
    match key.split_once('.') {
        Some((section, name)) => {
            let section = entry.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                section.insert(name.to_owned(), value);
            }
        }
        None => {
            entry.insert(key.to_owned(), value);
        }
    }
}

impl Owners {
    /// Records the owner of an id or key; every other setting may be shared.
    fn claim(&mut self, app: &str, setting: &str, value: Value) -> Result<Value, Cause> {
        let (what, owners) = match setting {
            "id" => ("id", &mut self.ids),
            "key" => ("key", &mut self.keys),
            _ => return Ok(value),
        };
        let text = value.as_str().unwrap_or_default().to_owned();
        match owners.get(&text) {
            Some(other) => Err(Cause::Taken { what, value: text, other: other.clone() }),
            None => {
                owners.insert(text, app.to_owned());
                Ok(value)
            }
        }
    }
}
