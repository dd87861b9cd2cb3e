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
             AND ($3 IS NULL OR action = $3) AND ($4 IS NULL OR token_id = $4) ORDER BY id DESC LIMIT $5"
        )
    };
}

const ADD_SQLITE: &str = "INSERT INTO admin_audit (token_id, name, address, app_id, action, detail) \
     VALUES ($1, $2, $3, $4, $5, $6)";
const ADD_POSTGRES: &str = "INSERT INTO admin_audit (token_id, name, address, app_id, action, detail) \
     VALUES ($1, $2, $3, $4, $5, CAST($6 AS jsonb))";
/// The rows that are too old, and of two actions all but the newest so many of each token (or of nobody).
macro_rules! forget {
    ($before:literal) => {
        concat!(
            "DELETE FROM admin_audit WHERE at < ",
            $before,
            " OR id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY action, token_id ORDER BY id DESC) \
             AS place FROM admin_audit WHERE action IN ($2, $3)) AS placed WHERE place > $4)"
        )
    };
}

const FORGET_SQLITE: &str = forget!("CAST(unixepoch('subsec') * 1000 AS INTEGER) - $1 * 86400000");
const FORGET_POSTGRES: &str = forget!("clock_timestamp() - make_interval(days => CAST($1 AS integer))");

/// Which entries of the audit log are wanted; what is `None` may be anything.
#[derive(Clone, Debug, Default)]
pub struct AuditWanted {
    /// Only entries with smaller numbers.
    pub before: Option<i64>,
    /// Only entries about this app.
    pub app: Option<String>,
    /// Only entries of this action, by its name.
    pub action: Option<String>,
    /// Only what the token with this number did.
    pub token: Option<i64>,
}

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

    /// At most `most` of the rows that are wanted, the newest first.
    pub async fn audit(&self, wanted: &AuditWanted, most: i64) -> Result<Vec<NotedAt>, sqlx::Error> {
        const SQLITE: &str = page!(sqlite, "detail");
        const POSTGRES: &str = page!(postgres, "CAST(detail AS text)");
        let page = match self {
            Self::Sqlite(_) => SQLITE,
            Self::Postgres(_) => POSTGRES,
        };
        let AuditWanted { before, app, action, token } = wanted;
        either!(self, pool => {
            sqlx::query_as(page).bind(before).bind(app).bind(action).bind(token).bind(most).fetch_all(pool).await
        })
    }

    /// Deletes the rows that are older, and of these actions all but the newest so many of each token; returns their number.
    pub async fn forget_audit(&self, days: u32, actions: [&str; 2], most: u32) -> Result<u64, sqlx::Error> {
        let forget = match self {
            Self::Sqlite(_) => FORGET_SQLITE,
            Self::Postgres(_) => FORGET_POSTGRES,
        };
        either!(self, pool => {
            let [one, other] = actions;
            let forgotten = sqlx::query(forget).bind(i64::from(days)).bind(one).bind(other).bind(i64::from(most));
            Ok(forgotten.execute(pool).await?.rows_affected())
        })
    }
}
