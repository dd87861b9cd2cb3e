//! From rows to an app, and new apps with random credentials.
//!
//! A row that cannot be used becomes a fault of that app alone.

use arc_swap::ArcSwap;
use fanfare_protocol::app::{App, Limits, RedisUrl};
use fanfare_protocol::auth::{Credential, Secret};
use fanfare_protocol::ids::{AppId, AppKey, is_app_id, is_key_or_secret};
use sqlx::FromRow;

use crate::master_keys::{MasterKeys, Owner, SealFault};
use crate::placeholders::{PLACEHOLDER, is_placeholder};
use crate::settings::AppSettings;

/// The rows of an app.
#[derive(Clone, Debug)]
pub(crate) enum Record<A = App> {
    App(A),
    /// The app's row cannot be used.
    Faulty(RowFault),
}

/// The app whose row cannot be used, and the cause.
#[derive(Clone, Debug)]
pub(crate) struct RowFault {
    pub app: String,
    pub cause: String,
}

/// Options for turning rows into an app.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The limits of an app that sets none.
    pub defaults: ArcSwap<Limits>,
    pub keys: MasterKeys,
}

/// An app with one of its pairs, if it has any. Not `Debug`: the pair holds a secret.
#[derive(FromRow)]
pub(super) struct Row {
    id: String,
    enabled: bool,
    settings: String,
    key: Option<String>,
    secret: Option<String>,
}

/// Joins the rows of one app; `None` without rows.
pub(super) fn from_rows(rows: Vec<Row>, reading: &Reading) -> Option<Record> {
    let first = rows.first()?;
    let id = first.id.clone();
    let settings = settings(first, &reading.keys);
    let pairs = rows.into_iter().filter_map(Row::into_pair);
    let credentials = pairs.map(|pair| credential(&id, pair, &reading.keys)).collect();
    Some(match (is_app_id(&id), settings, credentials) {
        (true, Ok(settings), Ok(credentials)) => {
            Record::App(settings.into_app(AppId::from(&*id), credentials, &reading.defaults.load()))
        }
        (false, ..) => {
            fault(id, "the id is not made of 1 to 64 of the characters A-Z a-z 0-9 _ -".to_owned())
        }
        (_, Err(cause), _) | (_, _, Err(cause)) => fault(id, cause),
    })
}

impl Row {
    fn into_pair(self) -> Option<(String, String)> {
        self.key.zip(self.secret)
    }
}

fn fault(app: String, cause: String) -> Record {
    Record::Faulty(RowFault { app, cause })
}

fn settings(row: &Row, keys: &MasterKeys) -> Result<AppSettings, String> {
    // Serde would accept a JSON array for a struct as well.
    if !row.settings.trim_start().starts_with('{') {
        return Err("settings is not a JSON object".to_owned());
    }
    let mut settings: AppSettings =
        serde_json::from_str(&row.settings).map_err(|error| format!("settings: {error}"))?;
    if let Some(fault) = settings.faults().first() {
        return Err(format!("settings: {fault}"));
    }
    open_feed_url(&mut settings, &row.id, keys).map_err(|fault| fault.to_string())?;
    settings.enabled = Some(row.enabled && settings.enabled.unwrap_or(true));
    Ok(settings)
}

/// The settings with the URL of the Redis opened, if the URL was stored sealed.
pub(crate) fn open_feed_url(
    settings: &mut AppSettings,
    app: &str,
    keys: &MasterKeys,
) -> Result<(), SealFault> {
    if let Some(url) = &mut settings.redis_feed.url {
        *url = RedisUrl::new(keys.open(Owner::of_feed_url(app), url.expose())?);
    }
    Ok(())
}

fn credential(app: &str, (key, stored): (String, String), keys: &MasterKeys) -> Result<Credential, String> {
    let secret = keys.open(Owner { app, key: &key }, &stored).map_err(|fault| fault.to_string())?;
    if is_placeholder(&secret) {
        return Err(PLACEHOLDER.to_owned());
    }
    if is_key_or_secret(&key) && is_key_or_secret(&secret) {
        Ok(Credential { key: AppKey::from(&*key), secret: Secret::new(&secret) })
    } else {
        Err("a key or secret is not made of 1 to 128 of the characters A-Z a-z 0-9 _ -".to_owned())
    }
}

/// An app with a random id of seven digits and one random pair, in the form that hosted Pusher uses.
pub(crate) fn new_app(defaults: &Limits) -> Result<App, getrandom::Error> {
    let (key, secret) = random_pair()?;
    let credential = Credential { key: AppKey::from(&*key), secret: Secret::new(&secret) };
    Ok(AppSettings::default().into_app(AppId::from(&*random_id()?), vec![credential], defaults))
}

/// An id of seven digits.
pub(crate) fn random_id() -> Result<String, getrandom::Error> {
    Ok((1_000_000 + getrandom::u32()? % 9_000_000).to_string())
}

/// A key and a secret.
pub(crate) fn random_pair() -> Result<(String, String), getrandom::Error> {
    let mut key = [0; 10];
    let mut secret = [0; 20];
    getrandom::fill(&mut key)?;
    getrandom::fill(&mut secret)?;
    Ok((hex::encode(key), hex::encode(secret)))
}
