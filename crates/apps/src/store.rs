//! Fanfare's tables in SQLite or Postgres: opening, migrating, reading, writing.
//!
//! Each query is written once and runs on both; values are parameters, never text. Caches nothing.

mod acme;
mod audit;
mod backlog;
mod bindings;
mod changes;
mod feeds;
mod foreign;
mod held;
mod open;
mod record;
mod sessions;
mod tokens;
mod usage;
mod write;
mod writing;

use fanfare_protocol::app::App;
use fanfare_protocol::auth::Credential;
use sqlx::{PgPool, SqlitePool};

pub use self::audit::AuditWanted;
pub(crate) use self::audit::{Noted, NotedAt};
pub(crate) use self::changes::{Changed, Listener};
pub(crate) use self::held::HeldConnection;
use self::record::Row;
pub(crate) use self::record::{Reading, Record, RowFault, new_app, open_feed_url, random_id, random_pair};
pub(crate) use self::tokens::{ListedToken, StoredToken as KeptToken, ValidToken};
pub(crate) use self::write::{Listed, ListedKey};
use crate::master_keys::{MasterKeys, Owner};

/// The rows of one app, a row for each pair that is valid, the oldest first.
macro_rules! rows_of_app {
    ($which:literal) => {
        concat!(
            "SELECT apps.id, apps.enabled, CAST(apps.settings AS TEXT) AS settings, ",
            "app_keys.key, app_keys.secret ",
            "FROM apps LEFT JOIN app_keys ON app_keys.app_id = apps.id AND app_keys.revoked_at IS NULL ",
            "WHERE apps.id = ",
            $which,
            " ORDER BY app_keys.created_at, app_keys.key"
        )
    };
}

const BY_ID: &str = rows_of_app!("$1");
const BY_KEY: &str = rows_of_app!("(SELECT app_id FROM app_keys WHERE key = $1 AND revoked_at IS NULL)");
const OLDEST: &str = rows_of_app!("(SELECT id FROM apps ORDER BY created_at, id LIMIT 1)");
const ADD_APP: &str = "INSERT INTO apps (id, name) VALUES ($1, $2)";
const ADD_KEY: &str = "INSERT INTO app_keys (key, app_id, secret) VALUES ($1, $2, $3)";

/// In SQLite: there is an app, or was. Who has deleted the last one does not want another at the next start.
const HAD_APPS: &str = "PRAGMA user_version = 1";

/// An id that no app has: looking it up shows whether the tables answer.
const NO_ID: &str = "";

/// The key or id of a look-up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    Key(Box<str>),
    Id(Box<str>),
}

/// An open database with migrated tables.
#[derive(Debug)]
pub(crate) enum Store {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Store {
    /// Reads one app.
    pub async fn find(&self, ask: &Ask, reading: &Reading) -> Result<Option<Record>, sqlx::Error> {
        let (query, name) = match ask {
            Ask::Key(key) => (BY_KEY, key),
            Ask::Id(id) => (BY_ID, id),
        };
        match self.rows(query, Some(name)).await {
            Ok(rows) => Ok(record::from_rows(rows, reading)),
            Err(error) if is_about_one_row(&error) => {
                let app = match ask {
                    Ask::Id(id) => id.to_string(),
                    Ask::Key(key) => format!("of key {key}"),
                };
                Ok(Some(Record::Faulty(RowFault { app, cause: error.to_string() })))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the oldest app.
    pub async fn oldest(&self, reading: &Reading) -> Result<Option<Record>, sqlx::Error> {
        Ok(record::from_rows(self.rows(OLDEST, None).await?, reading))
    }

    /// Reads nothing from the tables, to see whether the database answers.
    pub async fn probe(&self) -> Result<(), sqlx::Error> {
        self.rows(BY_ID, Some(NO_ID)).await.map(drop)
    }

    async fn rows(&self, query: &'static str, name: Option<&str>) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => {
                let query = sqlx::query_as(query);
                let query = if let Some(name) = name { query.bind(name) } else { query };
                query.fetch_all(pool).await
            }
            Self::Postgres(pool) => {
                let query = sqlx::query_as(query);
                let query = if let Some(name) = name { query.bind(name) } else { query };
                query.fetch_all(pool).await
            }
        }
    }

    /// Adds `app` unless there is one already, or was, and returns the oldest there is then; in one transaction.
    ///
    /// `None`: not SQLite.
    pub async fn oldest_or_add(
        &self,
        app: &App,
        reading: &Reading,
    ) -> Result<Option<Option<Record>>, sqlx::Error> {
        let Self::Sqlite(pool) = self else { return Ok(None) };
        // Takes the lock before reading: of two processes only one finds no app.
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
        let rows = sqlx::query_as(OLDEST).fetch_all(&mut *transaction).await?;
        if let Some(record) = record::from_rows(rows, reading) {
            return Ok(Some(Some(record)));
        }
        let had_apps: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
        if had_apps > 0 {
            return Ok(Some(None));
        }
        sqlx::query(ADD_APP).bind(app.id.as_str()).bind("first app").execute(&mut *transaction).await?;
        for credential in &app.credentials {
            sqlx::query(ADD_KEY)
                .bind(credential.key.as_str())
                .bind(app.id.as_str())
                .bind(sealed(&reading.keys, app, credential)?)
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query(HAD_APPS).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Some(Some(Record::App(app.clone()))))
    }
}

fn sealed(keys: &MasterKeys, app: &App, pair: &Credential) -> Result<String, sqlx::Error> {
    let owner = Owner { app: app.id.as_str(), key: pair.key.as_str() };
    keys.seal(owner, pair.secret.expose()).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// Whether an error is about one row's content and not about the database.
fn is_about_one_row(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))
}
