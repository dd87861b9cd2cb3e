//! Look-ups of apps by key or by id.
//!
//! The configuration's apps win over the database's, and change at a reload alone. Only a look-up of an unknown name
//! waits for the database: two seconds at most, and not at all during a known outage.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::ids::{is_app_id, is_key_or_secret};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::cache::{Cache, Known};
use crate::cause::cause;
use crate::database::Database;
use crate::error::AppsError;
use crate::fixed::Fixed;
use crate::master_keys::MasterKeys;
use crate::operations::OperationError;
use crate::outage::Outage;
use crate::store::{Ask, HeldConnection, Reading, Record, RowFault, Store};
use crate::{PATIENCE, READING};

/// Most look-ups that wait for the database at once; further ones fail as during an outage.
const MOST_WAITING: usize = 256;

/// Most ids in the refresh queue; an id that finds the queue full is queued at its next expiry.
const MOST_OLD: usize = 1024;

/// Every app that this node knows or can look up.
pub struct Apps {
    pub(crate) fixed: Arc<Fixed>,
    pub(crate) stored: Option<Stored>,
}

/// Options of the apps' storage.
#[derive(Clone, Debug)]
pub struct Storage {
    /// The limits of an app that sets none.
    pub defaults: Limits,
    /// Seconds until the cache entry of an app expires.
    pub cache_seconds: u64,
    /// The keys that seal secrets.
    pub keys: MasterKeys,
    /// Whether tables may be created in a database with another application's tables.
    pub takes_foreign: bool,
    /// Whether the file of SQLite is made where there is none.
    pub creates: bool,
}

/// The apps of the database.
pub(crate) struct Stored {
    pub store: Arc<Store>,
    /// For the look-ups of tokens and sessions.
    pub look_ups: HeldConnection,
    pub reading: Reading,
    pub cache: Cache,
    /// What is told of where the database is.
    pub place: String,
    pub outage: Outage,
    /// Whether the database stores what is written.
    pub unwritable: Outage,
    /// Entries of the audit log that could not be kept.
    pub unaudited: Arc<AtomicU64>,
    pub fixed: Arc<Fixed>,
    /// A slot for each waiting look-up.
    places: Semaphore,
    /// Sender of the refresh queue: known apps with an expired cache entry, and apps that were changed here.
    old: mpsc::Sender<ToRefresh>,
    /// Receiver of the refresh queue, until [`Apps::follow`] takes it.
    pub old_ones: Mutex<Option<mpsc::Receiver<ToRefresh>>>,
}

/// What is to be read again.
pub(crate) struct ToRefresh {
    /// An app; `None`: every known app.
    pub id: Option<Box<str>>,
    /// Dropped once all of it was read, and what has changed was reported.
    pub done: Option<oneshot::Sender<()>>,
}

/// Why a look-up ends without a record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NotFound {
    NoSuchApp,
    DatabaseAway,
}

impl Apps {
    /// Opens the database, if one is set, and migrates its tables.
    ///
    /// # Errors
    /// The database cannot be opened, or its tables cannot be migrated.
    pub async fn open(
        fixed: Vec<App>,
        database: Option<Database>,
        Storage { defaults, cache_seconds, keys, takes_foreign, creates }: Storage,
    ) -> Result<Self, AppsError> {
        let fixed = Arc::new(Fixed::new(fixed));
        let stored = match database {
            Some(database) => {
                let (old, old_ones) = mpsc::channel(MOST_OLD);
                Some(Stored {
                    store: Arc::new(Store::open(&database, takes_foreign, creates).await?),
                    look_ups: HeldConnection::default(),
                    reading: Reading { defaults: ArcSwap::from_pointee(defaults), keys },
                    cache: Cache::new(cache_seconds),
                    place: database.place(),
                    outage: Outage::none(),
                    unwritable: Outage::none_of_writing(),
                    unaudited: Arc::default(),
                    fixed: Arc::clone(&fixed),
                    places: Semaphore::new(MOST_WAITING),
                    old,
                    old_ones: Mutex::new(Some(old_ones)),
                })
            }
            None => None,
        };
        Ok(Self { fixed, stored })
    }

    /// The app that the key belongs to (WS-034).
    ///
    /// # Errors
    /// The database is away and the app not cached, or the app's row is faulty.
    pub async fn by_key(&self, key: &str) -> Result<Option<Arc<App>>, AppsError> {
        if let Some(app) = self.fixed_by_key(key) {
            return Ok(Some(app));
        }
        match &self.stored {
            Some(stored) if is_key_or_secret(key) => stored.find(Ask::Key(Box::from(key))).await,
            _ => Ok(None),
        }
    }

    /// The app with the id.
    ///
    /// # Errors
    /// The database is away and the app not cached, or the app's row is faulty.
    pub async fn by_id(&self, id: &str) -> Result<Option<Arc<App>>, AppsError> {
        if let Some(app) = self.fixed_by_id(id) {
            return Ok(Some(app));
        }
        match &self.stored {
            Some(stored) if is_app_id(id) => stored.find(Ask::Id(Box::from(id))).await,
            _ => Ok(None),
        }
    }

    /// The app with the id as the database has it now, where it is not one of the configuration.
    ///
    /// # Errors
    /// The database is away, or the app's row is faulty.
    pub async fn by_id_now(&self, id: &str) -> Result<Option<Arc<App>>, AppsError> {
        let Some(stored) = self.stored.as_ref().filter(|_| !self.is_fixed(id) && is_app_id(id)) else {
            return self.by_id(id).await;
        };
        match stored.read(&Ask::Id(Box::from(id))).await {
            Ok(Record::App(app)) => Ok(Some(app)),
            Ok(Record::Faulty(RowFault { app, cause })) => Err(AppsError::Faulty { app, fault: cause }),
            Err(NotFound::NoSuchApp) => Ok(None),
            Err(NotFound::DatabaseAway) => Err(AppsError::Unavailable),
        }
    }

    /// The app with the id as far as memory tells; never reads the database.
    pub async fn in_memory(&self, id: &str) -> Option<Arc<App>> {
        match (self.fixed_by_id(id), &self.stored) {
            (Some(app), _) => Some(app),
            (None, Some(stored)) if is_app_id(id) => stored.cache.last(&Ask::Id(Box::from(id))).await,
            (None, _) => None,
        }
    }

    /// The app with the key as far as memory tells; never reads the database.
    pub async fn in_memory_by_key(&self, key: &str) -> Option<Arc<App>> {
        match (self.fixed_by_key(key), &self.stored) {
            (Some(app), _) => Some(app),
            (None, Some(stored)) if is_key_or_secret(key) => {
                stored.cache.last(&Ask::Key(Box::from(key))).await
            }
            (None, _) => None,
        }
    }

    /// Has an app read again soon that others say has changed (CL-060). While many wait to be read, nothing is done: all
    /// are read again in time.
    pub fn refresh(&self, id: &str) {
        if let Some(stored) = self.stored.as_ref().filter(|_| is_app_id(id)) {
            // A full queue is no fault, see above.
            let _ = stored.old.try_send(ToRefresh { id: Some(Box::from(id)), done: None });
        }
    }

    /// Waits until a change that was made just now holds in this process, so that the next request meets it. At most
    /// two seconds: during an outage the change holds later. Returns at once where nobody calls [`Apps::follow`].
    pub async fn has_taken_effect(&self, id: &str) {
        if let Some(stored) = self.stored.as_ref().filter(|_| is_app_id(id) && !self.is_fixed(id)) {
            stored.read_again(Some(Box::from(id))).await;
        }
    }

    fn fixed_by_key(&self, key: &str) -> Option<Arc<App>> {
        self.fixed.now().by_key.get(key).map(Arc::clone)
    }

    pub(crate) fn fixed_by_id(&self, id: &str) -> Option<Arc<App>> {
        self.fixed.now().by_id.get(id).map(Arc::clone)
    }

    /// Whether the app with this id is one of the configuration's.
    #[must_use]
    pub fn is_fixed(&self, id: &str) -> bool {
        self.fixed.now().by_id.contains_key(id)
    }

    /// Whether the database answers, now and from now on; always true without a database.
    #[must_use]
    pub fn database_answers(&self) -> watch::Receiver<bool> {
        match &self.stored {
            Some(stored) => stored.outage.subscribe(),
            None => Outage::none().subscribe(),
        }
    }

    /// Whether the database stores what is written, now and from now on; always true without a database.
    #[must_use]
    pub fn database_stores(&self) -> watch::Receiver<bool> {
        match &self.stored {
            Some(stored) => stored.unwritable.subscribe(),
            None => Outage::none_of_writing().subscribe(),
        }
    }

    /// How long the database has stored nothing; `None` without a known outage of writing, or without a database.
    #[must_use]
    pub fn database_unwritable_for(&self) -> Option<Duration> {
        self.stored.as_ref()?.unwritable.since().map(|since| since.elapsed())
    }

    /// How long the database has not answered; `None` outside an outage, or without a database.
    #[must_use]
    pub fn database_away_for(&self) -> Option<Duration> {
        self.stored.as_ref()?.outage.since().map(|since| since.elapsed())
    }

    /// Waits for the end of every outage of the database; `None` without a database. Unless the future is polled, an
    /// outage never ends. Ends with the last user of the apps.
    #[must_use]
    pub fn upkeep(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let stored = self.stored.as_ref()?;
        let store = Arc::downgrade(&stored.store);
        let (away, unwritable) = (stored.outage.clone(), stored.unwritable.clone());
        Some(async move {
            tokio::join!(away.watch(Weak::clone(&store)), unwritable.watch(store));
        })
    }

    /// The database; during a known outage no caller waits for it.
    pub(crate) fn answering(&self) -> Result<&Stored, OperationError> {
        let stored = self.stored.as_ref().ok_or(OperationError::NoDatabase)?;
        if stored.outage.is_on() {
            Err(OperationError::Database(sqlx::Error::PoolTimedOut))
        } else {
            Ok(stored)
        }
    }
}

impl Stored {
    /// A cached app is returned at once, however old; only an unknown name waits for the database.
    async fn find(&self, ask: Ask) -> Result<Option<Arc<App>>, AppsError> {
        if self.cache.is_miss(&ask) {
            return Ok(None);
        }
        if let Some(app) = self.cache.last(&ask).await {
            if self.cache.grows_old(&ask).await {
                // An id that finds the queue full is queued at its next expiry.
                let _ = self.old.try_send(ToRefresh { id: Some(Box::from(app.id.as_str())), done: None });
            }
            return Ok(Some(app));
        }
        let read = || async { self.read(&ask).await.map(Known::from) };
        let reading = async {
            let found = self.cache.fresh.try_get_with_by_ref(&ask, read()).await?;
            // A change may have removed the name during the look-up.
            if matches!(found, Known::App(_)) && self.cache.last(&ask).await.is_none() {
                self.cache.fresh.invalidate(&ask).await;
                return self.cache.fresh.try_get_with_by_ref(&ask, read()).await;
            }
            Ok(found)
        };
        match timeout(PATIENCE, reading).await {
            Ok(Ok(Known::App(app))) => return Ok(Some(app)),
            Ok(Ok(Known::Faulty(fault))) => {
                return Err(AppsError::Faulty { app: fault.app.clone(), fault: fault.cause.clone() });
            }
            Ok(Ok(Known::Nothing)) => return Ok(None),
            Ok(Err(reason)) => {
                if matches!(*reason, NotFound::NoSuchApp) {
                    return Ok(None);
                }
            }
            // The read of another caller took too long; that caller reports the cause.
            Err(_) => {}
        }
        self.cache.last(&ask).await.map(Some).ok_or(AppsError::Unavailable)
    }

    /// Has an app read again, or every known app, by who follows; waits for that two seconds at most. Returns at once where
    /// nobody follows.
    pub(crate) async fn read_again(&self, id: Option<Box<str>>) {
        if self.old_ones.lock().is_some() {
            return;
        }
        let (done, is_done) = oneshot::channel();
        let queued = self.old.send(ToRefresh { id, done: Some(done) });
        let waiting = async {
            if queued.await.is_ok() {
                let _ = is_done.await;
            }
        };
        let _ = timeout(PATIENCE, waiting).await;
    }

    /// Reads from the database for a look-up; of several look-ups of one name only one gets here at a time.
    async fn read(&self, ask: &Ask) -> Result<Record<Arc<App>>, NotFound> {
        if self.outage.is_on() {
            return Err(NotFound::DatabaseAway);
        }
        let _place = self.places.try_acquire().map_err(|_| NotFound::DatabaseAway)?;
        self.read_now(ask).await
    }

    /// Reads from the database, and caches the result.
    pub(crate) async fn read_now(&self, ask: &Ask) -> Result<Record<Arc<App>>, NotFound> {
        let heard = self.cache.heard();
        let Some(found) = self.in_time(self.store.find(ask, &self.reading)).await else {
            return Err(NotFound::DatabaseAway);
        };
        match found {
            Some(Record::App(app)) => {
                let Some(app) = self.fixed.without_ours(app) else {
                    self.cache.remember_miss(ask.clone(), heard).await;
                    return Err(NotFound::NoSuchApp);
                };
                Ok(Record::App(self.cache.remember(app, heard).await))
            }
            Some(Record::Faulty(fault)) => {
                tracing::error!(target: "fanfare::apps", app = fault.app, fault = fault.cause, "app is faulty");
                self.cache.forget(ask).await;
                Ok(Record::Faulty(fault))
            }
            None => {
                self.cache.remember_miss(ask.clone(), heard).await;
                Err(NotFound::NoSuchApp)
            }
        }
    }

    /// Converts the result of a write; notes whether the database stores anything at all.
    pub(crate) fn noting<T>(&self, written: Result<T, sqlx::Error>) -> Result<T, OperationError> {
        written.map_err(|error| {
            if self.store.is_unwritable(&error) {
                self.unwritable.begin(&self.place, &cause(&error));
                OperationError::Unwritable(error)
            } else {
                OperationError::from(error)
            }
        })
    }

    /// The database's answer; `None`, and an outage from now on, for an error or a timeout.
    pub(crate) async fn in_time<T>(&self, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Option<T> {
        match timeout(READING, answer).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => self.outage.begin(&self.place, &cause(&error)),
            Err(_) => self.outage.begin(&self.place, "no answer within two seconds"),
        }
        None
    }
}

/// An operation's outcome; a failure if the database takes too long.
pub(crate) async fn in_time<T>(
    asked: impl Future<Output = Result<T, OperationError>>,
) -> Result<T, OperationError> {
    match timeout(READING, asked).await {
        Ok(done) => done,
        Err(_) => Err(OperationError::Database(sqlx::Error::PoolTimedOut)),
    }
}
