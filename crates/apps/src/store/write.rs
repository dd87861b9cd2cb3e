//! Operators' changes of the tables; each is one transaction.
//!
//! Decides nothing: `operations` decides what is allowed. Secrets come here sealed.

use sqlx::FromRow;

use super::bindings::{UNBIND_POSTGRES, UNBIND_SQLITE};
use super::{HAD_APPS, Store};

/// Runs the same code on either pool.
macro_rules! either {
    ($store:expr, $pool:ident => $body:expr) => {
        match $store {
            Store::Sqlite($pool) => $body,
            Store::Postgres($pool) => $body,
        }
    };
}
/// A column of time, in milliseconds since 1970, in each database's syntax.
macro_rules! milliseconds {
    (sqlite, $column:literal) => {
        $column
    };
    (postgres, $column:literal) => {
        concat!("CAST(EXTRACT(EPOCH FROM ", $column, ") * 1000 AS bigint)")
    };
}

pub(super) use {either, milliseconds};

macro_rules! list {
    ($database:ident, $which:literal) => {
        concat!(
            "SELECT id, name, enabled, CAST(settings AS TEXT) AS settings, ",
            milliseconds!($database, "created_at"),
            " AS created_at FROM apps WHERE ",
            $which
        )
    };
}

/// Whether the id or the name begins with `$1`, in whatever case: every one begins with nothing.
macro_rules! begins {
    () => {
        "(lower(substr(id, 1, length($1))) = lower($1) OR lower(substr(name, 1, length($1))) = lower($1))"
    };
}

/// A page of the list. Shorter ids sort first, as numbers do.
macro_rules! page {
    ($database:ident) => {
        concat!(
            list!($database, "(length(id), id) > (length($2), $2) AND "),
            begins!(),
            " ORDER BY length(id), id LIMIT $3"
        )
    };
}

macro_rules! keys {
    ($database:ident) => {
        concat!(
            "SELECT key, secret, ",
            milliseconds!($database, "created_at"),
            " AS made_at, ",
            milliseconds!($database, "revoked_at"),
            " AS revoked_at FROM app_keys WHERE app_id = $1 ORDER BY app_keys.created_at, key"
        )
    };
}

const ADD_APP_SQLITE: &str = "INSERT INTO apps (id, name, enabled, settings) VALUES ($1, $2, $3, $4)";
const ADD_APP_POSTGRES: &str =
    "INSERT INTO apps (id, name, enabled, settings) VALUES ($1, $2, $3, CAST($4 AS jsonb))";
const SET_APP_SQLITE: &str = "UPDATE apps SET name = $2, enabled = $3, settings = $4 \
     WHERE id = $1 AND name = $5 AND enabled = $6 AND settings = $7";
const SET_APP_POSTGRES: &str = "UPDATE apps SET name = $2, enabled = $3, settings = CAST($4 AS jsonb) \
     WHERE id = $1 AND name = $5 AND enabled = $6 AND settings = CAST($7 AS jsonb)";
const ADD_KEY: &str = "INSERT INTO app_keys (key, app_id, secret) VALUES ($1, $2, $3)";
// Pairs are ordered by age, and two may be created within one of SQLite's milliseconds.
const ADD_NEWER_KEY_SQLITE: &str = "INSERT INTO app_keys (key, app_id, secret, created_at) \
     VALUES ($1, $2, $3, max(CAST(unixepoch('subsec') * 1000 AS INTEGER), \
     coalesce((SELECT max(created_at) + 1 FROM app_keys WHERE app_id = $2), 0)))";
/// Revokes a pair unless no other pair of the app would be left.
macro_rules! revoke {
    ($now:literal) => {
        concat!(
            "UPDATE app_keys SET revoked_at = ",
            $now,
            " WHERE app_id = $1 AND key = $2 AND revoked_at IS NULL AND EXISTS (SELECT 1 FROM app_keys AS others ",
            "WHERE others.app_id = $1 AND others.key <> $2 AND others.revoked_at IS NULL)"
        )
    };
}

const REVOKE_SQLITE: &str = revoke!("CAST(unixepoch('subsec') * 1000 AS INTEGER)");
const REVOKE_POSTGRES: &str = revoke!("clock_timestamp()");
const HOLD_POSTGRES: &str = "SELECT id FROM apps WHERE id = $1 FOR UPDATE";
const DELETE: &str = "DELETE FROM apps WHERE id = $1";
const DELETE_REQUESTS: &str = "DELETE FROM webhook_requests WHERE app_id = $1";
const OWNER: &str = "SELECT app_id FROM app_keys WHERE key = $1";
const SECRETS: &str = "SELECT app_id, key, secret FROM app_keys";
const SECRET_LIKE: &str = "SELECT key FROM app_keys WHERE secret LIKE $1 LIMIT 1";
const SET_SETTINGS_SQLITE: &str = "UPDATE apps SET settings = $3 WHERE id = $1 AND settings = $2";
const SET_SETTINGS_POSTGRES: &str =
    "UPDATE apps SET settings = CAST($3 AS jsonb) WHERE id = $1 AND settings = CAST($2 AS jsonb)";
const BEGINNING_WITH: &str = concat!(
    "SELECT id, name FROM apps WHERE ",
    begins!(),
    " ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END, length(id), id LIMIT $2"
);
const RESEAL: &str = "UPDATE app_keys SET secret = $3 WHERE key = $1 AND secret = $2";

/// An app's row.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Listed {
    pub id: String,
    pub name: String,
    pub enabled: bool,
    pub settings: String,
    pub created_at: i64,
}

/// A pair's row. Not `Debug`: the row holds a secret, sealed or not.
#[derive(Clone, FromRow)]
pub(crate) struct ListedKey {
    pub key: String,
    pub secret: String,
    pub made_at: i64,
    pub revoked_at: Option<i64>,
}

impl Store {
    /// At most `most` apps whose id or name begins with `prefix`, in whatever case, in the order of their ids, behind `after`.
    pub async fn list(&self, (prefix, after): (&str, &str), most: usize) -> Result<Vec<Listed>, sqlx::Error> {
        const SQLITE: &str = page!(sqlite);
        const POSTGRES: &str = page!(postgres);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let query = if matches!(self, Self::Sqlite(_)) { SQLITE } else { POSTGRES };
        either!(self, pool => {
            sqlx::query_as(query).bind(prefix).bind(after).bind(most).fetch_all(pool).await
        })
    }

    /// One app.
    pub async fn row(&self, id: &str) -> Result<Option<Listed>, sqlx::Error> {
        const SQLITE: &str = list!(sqlite, "id = $1");
        const POSTGRES: &str = list!(postgres, "id = $1");
        match self {
            Self::Sqlite(pool) => sqlx::query_as(SQLITE).bind(id).fetch_optional(pool).await,
            Self::Postgres(pool) => sqlx::query_as(POSTGRES).bind(id).fetch_optional(pool).await,
        }
    }

    /// Ids and names of at most `most` apps whose id or name begins with the text, in whatever case.
    pub async fn beginning_with(
        &self,
        text: &str,
        most: usize,
    ) -> Result<Vec<(String, String)>, sqlx::Error> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        either!(self, pool => sqlx::query_as(BEGINNING_WITH).bind(text).bind(most).fetch_all(pool).await)
    }

    /// All pairs of the app, the oldest first.
    pub async fn keys(&self, id: &str) -> Result<Vec<ListedKey>, sqlx::Error> {
        const SQLITE: &str = keys!(sqlite);
        const POSTGRES: &str = keys!(postgres);
        match self {
            Self::Sqlite(pool) => sqlx::query_as(SQLITE).bind(id).fetch_all(pool).await,
            Self::Postgres(pool) => sqlx::query_as(POSTGRES).bind(id).fetch_all(pool).await,
        }
    }

    /// The app that has, or had, the key.
    pub async fn owner_of(&self, key: &str) -> Result<Option<String>, sqlx::Error> {
        either!(self, pool => sqlx::query_scalar(OWNER).bind(key).fetch_optional(pool).await)
    }

    /// Adds an app with its first pair. Tokens that were bound to an earlier app with this id, such as one of a configuration, are
    /// not bound to the new one.
    pub async fn add(&self, app: &Listed, key: &str, sealed: &str) -> Result<(), sqlx::Error> {
        let (add, unbind) = match self {
            Self::Sqlite(_) => (ADD_APP_SQLITE, UNBIND_SQLITE),
            Self::Postgres(_) => (ADD_APP_POSTGRES, UNBIND_POSTGRES),
        };
        either!(self, pool => {
            let mut transaction = pool.begin().await?;
            sqlx::query(add)
                .bind(&app.id)
                .bind(&app.name)
                .bind(app.enabled)
                .bind(&app.settings)
                .execute(&mut *transaction)
                .await?;
            sqlx::query(ADD_KEY).bind(key).bind(&app.id).bind(sealed).execute(&mut *transaction).await?;
            sqlx::query(unbind).bind(&app.id).execute(&mut *transaction).await?;
            transaction.commit().await
        })
    }

    /// Writes name, switch and settings; false if the app is not as it was `before`.
    pub async fn set(&self, before: &Listed, app: &Listed) -> Result<bool, sqlx::Error> {
        let set = match self {
            Self::Sqlite(_) => SET_APP_SQLITE,
            Self::Postgres(_) => SET_APP_POSTGRES,
        };
        either!(self, pool => {
            let done = sqlx::query(set)
                .bind(&app.id)
                .bind(&app.name)
                .bind(app.enabled)
                .bind(&app.settings)
                .bind(&before.name)
                .bind(before.enabled)
                .bind(&before.settings)
                .execute(pool)
                .await?;
            Ok(done.rows_affected() > 0)
        })
    }

    /// Adds a pair to an app, newer than the app's other pairs.
    pub async fn add_key(&self, app: &str, key: &str, sealed: &str) -> Result<(), sqlx::Error> {
        let add = match self {
            Self::Sqlite(_) => ADD_NEWER_KEY_SQLITE,
            Self::Postgres(_) => ADD_KEY,
        };
        either!(self, pool => {
            sqlx::query(add).bind(key).bind(app).bind(sealed).execute(pool).await.map(drop)
        })
    }

    /// Revokes a pair; false if the key is not one of the app's valid keys, or the last of them.
    pub async fn revoke(&self, app: &str, key: &str) -> Result<bool, sqlx::Error> {
        let done = match self {
            Self::Sqlite(pool) => {
                sqlx::query(REVOKE_SQLITE).bind(app).bind(key).execute(pool).await?.rows_affected()
            }
            Self::Postgres(pool) => {
                let mut transaction = pool.begin().await?;
                // Of two concurrent revocations, each would find the other's pair still valid.
                sqlx::query(HOLD_POSTGRES).bind(app).execute(&mut *transaction).await?;
                let revoke = sqlx::query(REVOKE_POSTGRES).bind(app).bind(key);
                let done = revoke.execute(&mut *transaction).await?;
                transaction.commit().await?;
                done.rows_affected()
            }
        };
        Ok(done > 0)
    }

    /// Deletes an app with its pairs and kept requests, and takes it out of the bound tokens; false if no app has the id.
    pub async fn delete(&self, id: &str) -> Result<bool, sqlx::Error> {
        let done = match self {
            Self::Sqlite(pool) => {
                let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
                sqlx::query(DELETE_REQUESTS).bind(id).execute(&mut *transaction).await?;
                let done = sqlx::query(DELETE).bind(id).execute(&mut *transaction).await?;
                sqlx::query(UNBIND_SQLITE).bind(id).execute(&mut *transaction).await?;
                sqlx::query(HAD_APPS).execute(&mut *transaction).await?;
                transaction.commit().await?;
                done.rows_affected()
            }
            Self::Postgres(pool) => {
                let mut transaction = pool.begin().await?;
                sqlx::query(DELETE_REQUESTS).bind(id).execute(&mut *transaction).await?;
                let done = sqlx::query(DELETE).bind(id).execute(&mut *transaction).await?;
                sqlx::query(UNBIND_POSTGRES).bind(id).execute(&mut *transaction).await?;
                transaction.commit().await?;
                done.rows_affected()
            }
        };
        Ok(done > 0)
    }

    /// App, key and stored secret of every pair.
    pub async fn secrets(&self) -> Result<Vec<(String, String, String)>, sqlx::Error> {
        either!(self, pool => sqlx::query_as(SECRETS).fetch_all(pool).await)
    }

    /// Whether some secret begins like this, or there is no secret.
    pub async fn is_without_secrets_or_has(&self, beginning: &str) -> Result<bool, sqlx::Error> {
        Ok(self.has_secret_like(&format!("{beginning}%")).await? || !self.has_secret_like("%").await?)
    }

    async fn has_secret_like(&self, pattern: &str) -> Result<bool, sqlx::Error> {
        let found: Option<(String,)> =
            either!(self, pool => sqlx::query_as(SECRET_LIKE).bind(pattern).fetch_optional(pool).await)?;
        Ok(found.is_some())
    }

    /// Stores a secret in another form, unless the secret has changed meanwhile.
    pub async fn reseal(&self, key: &str, before: &str, after: &str) -> Result<(), sqlx::Error> {
        either!(self, pool => {
            sqlx::query(RESEAL).bind(key).bind(before).bind(after).execute(pool).await.map(drop)
        })
    }

    /// Stores settings in another form, unless the settings have changed meanwhile.
    pub async fn reseal_settings(&self, app: &str, before: &str, after: &str) -> Result<(), sqlx::Error> {
        let set = match self {
            Self::Sqlite(_) => SET_SETTINGS_SQLITE,
            Self::Postgres(_) => SET_SETTINGS_POSTGRES,
        };
        either!(self, pool => {
            sqlx::query(set).bind(app).bind(before).bind(after).execute(pool).await.map(drop)
        })
    }
}
