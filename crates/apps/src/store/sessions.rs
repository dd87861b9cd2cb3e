//! The tables `admin_sessions` and `admin_codes`: adding, finding, deleting. Decides nothing and caches nothing: a session whose token
//! is revoked is not found from then on. The clock is the database's.

use sqlx::FromRow;

use super::tokens::ValidToken;
use super::write::either;
use super::{HeldConnection, Store};

/// Milliseconds of a minute.
const MINUTE: i64 = 60 * 1000;

/// The database's clock, in milliseconds since 1970.
macro_rules! now {
    (sqlite) => {
        "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    };
    (postgres) => {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint)"
    };
}

/// Whether the joined token is valid.
macro_rules! is_valid {
    (sqlite) => {
        concat!(
            "token.revoked_at IS NULL AND (token.expires_at IS NULL OR token.expires_at > ",
            now!(sqlite),
            ")"
        )
    };
    (postgres) => {
        "token.revoked_at IS NULL AND (token.expires_at IS NULL OR token.expires_at > clock_timestamp())"
    };
}

/// A statement for the store's database, from pieces that both share.
macro_rules! statement {
    ($store:expr, $text:ident) => {
        match $store {
            Store::Sqlite(_) => $text!(sqlite),
            Store::Postgres(_) => $text!(postgres),
        }
    };
}

macro_rules! add {
    ($database:ident) => {
        concat!(
            "INSERT INTO admin_sessions (hash, token_id, ends_at) VALUES ($1, $2, ",
            now!($database),
            " + $3) RETURNING ends_at"
        )
    };
}

/// All but the newest of a token.
const MAKE_ROOM: &str = "DELETE FROM admin_sessions WHERE token_id = $1 AND hash NOT IN \
     (SELECT hash FROM admin_sessions WHERE token_id = $1 ORDER BY made_at DESC, hash LIMIT $2)";

macro_rules! forget_sessions {
    ($database:ident) => {
        concat!(
            "DELETE FROM admin_sessions WHERE ends_at <= ",
            now!($database),
            " OR used_at <= ",
            now!($database),
            " - $1"
        )
    };
}

macro_rules! forget_codes {
    ($database:ident) => {
        concat!("DELETE FROM admin_codes WHERE ends_at <= ", now!($database))
    };
}

macro_rules! find {
    ($database:ident) => {
        concat!(
            "SELECT token.id, token.name, token.scopes, token.apps, session.hash, session.ends_at, ",
            "session.used_at <= ",
            now!($database),
            " - $3 AS is_stale FROM admin_sessions AS session ",
            "JOIN admin_tokens AS token ON token.id = session.token_id ",
            "WHERE session.hash = $1 AND session.ends_at > ",
            now!($database),
            " AND session.used_at > ",
            now!($database),
            " - $2 AND ",
            is_valid!($database)
        )
    };
}

macro_rules! touch {
    ($database:ident) => {
        concat!("UPDATE admin_sessions SET used_at = ", now!($database), " WHERE hash = $1")
    };
}

const END: &str = "DELETE FROM admin_sessions WHERE hash = $1";

macro_rules! add_code {
    ($database:ident) => {
        concat!(
            "INSERT INTO admin_codes (hash, token_id, ends_at) VALUES ($1, $2, ",
            now!($database),
            " + $3)"
        )
    };
}

macro_rules! take_code {
    ($database:ident) => {
        concat!(
            "DELETE FROM admin_codes WHERE hash = $1 AND ends_at > ",
            now!($database),
            " RETURNING token_id"
        )
    };
}

macro_rules! token_of {
    ($database:ident) => {
        concat!(
            "SELECT token.id, token.name, token.scopes, token.apps, token.hash FROM admin_tokens AS token ",
            "WHERE token.id = $1 AND ",
            is_valid!($database)
        )
    };
}

/// A session that goes on, with its token; the hash is the session's.
#[derive(Clone, FromRow)]
pub(crate) struct FoundSession {
    #[sqlx(flatten)]
    pub token: ValidToken,
    /// Milliseconds since 1970.
    pub ends_at: i64,
    /// Whether the last use that is stored is a while ago.
    pub is_stale: bool,
}

impl Store {
    /// Adds a session of a token; of older ones so many stay. Returns its end.
    pub async fn add_session(
        &self,
        hash: &str,
        token: i64,
        life: i64,
        others: i64,
    ) -> Result<i64, sqlx::Error> {
        let add = statement!(self, add);
        either!(self, pool => {
            let mut transaction = pool.begin().await?;
            sqlx::query(MAKE_ROOM).bind(token).bind(others).execute(&mut *transaction).await?;
            let added = sqlx::query_scalar(add).bind(hash).bind(token).bind(life);
            let ends_at = added.fetch_one(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(ends_at)
        })
    }

    /// Deletes what has ended: sessions by age or idleness, and codes.
    pub async fn forget_sessions(&self, idle: i64) -> Result<(), sqlx::Error> {
        let (sessions, codes) = (statement!(self, forget_sessions), statement!(self, forget_codes));
        either!(self, pool => {
            sqlx::query(sessions).bind(idle).execute(pool).await?;
            sqlx::query(codes).execute(pool).await?;
        });
        Ok(())
    }

    /// The session with this hash, if it and its token are valid. A use that is older than a quarter of the idle time, or than a
    /// minute, is stored again, so that a session in use never ends as an idle one.
    pub async fn session(
        &self,
        hash: &str,
        idle: i64,
        look_ups: &HeldConnection,
    ) -> Result<Option<FoundSession>, sqlx::Error> {
        let (find, stale) = (statement!(self, find), (idle / 4).min(MINUTE));
        match self {
            Self::Sqlite(pool) => {
                look_ups.find(pool, sqlx::query_as(find).bind(hash).bind(idle).bind(stale)).await
            }
            Self::Postgres(pool) => {
                sqlx::query_as(find).bind(hash).bind(idle).bind(stale).fetch_optional(pool).await
            }
        }
    }

    /// Notes that a session is used.
    pub async fn touch_session(&self, hash: &str) -> Result<(), sqlx::Error> {
        let touch = statement!(self, touch);
        either!(self, pool => { sqlx::query(touch).bind(hash).execute(pool).await?; });
        Ok(())
    }

    /// Ends a session.
    pub async fn end_session(&self, hash: &str) -> Result<(), sqlx::Error> {
        either!(self, pool => { sqlx::query(END).bind(hash).execute(pool).await?; });
        Ok(())
    }

    /// Adds a code that logs in as a token.
    pub async fn add_code(&self, hash: &str, token: i64, life: i64) -> Result<(), sqlx::Error> {
        let add = statement!(self, add_code);
        either!(self, pool => { sqlx::query(add).bind(hash).bind(token).bind(life).execute(pool).await?; });
        Ok(())
    }

    /// The token with this number, if it is valid.
    pub async fn valid_token_of(&self, id: i64) -> Result<Option<ValidToken>, sqlx::Error> {
        let token_of = statement!(self, token_of);
        either!(self, pool => sqlx::query_as(token_of).bind(id).fetch_optional(pool).await)
    }

    /// Uses a code up; its token, if both are valid.
    pub async fn take_code(&self, hash: &str) -> Result<Option<ValidToken>, sqlx::Error> {
        let (take, token_of) = (statement!(self, take_code), statement!(self, token_of));
        either!(self, pool => {
            let taken: Option<i64> = sqlx::query_scalar(take).bind(hash).fetch_optional(pool).await?;
            match taken {
                Some(token) => sqlx::query_as(token_of).bind(token).fetch_optional(pool).await,
                None => Ok(None),
            }
        })
    }
}
