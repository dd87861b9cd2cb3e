//! Support of the tests: real databases, empty at first, and a record of the log.
//!
//! Each test has databases of its own, so that tests run side by side.

pub mod log;

use std::path::Path;

use fanfare_apps::{Apps, AppsError, Database, MasterKeys, Storage};
use fanfare_protocol::app::Limits;
use fanfare_testing::postgres::Postgres;
use sqlx::{Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

/// Runs each behaviour on an empty database of both kinds.
macro_rules! on_both {
    ($($behaviour:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $behaviour() {
                super::$behaviour(crate::support::Stage::sqlite()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $behaviour() {
                super::$behaviour(crate::support::Stage::postgres()).await;
            })+
        }
    };
}

/// An empty database for `Apps`, and a way to change its tables from outside.
pub enum Stage {
    Sqlite(TempDir),
    Postgres(Postgres),
}

/// A connection of the operator's own.
pub enum Operator {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Apps kept without a master key.
pub fn kept(defaults: Limits, cache_seconds: u64) -> Storage {
    Storage { defaults, cache_seconds, keys: MasterKeys::default(), takes_foreign: true, creates: true }
}

/// Runs the upkeep, which ends outages, as in a server.
pub fn kept_up(apps: Apps) -> Apps {
    if let Some(upkeep) = apps.upkeep() {
        tokio::spawn(upkeep);
    }
    apps
}

impl Stage {
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub fn postgres() -> Self {
        Self::Postgres(Postgres::start())
    }

    pub fn database(&self) -> Database {
        match self {
            Self::Sqlite(directory) => Database::parse("sqlite", directory.path()).unwrap(),
            Self::Postgres(server) => Database::parse(&server.url(), Path::new("/nowhere")).unwrap(),
        }
    }

    pub async fn try_open(&self, cache_seconds: u64) -> Result<Apps, AppsError> {
        let kept = kept(Limits::default(), cache_seconds);
        Ok(kept_up(Apps::open(Vec::new(), Some(self.database()), kept).await?))
    }

    pub async fn open(&self, cache_seconds: u64) -> Apps {
        self.try_open(cache_seconds).await.unwrap()
    }

    pub async fn operator(&self) -> Operator {
        match self {
            Self::Sqlite(directory) => {
                let url = format!("sqlite://{}/fanfare.db", directory.path().display());
                Operator::Sqlite(SqliteConnection::connect(&url).await.unwrap())
            }
            Self::Postgres(server) => Operator::Postgres(PgConnection::connect(&server.url()).await.unwrap()),
        }
    }
}

impl Operator {
    /// Runs statements that both databases understand.
    pub async fn run(&mut self, sql: &'static str) {
        match self {
            Self::Sqlite(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
            Self::Postgres(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
        }
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The texts of one column.
    pub async fn texts(&mut self, question: &'static str) -> Vec<String> {
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(question).fetch_all(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::query_scalar(question).fetch_all(connection).await.unwrap(),
        }
    }

    /// Repeats a query until Postgres answers yes.
    pub async fn wait_for(&mut self, question: &'static str) {
        let Self::Postgres(connection) = self else { panic!("a question for Postgres") };
        let yes = async {
            while !sqlx::query_scalar::<_, bool>(question).fetch_one(&mut *connection).await.unwrap() {}
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), yes).await.expect("a yes in time");
    }
}
