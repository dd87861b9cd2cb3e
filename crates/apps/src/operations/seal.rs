//! Sealing stored secrets with the first master key: secrets of pairs, URLs of Redis, and records of the ACME client.

use fanfare_protocol::app::RedisUrl;

use super::{OperationError, as_json};
use crate::apps::{Apps, Stored};
use crate::master_keys::{Owner, SealFault};
use crate::settings::AppSettings;
use crate::store::{Listed, open_feed_url};

/// What is stored otherwise than the first master key would have it, found before anything is changed.
pub struct ToSeal {
    /// Key, and the stored text before and after.
    secrets: Vec<(String, String, String)>,
    /// App, and its settings after.
    urls: Vec<(Listed, String)>,
    /// Name, and the stored text before and after.
    acme: Vec<(String, String, String)>,
    key: String,
}

impl ToSeal {
    /// How many secrets, URLs and records there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.secrets.len() + self.urls.len() + self.acme.len()
    }

    /// Whether everything is sealed with the first key already.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of the first master key, as the log of a server that lacks this key has it.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl Apps {
    /// Every stored secret that is not sealed with the first master key yet. Changes nothing.
    ///
    /// # Errors
    /// There is no master key, a secret cannot be opened, or the database is away.
    pub async fn to_seal(&self) -> Result<ToSeal, OperationError> {
        let stored = self.writable()?;
        let keys = &stored.reading.keys;
        let key = keys.first().ok_or(OperationError::NoMasterKey)?.to_owned();
        let mut secrets = Vec::new();
        for (app, key, before) in stored.store.secrets().await? {
            if keys.is_sealed_by_first(&before) {
                continue;
            }
            let owner = Owner { app: &app, key: &key };
            let secret = keys.open(owner, &before).map_err(|fault| cannot_open(&app, &fault))?;
            let after = keys.seal(owner, &secret)?;
            secrets.push((key, before, after));
        }
        let mut urls = Vec::new();
        for id in stored.store.feed_ids().await? {
            if let Some(row) = stored.store.row(&id).await?
                && let Some(after) = stored.with_sealed_url(&row)?
            {
                urls.push((row, after));
            }
        }
        let mut acme = Vec::new();
        for (name, before) in stored.store.acme_records().await? {
            if keys.is_sealed_by_first(&before) || crate::acme::is_lease(&name) {
                continue;
            }
            let owner = crate::acme::owner(&name);
            let value = keys.open(owner, &before);
            let value = value.map_err(|fault| OperationError::Faults(vec![format!("tls.acme: {fault}")]))?;
            let after = keys.seal(owner, &value)?;
            acme.push((name, before, after));
        }
        Ok(ToSeal { secrets, urls, acme, key })
    }

    /// Stores what was found by [`Apps::to_seal`], but for what somebody else has changed meanwhile. A server that lacks
    /// the first master key cannot use the apps from then on.
    ///
    /// # Errors
    /// The database is away, or stores nothing.
    pub async fn seal(&self, found: &ToSeal) -> Result<(), OperationError> {
        let stored = self.writable()?;
        for (key, before, after) in &found.secrets {
            stored.noting(stored.store.reseal(key, before, after).await)?;
        }
        for (row, after) in &found.urls {
            stored.noting(stored.store.reseal_settings(&row.id, &row.settings, after).await)?;
        }
        for (name, before, after) in &found.acme {
            stored.noting(stored.store.reseal_acme_record(name, before, after).await)?;
        }
        Ok(())
    }
}

impl Stored {
    /// Nothing, if what is sealed from now on can be opened by every server, as far as the database tells: some secret
    /// is sealed with the first master key already, or there is no secret yet, or no key.
    ///
    /// # Errors
    /// The first key is new, or the database is away.
    pub(super) async fn expect_known_master_key(&self) -> Result<(), OperationError> {
        let keys = &self.reading.keys;
        let Some(first) = keys.first() else { return Ok(()) };
        if self.store.is_without_secrets_or_has(&keys.prefix_of_first()).await? {
            Ok(())
        } else {
            Err(OperationError::NewMasterKey(first.to_owned()))
        }
    }

    /// The settings with the URL of the Redis sealed by the first key; `None` if the URL is absent or sealed by that
    /// key, or the settings cannot be read.
    fn with_sealed_url(&self, row: &Listed) -> Result<Option<String>, OperationError> {
        let keys = &self.reading.keys;
        let Ok(mut settings) = serde_json::from_str::<AppSettings>(&row.settings) else { return Ok(None) };
        if settings.redis_feed.url.as_ref().is_none_or(|url| keys.is_sealed_by_first(url.expose())) {
            return Ok(None);
        }
        open_feed_url(&mut settings, &row.id, keys).map_err(|fault| cannot_open(&row.id, &fault))?;
        if let Some(url) = &mut settings.redis_feed.url {
            *url = RedisUrl::new(keys.seal(Owner::of_feed_url(&row.id), url.expose())?);
        }
        as_json(&settings).map(Some)
    }
}

fn cannot_open(app: &str, fault: &SealFault) -> OperationError {
    OperationError::Faults(vec![format!("app {app}: {fault}")])
}
