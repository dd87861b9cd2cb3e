//! The table `admin_audit`: adding a row, a page of rows, deleting the old. Decides nothing.

use sqlx::FromRow;

use super::Store;
use super::write::{either, milliseconds};

macro_rules! page {
    ($database:ident, $detail:literal) => {
        concat!(
            "SELECT id, ",
            milliseconds!($database, "at"),
            " AS at, token_id, name, address, app_id, action, ",
            $detail,
            " AS detail FROM admin_audit WHERE ($1 IS NULL OR id < $1) AND ($2 IS NULL OR app_id = $2) \
             ORDER BY id DESC LIMIT $3"
        )
    };
}

const ADD_SQLITE: &str = "INSERT INTO admin_audit (token_id, name, address, app_id, action, detail) \
     VALUES ($1, $2, $3, $4, $5, $6)";
const ADD_POSTGRES: &str = "INSERT INTO admin_audit (token_id, name, address, app_id, action, detail) \
     VALUES ($1, $2, $3, $4, $5, CAST($6 AS jsonb))";
/// The rows that are too old, and all but the newest so many of one action.
macro_rules! forget {
    ($before:literal) => {
        concat!(
            "DELETE FROM admin_audit WHERE at < ",
            $before,
            " OR (action = $2 AND id <= (SELECT id FROM admin_audit WHERE action = $2 ORDER BY id DESC LIMIT 1 OFFSET $3))"
        )
    };
}

const FORGET_SQLITE: &str = forget!("CAST(unixepoch('subsec') * 1000 AS INTEGER) - $1 * 86400000");
const FORGET_POSTGRES: &str = forget!("clock_timestamp() - make_interval(days => CAST($1 AS integer))");

/// A row to be added, or one that was read, without number and time.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Noted {
    pub token_id: Option<i64>,
    pub name: String,
    pub address: Option<String>,
    pub app_id: Option<String>,
    pub action: String,
    /// The text of a JSON object.
    pub detail: String,
}

/// A row.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct NotedAt {
    pub id: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    #[sqlx(flatten)]
    pub noted: Noted,
}

impl Store {
    /// Adds a row, with the database's time.
    pub async fn add_audit(&self, row: &Noted) -> Result<(), sqlx::Error> {
        let add = match self {
            Self::Sqlite(_) => ADD_SQLITE,
            Self::Postgres(_) => ADD_POSTGRES,
        };
        either!(self, pool => {
            sqlx::query(add)
                .bind(row.token_id)
                .bind(&row.name)
                .bind(&row.address)
                .bind(&row.app_id)
                .bind(&row.action)
                .bind(&row.detail)
                .execute(pool)
                .await?
                .rows_affected()
        });
        Ok(())
    }

    /// At most `most` rows with smaller numbers, of one app or of all, the newest first.
    pub async fn audit(
        &self,
        before: Option<i64>,
        app: Option<&str>,
        most: i64,
    ) -> Result<Vec<NotedAt>, sqlx::Error> {
        const SQLITE: &str = page!(sqlite, "detail");
        const POSTGRES: &str = page!(postgres, "CAST(detail AS text)");
        match self {
            Self::Sqlite(pool) => {
                sqlx::query_as(SQLITE).bind(before).bind(app).bind(most).fetch_all(pool).await
            }
            Self::Postgres(pool) => {
                sqlx::query_as(POSTGRES).bind(before).bind(app).bind(most).fetch_all(pool).await
            }
        }
    }

    /// Deletes the rows that are older, and of one action all but the newest so many; returns their number.
    pub async fn forget_audit(&self, days: u32, action: &str, most: u32) -> Result<u64, sqlx::Error> {
        let forget = match self {
            Self::Sqlite(_) => FORGET_SQLITE,
            Self::Postgres(_) => FORGET_POSTGRES,
        };
        either!(self, pool => {
            let forgotten = sqlx::query(forget).bind(i64::from(days)).bind(action).bind(i64::from(most));
            Ok(forgotten.execute(pool).await?.rows_affected())
        })
    }
}
