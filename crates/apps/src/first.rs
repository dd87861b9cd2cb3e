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
        let first = self.fixed.now().list.first().map(Arc::clone);
        match (first, &self.stored) {
            (Some(app), _) => Ok(Some(app)),
            (None, None) => Ok(None),
            (None, Some(Stored { store, reading, .. })) => {
                let record = store.oldest(reading).await.map_err(|_| AppsError::Unavailable)?;
                Ok(record.map(usable).transpose()?.map(Arc::new))
            }
        }
    }

    /// The first app; in SQLite that never had an app, one is made with random credentials and kept. `None`: there is
    /// no app any more, for somebody has deleted them.
    ///
    /// Of several processes that start at once on one file, one creates the app and all get it.
    ///
    /// # Errors
    /// There is no app and the database is not SQLite, or it cannot be written.
    pub async fn first_or_invent(&self) -> Result<Option<FirstApp>, AppsError> {
        if let Some(app) = self.first().await? {
            return Ok(Some(FirstApp { app, is_new: false }));
        }
        let Some(stored) = &self.stored else {
            return Err(AppsError::NotEmbedded);
        };
        let invented = new_app(&stored.reading.defaults.load()).map_err(AppsError::Random)?;
        let record = stored.store.oldest_or_add(&invented, &stored.reading).await;
        let Some(record) = record.map_err(AppsError::FirstApp)?.ok_or(AppsError::NotEmbedded)? else {
            return Ok(None);
        };
        let app = Arc::new(usable(record)?);
        let is_new = app.id == invented.id;
        Ok(Some(FirstApp { app, is_new }))
    }
}

/// The app, if its row can be used.
pub(crate) fn usable(record: Record) -> Result<App, AppsError> {
    match record {
        Record::App(app) => Ok(app),
        Record::Faulty(RowFault { app, cause }) => Err(AppsError::Faulty { app, fault: cause }),
    }
}
