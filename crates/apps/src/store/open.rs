//! Connecting, and migrating the tables.
//!
//! Fails rather than start with half a database. A SQLite file holds secrets: files created here are
//! readable by the owner alone.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, PgConnection, PgPool, SqlitePool};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Store;
use super::foreign::{self, Tables};
use crate::PATIENCE;
use crate::database::{Database, PostgresUrl};
use crate::error::AppsError;

/// Look-ups are rare behind the cache; this many connections, one of which listens, are plenty.
const MOST_CONNECTIONS: u32 = 5;

/// Seconds that another node may take to migrate the tables.
const MIGRATION_SECONDS: u64 = 60;

/// Polling interval for another process' lock on a SQLite file.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

impl Store {
    /// Opens the database and brings its tables up to date; one that is somebody else's only if `takes_foreign`, a
    /// file that is not there only if `creates`.
    pub async fn open(database: &Database, takes_foreign: bool, creates: bool) -> Result<Self, AppsError> {
        match database {
            Database::Sqlite(file) if !creates && !holds_anything(file)? => {
                let path = std::path::absolute(file).unwrap_or_else(|_| file.clone());
                Err(AppsError::Missing { path })
            }
            Database::Sqlite(file) => {
                let failed = |error| AppsError::Sqlite { path: file.clone(), error };
                // Before anything else: already to open it as ours would change the file.
                let tables = foreign::of_sqlite(file).await.map_err(failed)?;
                let may = may_use(&tables, takes_foreign, database)?;
                open_sqlite(file, may).await.map(Self::Sqlite)
            }
            Database::Postgres(url) => {
                let failed = |error| AppsError::Postgres { place: database.place(), error };
                let pool = connect_postgres(url).await.map_err(failed)?;
                let tables = foreign::of_postgres(&pool).await.map_err(failed)?;
                let may = may_use(&tables, takes_foreign, database)?;
                migrate_postgres(&pool, may).await?;
                Ok(Self::Postgres(pool))
            }
        }
    }
}

impl Store {
    /// Opens the database for reading alone; `None` if there is no file.
    pub async fn open_as_it_is(database: &Database) -> Result<Option<Self>, AppsError> {
        match database {
            Database::Sqlite(file) if !holds_anything(file)? => Ok(None),
            Database::Sqlite(file) => {
                let options = SqliteConnectOptions::new()
                    .filename(file)
                    .read_only(true)
                    .busy_timeout(PATIENCE)
                    .disable_statement_logging();
                let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
                let pool = pool.connect_with(options).await;
                pool.map(|pool| Some(Self::Sqlite(pool)))
                    .map_err(|error| AppsError::Sqlite { path: file.clone(), error })
            }
            Database::Postgres(url) => {
                let failed = |error| AppsError::Postgres { place: database.place(), error };
                Ok(Some(Self::Postgres(connect_postgres(url).await.map_err(failed)?)))
            }
        }
    }
}

/// That the tables there are leave room for ours.
struct MayUse {
    /// What others have done to their tables is not to be taken for ours.
    place: String,
    are_ours: bool,
}

/// Whether there is a file that is more than a beginning that somebody has broken off.
///
/// # Errors
/// Nobody can tell: the folder may be another user's.
fn holds_anything(file: &Path) -> Result<bool, AppsError> {
    match file.metadata() {
        Ok(found) => Ok(found.len() > 0),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(AppsError::File { path: file.to_owned(), cause }),
    }
}

fn may_use(tables: &Tables, takes_foreign: bool, database: &Database) -> Result<MayUse, AppsError> {
    match tables {
        Tables::Foreign if !takes_foreign => Err(AppsError::Foreign),
        Tables::Clashing(table) => Err(AppsError::Clashing { place: database.place(), table }),
        Tables::Ours | Tables::None | Tables::Foreign => {
            Ok(MayUse { place: database.place(), are_ours: *tables == Tables::Ours })
        }
    }
}

/// A file next to the database, `….lock`, stays behind; it is empty.
async fn open_sqlite(file: &Path, may: MayUse) -> Result<SqlitePool, AppsError> {
    make_private(file)?;
    let _alone = wait_until_alone(file).await?;
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(PATIENCE)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(MOST_CONNECTIONS)
        .acquire_timeout(PATIENCE)
        // No file hangs up: to ask first whether the connection still works is a change of threads more at each use.
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|error| AppsError::Sqlite { path: PathBuf::from(file), error })?;
    SQLITE.run(&pool).await.map_err(|error| may.failed(error))?;
    Ok(pool)
}

/// Waits for a server that is just starting; a pool would do that as well, but not say what it has waited for.
async fn connect_postgres(url: &PostgresUrl) -> Result<PgPool, sqlx::Error> {
    let options = url.options().application_name("fanfare").disable_statement_logging();
    let deadline = Instant::now() + PATIENCE;
    let mut refused = None;
    while let Ok(connected) = timeout_at(deadline, PgConnection::connect_with(&options)).await {
        match connected {
            Ok(connection) => {
                connection.close().await?;
                let pool = PgPoolOptions::new().max_connections(MOST_CONNECTIONS).acquire_timeout(PATIENCE);
                return pool.connect_with(options).await;
            }
            Err(sqlx::Error::Io(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                refused = Some(sqlx::Error::Io(error));
                sleep(BETWEEN_ATTEMPTS).await;
            }
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or(sqlx::Error::PoolTimedOut))
}

/// Of several nodes that start together, sqlx lets one at a time do this, by an advisory lock.
async fn migrate_postgres(pool: &PgPool, may: MayUse) -> Result<(), AppsError> {
    match timeout(Duration::from_secs(MIGRATION_SECONDS), POSTGRES.run(pool)).await {
        Ok(migrated) => migrated.map_err(|error| may.failed(error)),
        Err(_) => Err(AppsError::MigrationHeld(MIGRATION_SECONDS)),
    }
}

impl MayUse {
    fn failed(self, error: MigrateError) -> AppsError {
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) if !self.are_ours => {
                AppsError::Clashing { place: self.place, table: foreign::MIGRATIONS }
            }
            MigrateError::VersionMissing(version) => AppsError::TooNew(version),
            other => AppsError::Migration(other),
        }
    }
}

/// Lets one process at a time prepare the file, until the returned file is dropped.
///
/// SQLite has no lock for migrations, and refuses every other connection during the change to WAL.
async fn wait_until_alone(file: &Path) -> Result<File, AppsError> {
    let mut path = file.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let failed = |cause| AppsError::File { path: path.clone(), cause };
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    let deadline = Instant::now() + Duration::from_secs(MIGRATION_SECONDS);
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(AppsError::MigrationHeld(MIGRATION_SECONDS));
            }
            Err(TryLockError::WouldBlock) => sleep(BETWEEN_ATTEMPTS).await,
        }
    }
}

/// Creates the file and its directory, where they do not exist, readable by the owner alone.
///
/// SQLite gives its side files (`-wal`, `-shm`) the mode of the file.
fn make_private(file: &Path) -> Result<(), AppsError> {
    let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
    if let Some(path) = directory {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|cause| AppsError::Directory { path: PathBuf::from(path), cause })?;
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    match made {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
            Err(AppsError::File { path: PathBuf::from(file), cause })
        }
        _ => Ok(()),
    }
}
