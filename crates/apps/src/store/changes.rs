//! Hearing that somebody has changed the tables: another process, another node, or an operator.
//!
//! Postgres tells which app it was, SQLite only that something was changed. What happened while
//! nobody listened is not told: whoever begins to listen has to read everything anew.

use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{Connection, SqliteConnection};
use tokio::time::sleep;

use super::Store;

/// The channel that the triggers of the migrations notify.
const CHANNEL: &str = "fanfare_apps";

/// Time between two looks at a SQLite file.
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// What was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// The app with this id.
    App(String),
    /// Any app, or several; or nothing but usage was added.
    Something,
}

/// Listens until the connection is lost.
pub(crate) enum Listener {
    Postgres(Box<PgListener>),
    /// A connection of its own, and the number that changes with every commit of another.
    Sqlite(Box<SqliteConnection>, i64),
}

impl Store {
    /// Begins to listen: from here on nothing is missed.
    pub async fn listen(&self) -> Result<Listener, sqlx::Error> {
        match self {
            Self::Postgres(pool) => {
                let mut listener = PgListener::connect_with(pool).await?;
                // A lost connection is to be noticed, for what was told meanwhile is lost as well.
                listener.eager_reconnect(false);
                listener.listen(CHANNEL).await?;
                Ok(Listener::Postgres(Box::new(listener)))
            }
            Self::Sqlite(pool) => {
                let mut connection = SqliteConnection::connect_with(&pool.connect_options()).await?;
                let version = data_version(&mut connection).await?;
                Ok(Listener::Sqlite(Box::new(connection), version))
            }
        }
    }
}

impl Listener {
    /// Waits for the next change.
    ///
    /// # Errors
    /// The connection is lost, and with it what may have been told.
    pub async fn next(&mut self) -> Result<Changed, sqlx::Error> {
        match self {
            Self::Postgres(listener) => match listener.try_recv().await? {
                Some(told) => Ok(Changed::App(told.payload().to_owned())),
                None => Err(sqlx::Error::PoolClosed),
            },
            Self::Sqlite(connection, known) => loop {
                sleep(BETWEEN_LOOKS).await;
                let version = data_version(connection).await?;
                if std::mem::replace(known, version) != version {
                    return Ok(Changed::Something);
                }
            },
        }
    }
}

async fn data_version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("PRAGMA data_version").fetch_one(connection).await
}
