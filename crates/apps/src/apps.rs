//! Finding an app by key or by id.
//!
//! The configuration's apps win over the database's and never change. A look-up waits two seconds
//! for the database at most, and not at all while it is known to be away.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::ids::{AppId, AppKey, is_app_id, is_key_or_secret};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::cache::Cache;
use crate::database::Database;
use crate::error::AppsError;
use crate::outage::Outage;
use crate::store::{Ask, Fault, Record, Store};
use crate::{PATIENCE, READING};

/// Most look-ups that wait for the database at once; more are answered as if it were away.
const MOST_WAITING: usize = 256;

/// Every app that this node knows or can ask for.
pub struct Apps {
    pub(crate) fixed: Fixed,
    pub(crate) stored: Option<Stored>,
    outage: Outage,
}

/// The apps of the configuration.
pub(crate) struct Fixed {
    /// In the order of the configuration.
    pub list: Vec<Arc<App>>,
    by_id: HashMap<AppId, Arc<App>>,
    by_key: HashMap<AppKey, Arc<App>>,
}

/// The apps of the database.
pub(crate) struct Stored {
    pub store: Arc<Store>,
    pub defaults: Limits,
    cache: Cache,
    /// A place for each look-up that waits.
    places: Semaphore,
}

/// Why a look-up ends without a record.
#[derive(Clone, Copy, Debug)]
enum NotFound {
    NoSuchApp,
    DatabaseAway,
}

impl Apps {
    /// Opens the database, if one is named, and brings its tables up to date.
    ///
    /// What is read of an app answers for `cache_seconds`; `defaults` holds where it sets no limit.
    ///
    /// # Errors
    /// The database cannot be opened or its tables cannot be brought up to date.
    pub async fn open(
        fixed: Vec<App>,
        database: Option<Database>,
        defaults: Limits,
        cache_seconds: u64,
    ) -> Result<Self, AppsError> {
        let stored = match database {
            Some(database) => Some(Stored {
                store: Arc::new(Store::open(&database).await?),
                defaults,
                cache: Cache::new(cache_seconds),
                places: Semaphore::new(MOST_WAITING),
            }),
            None => None,
        };
        Ok(Self { fixed: Fixed::new(fixed), stored, outage: Outage::none() })
    }

    /// The app that the key belongs to (WS-034).
    ///
    /// # Errors
    /// The database is away and the app not remembered, or its row is faulty.
    pub async fn by_key(&self, key: &str) -> Result<Option<Arc<App>>, AppsError> {
        if let Some(app) = self.fixed.by_key.get(key) {
            return Ok(Some(Arc::clone(app)));
        }
        match &self.stored {
            Some(stored) if is_key_or_secret(key) => self.find(stored, Ask::Key(Box::from(key))).await,
            _ => Ok(None),
        }
    }

    /// The app with the id.
    ///
    /// # Errors
    /// The database is away and the app not remembered, or its row is faulty.
    pub async fn by_id(&self, id: &str) -> Result<Option<Arc<App>>, AppsError> {
        if let Some(app) = self.fixed.by_id.get(id) {
            return Ok(Some(Arc::clone(app)));
        }
        match &self.stored {
            Some(stored) if is_app_id(id) => self.find(stored, Ask::Id(Box::from(id))).await,
            _ => Ok(None),
        }
    }

    /// Whether the database answers, now and from now on; always so if there is none.
    #[must_use]
    pub fn database_answers(&self) -> watch::Receiver<bool> {
        self.outage.subscribe()
    }

    async fn find(&self, stored: &Stored, ask: Ask) -> Result<Option<Arc<App>>, AppsError> {
        if stored.cache.is_miss(&ask) {
            return Ok(None);
        }
        let reading = stored.cache.fresh.try_get_with_by_ref(&ask, self.read(stored, &ask));
        match timeout(PATIENCE, reading).await {
            Ok(Ok(Record::App(app))) => return Ok(Some(app)),
            Ok(Ok(Record::Faulty(Fault { app, cause }))) => {
                return Err(AppsError::Faulty { app, fault: cause });
            }
            Ok(Err(reason)) => {
                if matches!(*reason, NotFound::NoSuchApp) {
                    return Ok(None);
                }
            }
            // Another's reading took too long; whoever reads says what that means.
            Err(_) => {}
        }
        stored.cache.last(&ask).await.map(Some).ok_or(AppsError::Unavailable)
    }

    /// Asks the database; of several look-ups of one name only one gets here at a time.
    async fn read(&self, stored: &Stored, ask: &Ask) -> Result<Record<Arc<App>>, NotFound> {
        if self.outage.is_on() {
            return Err(NotFound::DatabaseAway);
        }
        let _place = stored.places.try_acquire().map_err(|_| NotFound::DatabaseAway)?;
        let found = match timeout(READING, stored.store.find(ask, &stored.defaults)).await {
            Ok(found) => found,
            Err(_) => {
                self.outage.begin(&stored.store, &"no answer within two seconds");
                return Err(NotFound::DatabaseAway);
            }
        };
        match found {
            Ok(Some(Record::App(app))) => {
                let Some(app) = self.fixed.without_ours(app) else {
                    stored.cache.remember_miss(ask.clone()).await;
                    return Err(NotFound::NoSuchApp);
                };
                let app = Arc::new(app);
                stored.cache.remember(&app).await;
                Ok(Record::App(app))
            }
            Ok(Some(Record::Faulty(fault))) => {
                tracing::error!(target: "fanfare::apps", app = fault.app, fault = fault.cause, "app is faulty");
                stored.cache.forget(ask).await;
                Ok(Record::Faulty(fault))
            }
            Ok(None) => {
                stored.cache.remember_miss(ask.clone()).await;
                Err(NotFound::NoSuchApp)
            }
            Err(error) => {
                self.outage.begin(&stored.store, &error);
                Err(NotFound::DatabaseAway)
            }
        }
    }
}

impl Fixed {
    fn new(apps: Vec<App>) -> Self {
        let list: Vec<Arc<App>> = apps.into_iter().map(Arc::new).collect();
        let by_id = list.iter().map(|app| (app.id.clone(), Arc::clone(app))).collect();
        let by_key = list
            .iter()
            .flat_map(|app| app.credentials.iter().map(move |pair| (pair.key.clone(), Arc::clone(app))))
            .collect();
        Self { list, by_id, by_key }
    }

    /// A stored app without the keys that the configuration has given away; `None` if its id is.
    fn without_ours(&self, mut app: App) -> Option<App> {
        app.credentials.retain(|pair| !self.by_key.contains_key(pair.key.as_str()));
        (!self.by_id.contains_key(app.id.as_str())).then_some(app)
    }
}
