//! Changing an app, in whatever state or only in the one that was read.
//!
//! Never overwrites what others change at the same time.

use serde_json::Value;

use super::error::OperationError;
use super::record::AppRecord;
use super::{ChangedApp, MOST_ATTEMPTS, Update, updated};
use crate::apps::Apps;

impl Apps {
    /// Changes an app; concurrent changes are applied one after the other.
    ///
    /// # Errors
    /// No app has the id, every fault of `update`, or the database is away.
    pub async fn update(&self, id: &str, update: &Update) -> Result<ChangedApp, OperationError> {
        self.update_as_read(id, update, |_| true).await
    }

    /// As [`Apps::update`], if the app is still as the caller has read it, which `is_as_read` says (CON-050).
    ///
    /// # Errors
    /// The app is not; or else as there.
    pub async fn update_as_read(
        &self,
        id: &str,
        update: &Update,
        is_as_read: impl Fn(&AppRecord) -> bool,
    ) -> Result<ChangedApp, OperationError> {
        let stored = self.changeable(id)?;
        let url = update.settings.get("redis_feed").and_then(|feed| feed.get("url"));
        if url.is_some_and(Value::is_string) {
            stored.expect_known_master_key().await?;
        }
        for _ in 0..MOST_ATTEMPTS {
            let before = stored.row(id).await?;
            let was = stored.record(before.clone()).await?;
            if !is_as_read(&was) {
                return Err(OperationError::NotAsRead(id.to_owned()));
            }
            let after = updated(&before, update, &stored.reading.keys)?;
            if stored.noting(stored.store.set(&before, &after).await)? {
                return Ok(ChangedApp { before: was, after: self.show(id).await? });
            }
        }
        Err(OperationError::ChangedMeanwhile(id.to_owned()))
    }
}
