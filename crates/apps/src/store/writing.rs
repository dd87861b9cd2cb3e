//! Whether anything can be stored: what a failed write tells of it, and a write that harms nobody.

use super::Store;
use super::write::either;

/// What the probe writes: more than what a nearly full disk, or the free end of a page, still takes.
const FILLER_BYTES: usize = 64 * 1024;

/// The low byte of SQLite's codes for writes that fail whoever tries them.
mod sqlite {
    pub const READ_ONLY: i32 = 8;
    pub const IO: i32 = 10;
    pub const CORRUPT: i32 = 11;
    pub const FULL: i32 = 13;
    pub const CANNOT_OPEN: i32 = 14;
}

/// Postgres' codes for the same: a full disk, an I/O error, a transaction that may only read, a missing right.
const POSTGRES: [&str; 4] = ["53100", "58030", "25006", "42501"];

impl Store {
    /// Whether an error of a write tells that nothing at all can be stored.
    pub fn is_unwritable(&self, error: &sqlx::Error) -> bool {
        let Some(code) = error.as_database_error().and_then(|error| error.code()) else { return false };
        match self {
            Self::Sqlite(_) => code.parse().is_ok_and(|code: i32| {
                use sqlite::{CANNOT_OPEN, CORRUPT, FULL, IO, READ_ONLY};
                matches!(code & 0xff, READ_ONLY | IO | CORRUPT | FULL | CANNOT_OPEN)
            }),
            Self::Postgres(_) => POSTGRES.contains(&&*code),
        }
    }

    /// Stores something, and removes it.
    pub async fn probe_writing(&self) -> Result<(), sqlx::Error> {
        let filler = "x".repeat(FILLER_BYTES);
        either!(self, pool => {
            sqlx::query("INSERT INTO write_probe (filler) VALUES ($1)").bind(&filler).execute(pool).await?;
            sqlx::query("DELETE FROM write_probe").execute(pool).await.map(drop)
        })
    }
}
