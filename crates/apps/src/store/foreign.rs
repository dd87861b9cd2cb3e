//! Whose tables a database holds, looked at before anything is changed in it. Changes nothing.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, PgPool, SqliteConnection};

/// Fanfare's first tables, which one migration makes together.
const FIRST: [&str; 2] = ["apps", "app_keys"];

/// The tables that later migrations make.
const LATER: [&str; 8] = [
    "app_usage",
    "admin_tokens",
    "write_probe",
    "webhook_requests",
    "admin_audit",
    "admin_sessions",
    "admin_codes",
    "acme_records",
];

/// What has been done to the tables; other programs that use the same library call theirs so, too.
pub(super) const MIGRATIONS: &str = "_sqlx_migrations";

const SQLITE: &str =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
const POSTGRES: &str =
    "SELECT CAST(tablename AS text) FROM pg_catalog.pg_tables WHERE schemaname = ANY(current_schemas(false))";

/// Whose tables there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tables {
    /// Fanfare's, perhaps among those of others.
    Ours,
    /// None, but for what another Fanfare that is just starting has made before its own.
    None,
    /// Tables of other applications alone.
    Foreign,
    /// Tables of other applications, one of them with the name of a table of Fanfare's.
    Clashing(&'static str),
}

/// Of the file of SQLite, which need not exist.
pub(super) async fn of_sqlite(file: &Path) -> Result<Tables, sqlx::Error> {
    if !file.exists() {
        return Ok(Tables::None);
    }
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let tables: Vec<String> = sqlx::query_scalar(SQLITE).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(Tables::of(&tables))
}

/// Of the database of Postgres.
pub(super) async fn of_postgres(pool: &PgPool) -> Result<Tables, sqlx::Error> {
    let tables: Vec<String> = sqlx::query_scalar(POSTGRES).fetch_all(pool).await?;
    Ok(Tables::of(&tables))
}

impl Tables {
    fn of(tables: &[String]) -> Self {
        let has = |name: &str| tables.iter().any(|table| table == name);
        if has(MIGRATIONS) && FIRST.into_iter().all(has) {
            return Self::Ours;
        }
        match FIRST.into_iter().chain(LATER).find(|name| has(name)) {
            Some(name) => Self::Clashing(name),
            None if tables.iter().any(|table| table != MIGRATIONS) => Self::Foreign,
            None => Self::None,
        }
    }
}
