//! The table `admin_tokens`: everything about a token but the token itself.
//!
//! Decides nothing and caches nothing: a revoked token is not found from then on. The clock is
//! the database's, so that all nodes agree on what has expired.

use sqlx::FromRow;

use super::write::{either, milliseconds};
use super::{HeldConnection, Store};

macro_rules! tokens {
    ($database:ident, $rest:literal) => {
        concat!(
            "SELECT id, name, scopes, apps, ",
            milliseconds!($database, "created_at"),
            " AS made_at, ",
            milliseconds!($database, "expires_at"),
            " AS expires_at, ",
            milliseconds!($database, "revoked_at"),
            " AS revoked_at, ",
            milliseconds!($database, "used_at"),
            " AS used_at FROM admin_tokens ",
            $rest
        )
    };
}

// A token ends no later than the one that makes it. A NULL is no end: the smallest of several leaves NULLs out.
const ADD_SQLITE: &str = "INSERT INTO admin_tokens (name, hash, scopes, apps, expires_at) \
     VALUES ($1, $2, $3, $4, (SELECT min(ends_at) FROM \
     (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) + $5 AS ends_at \
     UNION ALL SELECT expires_at FROM admin_tokens WHERE id = $6))) RETURNING id";
const ADD_POSTGRES: &str = "INSERT INTO admin_tokens (name, hash, scopes, apps, expires_at) \
     VALUES ($1, $2, $3, $4, least(clock_timestamp() + make_interval(secs => $5 / 1000.0), \
     (SELECT expires_at FROM admin_tokens WHERE id = $6))) RETURNING id";
const VALID_SQLITE: &str = "SELECT id, name, scopes, apps, hash, \
     (used_at IS NULL OR used_at <= unixepoch('subsec') * 1000 - 60000) AS is_stale FROM admin_tokens \
     WHERE hash = $1 AND revoked_at IS NULL \
     AND (expires_at IS NULL OR expires_at > CAST(unixepoch('subsec') * 1000 AS INTEGER))";
const VALID_POSTGRES: &str = "SELECT id, name, scopes, apps, hash, \
     (used_at IS NULL OR used_at <= clock_timestamp() - make_interval(secs => 60)) AS is_stale FROM admin_tokens \
     WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())";
const TOUCH_SQLITE: &str =
    "UPDATE admin_tokens SET used_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) WHERE id = $1";
const TOUCH_POSTGRES: &str = "UPDATE admin_tokens SET used_at = clock_timestamp() WHERE id = $1";
const REVOKE_SQLITE: &str = "UPDATE admin_tokens \
     SET revoked_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) WHERE id = $1 AND revoked_at IS NULL";
const REVOKE_POSTGRES: &str =
    "UPDATE admin_tokens SET revoked_at = clock_timestamp() WHERE id = $1 AND revoked_at IS NULL";

/// A token to be stored.
pub(crate) struct StoredToken<'a> {
    pub name: &'a str,
    pub hash: &'a str,
    pub scopes: &'a str,
    /// The apps that the token is bound to; `None` for all.
    pub apps: Option<&'a str>,
    /// Validity in milliseconds; `None` for a token that never expires.
    pub life: Option<i64>,
    /// The number of the token behind whose end this one is not valid.
    pub made_by: Option<i64>,
}

/// A token's row without the hash.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct ListedToken {
    pub id: i64,
    pub name: String,
    pub scopes: String,
    pub apps: Option<String>,
    pub made_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub used_at: Option<i64>,
}

/// A token that is valid now.
#[derive(Clone, FromRow)]
pub(crate) struct ValidToken {
    pub id: i64,
    pub name: String,
    pub scopes: String,
    pub apps: Option<String>,
    pub hash: String,
}

/// [`ValidToken`] by its own hash.
#[derive(Clone, FromRow)]
pub(crate) struct FoundToken {
    #[sqlx(flatten)]
    pub token: ValidToken,
    /// Whether the last use that is stored is a while ago.
    pub is_stale: bool,
}

impl Store {
    /// Stores a token; returns its id.
    pub async fn add_token(&self, token: &StoredToken<'_>) -> Result<i64, sqlx::Error> {
        let add = match self {
            Self::Sqlite(_) => ADD_SQLITE,
            Self::Postgres(_) => ADD_POSTGRES,
        };
        either!(self, pool => {
            sqlx::query_scalar(add)
                .bind(token.name)
                .bind(token.hash)
                .bind(token.scopes)
                .bind(token.apps)
                .bind(token.life)
                .bind(token.made_by)
                .fetch_one(pool)
                .await
        })
    }

    /// One token.
    pub async fn token(&self, id: i64) -> Result<Option<ListedToken>, sqlx::Error> {
        const SQLITE: &str = tokens!(sqlite, "WHERE id = $1");
        const POSTGRES: &str = tokens!(postgres, "WHERE id = $1");
        match self {
            Self::Sqlite(pool) => sqlx::query_as(SQLITE).bind(id).fetch_optional(pool).await,
            Self::Postgres(pool) => sqlx::query_as(POSTGRES).bind(id).fetch_optional(pool).await,
        }
    }

    /// At most `most` tokens with smaller numbers, the newest first.
    pub async fn tokens(&self, before: Option<i64>, most: i64) -> Result<Vec<ListedToken>, sqlx::Error> {
        const SQLITE: &str = tokens!(sqlite, "WHERE $1 IS NULL OR id < $1 ORDER BY id DESC LIMIT $2");
        const POSTGRES: &str = tokens!(postgres, "WHERE $1 IS NULL OR id < $1 ORDER BY id DESC LIMIT $2");
        match self {
            Self::Sqlite(pool) => sqlx::query_as(SQLITE).bind(before).bind(most).fetch_all(pool).await,
            Self::Postgres(pool) => sqlx::query_as(POSTGRES).bind(before).bind(most).fetch_all(pool).await,
        }
    }

    /// The token with this hash, if it is neither revoked nor expired.
    pub async fn valid_token(
        &self,
        hash: &str,
        look_ups: &HeldConnection,
    ) -> Result<Option<FoundToken>, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => look_ups.find(pool, sqlx::query_as(VALID_SQLITE).bind(hash)).await,
            Self::Postgres(pool) => sqlx::query_as(VALID_POSTGRES).bind(hash).fetch_optional(pool).await,
        }
    }

    /// Notes that a token is used.
    pub async fn touch_token(&self, id: i64) -> Result<(), sqlx::Error> {
        let touch = match self {
            Self::Sqlite(_) => TOUCH_SQLITE,
            Self::Postgres(_) => TOUCH_POSTGRES,
        };
        either!(self, pool => { sqlx::query(touch).bind(id).execute(pool).await?; });
        Ok(())
    }

    /// Revokes a token; false if no token has the id, or the token was revoked before.
    pub async fn revoke_token(&self, id: i64) -> Result<bool, sqlx::Error> {
        let revoke = match self {
            Self::Sqlite(_) => REVOKE_SQLITE,
            Self::Postgres(_) => REVOKE_POSTGRES,
        };
        either!(self, pool => Ok(sqlx::query(revoke).bind(id).execute(pool).await?.rows_affected() > 0))
    }
}
