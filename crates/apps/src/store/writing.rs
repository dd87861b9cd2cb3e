//! Whether the database stores writes: reading a write's error, and a harmless probe.

use super::Store;
use super::write::either;

/// Bytes of the probe's write: more than fits on a nearly full disk, or at the free end of a page.
const FILLER_BYTES: usize = 64 * 1024;

/// The low byte of SQLite's codes for writes that fail for every caller.
mod sqlite {
    pub const READ_ONLY: i32 = 8;
    pub const IO: i32 = 10;
    pub const CORRUPT: i32 = 11;
    pub const FULL: i32 = 13;
    pub const CANNOT_OPEN: i32 = 14;
}

/// Postgres' codes for the same: a full disk, an I/O error, a read-only transaction, a missing right.
const POSTGRES: [&str; 4] = ["53100", "58030", "25006", "42501"];

impl Store {
    /// Whether a write's error says that no write can be stored.
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

    /// Stores a row, and removes the row.
    pub async fn probe_writing(&self) -> Result<(), sqlx::Error> {
        let filler = "x".repeat(FILLER_BYTES);
        either!(self, pool => {
            sqlx::query("INSERT INTO write_probe (filler) VALUES ($1)").bind(&filler).execute(pool).await?;
            sqlx::query("DELETE FROM write_probe").execute(pool).await.map(drop)
        })
    }
}
