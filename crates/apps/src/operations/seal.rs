//! Sealing stored secrets with the first master key: secrets of pairs, and URLs of Redis.

use fanfare_protocol::app::RedisUrl;

use super::{OperationError, as_json};
use crate::apps::{Apps, Stored};
use crate::master_keys::{Owner, SealFault};
use crate::settings::AppSettings;
use crate::store::{Listed, open_feed_url};

impl Apps {
    /// Seals every stored secret with the first master key; returns the number of newly sealed secrets.
    ///
    /// Without master keys, sealed secrets cannot be opened, and nothing is changed.
    ///
    /// # Errors
    /// A secret cannot be opened, or the database is away.
    pub async fn seal_secrets(&self) -> Result<usize, OperationError> {
        let stored = self.writable()?;
        let keys = &stored.reading.keys;
        let mut changes = Vec::new();
        for (app, key, before) in stored.store.secrets().await? {
            if keys.is_sealed_by_first(&before) {
                continue;
            }
            let owner = Owner { app: &app, key: &key };
            let secret = keys.open(owner, &before).map_err(|fault| cannot_open(&app, &fault))?;
            let after = keys.seal(owner, &secret)?;
            changes.push((key, before, after));
        }
        let mut urls = Vec::new();
        for id in stored.store.feed_ids().await? {
            if let Some(row) = stored.store.row(&id).await?
                && let Some(after) = stored.with_sealed_url(&row)?
            {
                urls.push((row, after));
            }
        }
        for (key, before, after) in &changes {
            stored.store.reseal(key, before, after).await?;
        }
        for (row, after) in &urls {
            stored.store.reseal_settings(&row.id, &row.settings, after).await?;
        }
        Ok(changes.len() + urls.len())
    }
}

impl Stored {
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
