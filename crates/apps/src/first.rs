//! The first app: shown to a new operator, and created with random credentials if there is none.
//!
//! Created only in SQLite, the database of a server without a configuration.

use std::sync::Arc;

use fanfare_protocol::app::App;

use crate::apps::{Apps, Stored};
use crate::error::AppsError;
use crate::store::{Record, RowFault, new_app};

/// The first app, and whether it is new.
#[derive(Clone, Debug)]
pub struct FirstApp {
    /// The app; the caller shows its secret to the operator for pasting.
    pub app: Arc<App>,
    /// The app was created just now.
    pub is_new: bool,
}

impl Apps {
    /// The configuration's first app, else the oldest of the database.
    ///
    /// # Errors
    /// The database is away, or the app's row is faulty.
    pub async fn first(&self) -> Result<Option<Arc<App>>, AppsError> {
        match (self.fixed.list.first(), &self.stored) {
            (Some(app), _) => Ok(Some(Arc::clone(app))),
            (None, None) => Ok(None),
            (None, Some(Stored { store, reading, .. })) => {
                let record = store.oldest(reading).await.map_err(|_| AppsError::Unavailable)?;
                record.map(usable).transpose()
            }
        }
    }

    /// The first app; SQLite without any app gets one with random credentials.
    ///
    /// Of several processes that start at once on one file, one creates the app and all get it.
    ///
    /// # Errors
    /// The database has no app and is not SQLite, or the database cannot be written.
    pub async fn first_or_invent(&self) -> Result<FirstApp, AppsError> {
        if let Some(app) = self.first().await? {
            return Ok(FirstApp { app, is_new: false });
        }
        let Some(stored) = &self.stored else {
            return Err(AppsError::NotEmbedded);
        };
        let invented = new_app(&stored.reading.defaults).map_err(AppsError::Random)?;
        let record = stored.store.oldest_or_add(&invented, &stored.reading).await;
        let app = usable(record.map_err(AppsError::FirstApp)?.ok_or(AppsError::NotEmbedded)?)?;
        let is_new = app.id == invented.id;
        Ok(FirstApp { app, is_new })
    }
}

fn usable(record: Record) -> Result<Arc<App>, AppsError> {
    match record {
        Record::App(app) => Ok(Arc::new(app)),
        Record::Faulty(RowFault { app, cause }) => Err(AppsError::Faulty { app, fault: cause }),
    }
}
