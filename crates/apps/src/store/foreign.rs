//! Whether a database belongs to another application: tables exist, and none is Fanfare's. Changes nothing.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, PgPool, SqliteConnection};

/// Fanfare's first tables, which one migration creates together.
const OURS: [&str; 2] = ["apps", "app_keys"];

/// The table that another starting Fanfare creates before those.
const MIGRATIONS: &str = "_sqlx_migrations";

const SQLITE: &str =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
const POSTGRES: &str =
    "SELECT CAST(tablename AS text) FROM pg_catalog.pg_tables WHERE schemaname = ANY(current_schemas(false))";

/// Whether the SQLite file, which need not exist, belongs to another application.
pub(super) async fn is_sqlite(file: &Path) -> Result<bool, sqlx::Error> {
    if !file.exists() {
        return Ok(false);
    }
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let tables: Vec<String> = sqlx::query_scalar(SQLITE).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(is_foreign(&tables))
}

/// Whether the Postgres database belongs to another application.
pub(super) async fn is_postgres(pool: &PgPool) -> Result<bool, sqlx::Error> {
    let tables: Vec<String> = sqlx::query_scalar(POSTGRES).fetch_all(pool).await?;
    Ok(is_foreign(&tables))
}

fn is_foreign(tables: &[String]) -> bool {
    let has = |name: &str| tables.iter().any(|table| table == name);
    !OURS.into_iter().all(has) && tables.iter().any(|table| table != MIGRATIONS)
}
