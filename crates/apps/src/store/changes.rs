//! Notifications of changed tables, by another process, another node, or an operator.
//!
//! Postgres names the app, SQLite reports only that something changed. A change while nobody
//! listened is never reported: every new listener has to read everything.

use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{Connection, SqliteConnection};
use tokio::time::sleep;

use super::Store;

/// The channel that the triggers of the migrations notify.
const CHANNEL: &str = "fanfare_apps";

/// Polling interval for a SQLite file.
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// The object of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// The app with this id.
    App(String),
    /// One or several apps, unnamed; or added usage alone.
    Something,
}

/// Listens until the connection is lost.
pub(crate) enum Listener {
    Postgres(Box<PgListener>),
    /// A connection of its own, and the number that changes with every commit of another connection.
    Sqlite(Box<SqliteConnection>, i64),
}

impl Store {
    /// Starts to listen: from here on no change is missed.
    pub async fn listen(&self) -> Result<Listener, sqlx::Error> {
        match self {
            Self::Postgres(pool) => {
                let mut listener = PgListener::connect_with(pool).await?;
                // A lost connection must be noticed, because notifications are lost with it.
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
    /// The connection is lost, and perhaps notifications with it.
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
