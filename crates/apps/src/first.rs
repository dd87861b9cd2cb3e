//! The first app: what a new operator is shown, made up if there is none.
//!
//! Made only in SQLite, the database of a server that was given no configuration.

use std::sync::Arc;

use fanfare_protocol::app::App;

use crate::apps::{Apps, Stored};
use crate::error::AppsError;
use crate::store::{Fault, Record, new_app};

/// The oldest app.
#[derive(Clone, Debug)]
pub struct FirstApp {
    /// The app; its secret is needed to show the operator what to paste.
    pub app: Arc<App>,
    /// It was made just now.
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

    /// The first app; in SQLite without any app, one is made with random credentials and kept.
    ///
    /// Of several processes that start at once on one file, one makes it and all get it.
    ///
    /// # Errors
    /// There is no app and the database is not SQLite, or it cannot be written.
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
        Record::Faulty(Fault { app, cause }) => Err(AppsError::Faulty { app, fault: cause }),
    }
}
