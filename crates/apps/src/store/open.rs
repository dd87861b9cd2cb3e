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
use sqlx::{ConnectOptions, PgPool, SqlitePool};
use tokio::time::{Instant, sleep, timeout};

use super::{Store, foreign};
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
    /// Opens the database and migrates its tables; another application's database only if `takes_foreign`.
    pub async fn open(database: &Database, takes_foreign: bool) -> Result<Self, AppsError> {
        match database {
            Database::Sqlite(file) => open_sqlite(file, takes_foreign).await.map(Self::Sqlite),
            Database::Postgres(url) => open_postgres(url, takes_foreign).await.map(Self::Postgres),
        }
    }
}

/// The file `….lock` next to the database stays behind, empty.
async fn open_sqlite(file: &Path, takes_foreign: bool) -> Result<SqlitePool, AppsError> {
    let failed = |cause| AppsError::Sqlite { path: PathBuf::from(file), cause };
    // Before anything else: opening the database as Fanfare's would change the file.
    if !takes_foreign && foreign::is_sqlite(file).await.map_err(failed)? {
        return Err(AppsError::Foreign);
    }
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
        .connect_with(options)
        .await
        .map_err(failed)?;
    SQLITE.run(&pool).await.map_err(migration_failed)?;
    Ok(pool)
}

async fn open_postgres(url: &PostgresUrl, takes_foreign: bool) -> Result<PgPool, AppsError> {
    let options = url.options().application_name("fanfare").disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(MOST_CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .connect_with(options)
        .await
        .map_err(AppsError::Postgres)?;
    if !takes_foreign && foreign::is_postgres(&pool).await.map_err(AppsError::Postgres)? {
        return Err(AppsError::Foreign);
    }
    // Of several nodes that start together, sqlx lets one at a time migrate, by an advisory lock.
    match timeout(Duration::from_secs(MIGRATION_SECONDS), POSTGRES.run(&pool)).await {
        Ok(migrated) => migrated.map_err(migration_failed)?,
        Err(_) => return Err(AppsError::MigrationHeld(MIGRATION_SECONDS)),
    }
    Ok(pool)
}

fn migration_failed(error: MigrateError) -> AppsError {
    match error {
        MigrateError::VersionMissing(version) => AppsError::TooNew(version),
        other => AppsError::Migration(other),
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
