//! The table `acme_records`: reading, writing, taking. Every time is the database's.

use std::time::Duration;

use super::Store;
use super::write::either;

/// Now, in milliseconds since 1970.
macro_rules! now {
    (sqlite) => {
        "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    };
    (postgres) => {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint)"
    };
}

macro_rules! find {
    ($database:ident) => {
        concat!(
            "SELECT value FROM acme_records WHERE name = $1 AND (until = 0 OR until > ",
            now!($database),
            ")"
        )
    };
}

macro_rules! put {
    ($database:ident) => {
        concat!(
            "INSERT INTO acme_records (name, value, until) VALUES ($1, $2, CASE WHEN $3 = 0 THEN 0 ELSE ",
            now!($database),
            " + $3 END) ON CONFLICT (name) DO UPDATE SET value = excluded.value, until = excluded.until"
        )
    };
}

macro_rules! take {
    ($database:ident) => {
        concat!(
            "INSERT INTO acme_records (name, value, until) VALUES ($1, $2, ",
            now!($database),
            " + $3) ON CONFLICT (name) DO UPDATE SET value = excluded.value, until = excluded.until \
             WHERE acme_records.value = excluded.value OR acme_records.until <= ",
            now!($database)
        )
    };
}

macro_rules! of_prefixes {
    ($database:ident) => {
        concat!(
            "SELECT name, value FROM acme_records WHERE (substr(name, 1, length($1)) = $1 \
             OR substr(name, 1, length($2)) = $2) AND (until = 0 OR until > ",
            now!($database),
            ") ORDER BY until DESC LIMIT 1000"
        )
    };
}

macro_rules! forget_ended {
    ($database:ident) => {
        concat!("DELETE FROM acme_records WHERE until > 0 AND until <= ", now!($database))
    };
}

macro_rules! of {
    ($store:expr, $statement:ident) => {
        match $store {
            Store::Sqlite(_) => $statement!(sqlite),
            Store::Postgres(_) => $statement!(postgres),
        }
    };
}

const REMOVE: &str = "DELETE FROM acme_records WHERE name = $1";
const GIVE_BACK: &str = "DELETE FROM acme_records WHERE name = $1 AND value = $2";
const ALL: &str = "SELECT name, value FROM acme_records";
const RESEAL: &str = "UPDATE acme_records SET value = $3 WHERE name = $1 AND value = $2";

impl Store {
    /// The value of a record that is there now.
    pub async fn acme_record(&self, name: &str) -> Result<Option<String>, sqlx::Error> {
        let find = of!(self, find);
        either!(self, pool => sqlx::query_scalar(find).bind(name).fetch_optional(pool).await)
    }

    /// The records of now whose names begin with one of two prefixes, at most a thousand, those that last longest first.
    pub async fn acme_records_of(&self, prefixes: [&str; 2]) -> Result<Vec<(String, String)>, sqlx::Error> {
        let of_prefixes = of!(self, of_prefixes);
        let [one, other] = prefixes;
        either!(self, pool => sqlx::query_as(of_prefixes).bind(one).bind(other).fetch_all(pool).await)
    }

    /// Stores a record, for ever if `life` is zero.
    pub async fn put_acme_record(&self, name: &str, value: &str, life: Duration) -> Result<(), sqlx::Error> {
        let put = of!(self, put);
        either!(self, pool => {
            sqlx::query(put).bind(name).bind(value).bind(milliseconds(life)).execute(pool).await.map(drop)
        })
    }

    /// Stores a record unless another value is there; whether that was done.
    pub async fn take_acme_record(
        &self,
        name: &str,
        value: &str,
        life: Duration,
    ) -> Result<bool, sqlx::Error> {
        let take = of!(self, take);
        let done = either!(self, pool => {
            sqlx::query(take).bind(name).bind(value).bind(milliseconds(life)).execute(pool).await?.rows_affected()
        });
        Ok(done > 0)
    }

    /// Removes a record, and all whose time is over.
    pub async fn remove_acme_record(&self, name: &str) -> Result<(), sqlx::Error> {
        let forget = of!(self, forget_ended);
        either!(self, pool => {
            sqlx::query(REMOVE).bind(name).execute(pool).await?;
            sqlx::query(forget).execute(pool).await.map(drop)
        })
    }

    /// Removes a record if this is its value.
    pub async fn give_acme_record_back(&self, name: &str, value: &str) -> Result<(), sqlx::Error> {
        either!(self, pool => {
            sqlx::query(GIVE_BACK).bind(name).bind(value).execute(pool).await.map(drop)
        })
    }

    /// Every record with its value.
    pub async fn acme_records(&self) -> Result<Vec<(String, String)>, sqlx::Error> {
        either!(self, pool => sqlx::query_as(ALL).fetch_all(pool).await)
    }

    /// Stores a value in another form, unless the value has changed meanwhile.
    pub async fn reseal_acme_record(&self, name: &str, before: &str, after: &str) -> Result<(), sqlx::Error> {
        either!(self, pool => {
            sqlx::query(RESEAL).bind(name).bind(before).bind(after).execute(pool).await.map(drop)
        })
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
