//! A connection to SQLite that stays open between requests of operators, each of which asks whose token or session a secret is.
//!
//! Holds one connection of the pool, and caches no answer. A pool asks each connection that is given back whether the connection
//! works: with SQLite that is another change of threads, as dear as the question itself.

use parking_lot::Mutex;
use sqlx::pool::PoolConnection;
use sqlx::query::QueryAs;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{FromRow, Sqlite, SqlitePool};

/// The connection, while nobody asks.
#[derive(Debug, Default)]
pub(crate) struct HeldConnection(Mutex<Option<PoolConnection<Sqlite>>>);

impl HeldConnection {
    /// The row that the query finds. Who asks meanwhile takes another connection of the pool; a connection that has failed, or whose
    /// question was given up, goes back to the pool.
    pub(super) async fn find<Row>(
        &self,
        pool: &SqlitePool,
        query: QueryAs<'_, Sqlite, Row, SqliteArguments>,
    ) -> Result<Option<Row>, sqlx::Error>
    where
        Row: Send + Unpin + for<'r> FromRow<'r, SqliteRow>,
    {
        let held = self.0.lock().take();
        let mut connection = match held {
            Some(connection) => connection,
            None => pool.acquire().await?,
        };
        let found = query.fetch_optional(&mut *connection).await?;
        let spare = self.0.lock().replace(connection);
        drop(spare);
        Ok(found)
    }
}
