//! Operations on the apps of the database: create, list, show, change, re-key, delete.
//!
//! Checks everything before anything is written, and reports every fault at once. The configuration's
//! apps are only shown. Secrets leave only as [`Secret`]s, and only in the operation that creates them.

mod changing;
mod error;
mod list;
mod record;
mod seal;
mod search;

use fanfare_protocol::app::RedisUrl;
use fanfare_protocol::auth::Secret;
use fanfare_protocol::ids::{is_app_id, is_key_or_secret};
use serde_json::{Map, Value};

pub use self::error::OperationError;
pub use self::list::{AppsWanted, MOST_LISTED, Page};
pub use self::record::{AppRecord, KeyRecord};
pub use self::seal::ToSeal;
pub use self::search::FoundApp;

use crate::apps::{Apps, Stored};
use crate::master_keys::{MasterKeys, Owner};
use crate::placeholders::{PLACEHOLDER, is_placeholder};
use crate::settings::AppSettings;
use crate::store::{Listed, random_id, random_pair};

/// Longest name of an app, in characters.
const LONGEST_NAME: usize = 200;

/// How often a change is tried while others change the same app; each failure is another's success.
const MOST_ATTEMPTS: usize = 100;

/// An app to be created; absent fields are random, or the server's defaults.
#[derive(Default)]
pub struct NewApp {
    /// The app's id: 1 to 64 of the characters A-Z a-z 0-9 _ -.
    pub id: Option<String>,
    /// A name for people.
    pub name: String,
    /// The public half of the app's pair.
    pub key: Option<String>,
    /// The secret half.
    pub secret: Option<String>,
    /// The app's settings, by the names of the configuration file.
    pub settings: Map<String, Value>,
    /// Faults that the caller has found already; any fault keeps the app from being created.
    pub faults: Vec<String>,
}

/// The fields to change; absent fields stay.
#[derive(Debug, Default)]
pub struct Update {
    /// A name for people.
    pub name: Option<String>,
    /// Whether the app is enabled.
    pub enabled: Option<bool>,
    /// Settings; null resets a setting to the server's default.
    pub settings: Map<String, Value>,
    /// Faults that the caller has found already; any fault keeps the app from being changed.
    pub faults: Vec<String>,
}

/// An app that was changed.
#[derive(Debug)]
pub struct ChangedApp {
    /// The app as the change found it.
    pub before: AppRecord,
    /// The app now.
    pub after: AppRecord,
}

/// The faults of an app to be created.
struct Wrong {
    faults: Vec<String>,
    /// Number of faults that only say that an id or a key is taken.
    taken: usize,
}

/// A pair that was created just now.
pub struct NewKey {
    /// The public half.
    pub key: String,
    /// The secret half.
    pub secret: Secret,
}

impl Apps {
    /// Creates an app.
    ///
    /// # Errors
    /// Every fault of `new`, or the database is away.
    pub async fn create(&self, new: NewApp) -> Result<(AppRecord, NewKey), OperationError> {
        let stored = self.writable()?;
        let mut wrong = Wrong { faults: new.faults, taken: 0 };
        let id = match new.id {
            Some(id) => id,
            None => random_id()?,
        };
        stored.expect_known_master_key().await?;
        let made = random_pair()?;
        let key = new.key.unwrap_or(made.0);
        let secret = new.secret.unwrap_or(made.1);
        check_name(&new.name, &mut wrong.faults);
        self.check_id(stored, &id, &mut wrong).await?;
        self.check_key(stored, &key, &mut wrong).await?;
        if !is_key_or_secret(&secret) {
            wrong.faults.push("secret is not made of 1 to 128 of the characters A-Z a-z 0-9 _ -".to_owned());
        }
        if is_placeholder(&secret) {
            wrong.faults.push(PLACEHOLDER.to_owned());
        }
        let settings = AppSettings::default().with(&new.settings).unwrap_or_else(|found| {
            wrong.faults.extend(found);
            AppSettings::default()
        });
        wrong.into_result()?;
        let row = row(id, new.name, settings, &stored.reading.keys)?;
        let sealed = stored.reading.keys.seal(Owner { app: &row.id, key: &key }, &secret)?;
        stored.noting(stored.store.add(&row, &key, &sealed).await)?;
        let record = self.show(&row.id).await?;
        Ok((record, NewKey { key, secret: Secret::new(&secret) }))
    }

    /// One app.
    ///
    /// # Errors
    /// No app has the id, or the database is away.
    pub async fn show(&self, id: &str) -> Result<AppRecord, OperationError> {
        if let Some(app) = self.fixed_by_id(id) {
            return Ok(AppRecord::fixed(&app));
        }
        let stored = self.stored.as_ref().ok_or_else(|| OperationError::no_such_app(id))?;
        stored.record(stored.row(id).await?).await
    }

    /// Gives an app one more pair; the others stay valid until they are revoked.
    ///
    /// # Errors
    /// No app has the id, or the database is away.
    pub async fn rotate_key(&self, id: &str) -> Result<NewKey, OperationError> {
        let stored = self.changeable(id)?;
        stored.row(id).await?;
        stored.expect_known_master_key().await?;
        let (key, secret) = random_pair()?;
        let sealed = stored.reading.keys.seal(Owner { app: id, key: &key }, &secret)?;
        stored.noting(stored.store.add_key(id, &key, &sealed).await)?;
        Ok(NewKey { key, secret: Secret::new(&secret) })
    }

    /// Revokes a pair of an app.
    ///
    /// # Errors
    /// The key is not one of the app's valid keys, the key is the last of them, or the database is away.
    pub async fn revoke_key(&self, id: &str, key: &str) -> Result<(), OperationError> {
        let stored = self.changeable(id)?;
        for _ in 0..MOST_ATTEMPTS {
            stored.row(id).await?;
            let keys = stored.store.keys(id).await?;
            let mut valid = keys.iter().filter(|pair| pair.revoked_at.is_none());
            if valid.clone().all(|pair| pair.key != key) {
                return Err(OperationError::NoSuchKey { app: id.to_owned(), key: key.to_owned() });
            }
            if valid.all(|pair| pair.key == key) {
                return Err(OperationError::LastKey(key.to_owned()));
            }
            if stored.noting(stored.store.revoke(id, key).await)? {
                return Ok(());
            }
        }
        Err(OperationError::ChangedMeanwhile(id.to_owned()))
    }

    /// Deletes an app with everything that belongs to the app.
    ///
    /// # Errors
    /// No app has the id, or the database is away.
    pub async fn delete(&self, id: &str) -> Result<(), OperationError> {
        let stored = self.changeable(id)?;
        if stored.noting(stored.store.delete(id).await)? {
            Ok(())
        } else {
            Err(OperationError::no_such_app(id))
        }
    }

    pub(crate) fn writable(&self) -> Result<&Stored, OperationError> {
        self.stored.as_ref().ok_or(OperationError::NoDatabase)
    }

    /// The database, unless the app is one of the configuration's.
    fn changeable(&self, id: &str) -> Result<&Stored, OperationError> {
        if self.is_fixed(id) {
            return Err(OperationError::Fixed(id.to_owned()));
        }
        self.writable()
    }

    async fn check_id(&self, stored: &Stored, id: &str, wrong: &mut Wrong) -> Result<(), OperationError> {
        if !is_app_id(id) {
            wrong.faults.push(format!("id {id:?} is not made of 1 to 64 of the characters A-Z a-z 0-9 _ -"));
        } else if self.is_fixed(id) {
            wrong.is_taken(format!("id {id} belongs to an app of the configuration"));
        } else if stored.store.row(id).await?.is_some() {
            wrong.is_taken(format!("id {id} is taken"));
        }
        Ok(())
    }

    async fn check_key(&self, stored: &Stored, key: &str, wrong: &mut Wrong) -> Result<(), OperationError> {
        if !is_key_or_secret(key) {
            wrong
                .faults
                .push(format!("key {key:?} is not made of 1 to 128 of the characters A-Z a-z 0-9 _ -"));
        } else if self.fixed.now().by_key.contains_key(key) {
            wrong.is_taken(format!("key {key} belongs to an app of the configuration"));
        } else if let Some(owner) = stored.store.owner_of(key).await? {
            wrong.is_taken(format!("key {key} belongs to app {owner}, or did"));
        }
        Ok(())
    }
}

impl Wrong {
    fn is_taken(&mut self, fault: String) {
        self.faults.push(fault);
        self.taken += 1;
    }

    fn into_result(self) -> Result<(), OperationError> {
        match self.faults.len() {
            0 => Ok(()),
            count if count == self.taken => Err(OperationError::Taken(self.faults)),
            _ => Err(OperationError::Faults(self.faults)),
        }
    }
}

impl Stored {
    async fn row(&self, id: &str) -> Result<Listed, OperationError> {
        self.store.row(id).await?.ok_or_else(|| OperationError::no_such_app(id))
    }

    async fn record(&self, row: Listed) -> Result<AppRecord, OperationError> {
        let keys = self.store.keys(&row.id).await?;
        Ok(AppRecord::stored(row, keys, &self.reading.keys))
    }
}

/// The row after the change.
fn updated(before: &Listed, update: &Update, keys: &MasterKeys) -> Result<Listed, OperationError> {
    let known: AppSettings = serde_json::from_str(&before.settings).unwrap_or_default();
    let mut faults = update.faults.clone();
    let name = update.name.clone().unwrap_or_else(|| before.name.clone());
    check_name(&name, &mut faults);
    let settings = known.with(&update.settings).unwrap_or_else(|found| {
        faults.extend(found);
        known
    });
    if !faults.is_empty() {
        return Err(OperationError::Faults(faults));
    }
    // The column is the switch; a second one in the row's settings could contradict the column.
    let enabled = update.enabled.or(settings.enabled).unwrap_or(before.enabled);
    let after = row(before.id.clone(), name, settings, keys)?;
    Ok(Listed { enabled, ..after })
}

/// The row; the URL of a Redis is sealed, unless it is sealed already.
fn row(id: String, name: String, settings: AppSettings, keys: &MasterKeys) -> Result<Listed, OperationError> {
    let enabled = settings.enabled.unwrap_or(true);
    let mut settings = AppSettings { enabled: None, ..settings };
    if let Some(url) = settings.redis_feed.url.take_if(|url| !MasterKeys::is_sealed(url.expose())) {
        let sealed = keys.seal(Owner::of_feed_url(&id), url.expose())?;
        settings.redis_feed.url = Some(RedisUrl::new(sealed));
    }
    Ok(Listed { settings: as_json(&settings)?, id, name, enabled, created_at: 0 })
}

fn as_json(settings: &AppSettings) -> Result<String, OperationError> {
    serde_json::to_string(settings).map_err(|error| OperationError::Faults(vec![error.to_string()]))
}

pub(crate) fn check_name(name: &str, faults: &mut Vec<String>) {
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        faults.push(format!("name is longer than {LONGEST_NAME} characters, or holds control characters"));
    }
}
