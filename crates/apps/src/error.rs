//! Errors of opening the apps' storage and of looking up an app.
//!
//! No text here holds a secret or a database URL.

use std::io;
use std::path::PathBuf;

use sqlx::migrate::MigrateError;

use crate::cause::{cause, cause_of_migration};

/// What went wrong with the apps' database.
#[derive(Debug, thiserror::Error)]
pub enum AppsError {
    /// The database does not answer, and the app is not cached.
    #[error("the apps' database does not answer")]
    Unavailable,
    /// The app's row cannot be used; other apps are not affected.
    #[error("app {app} in the database is faulty: {fault}")]
    Faulty {
        /// The app's id.
        app: String,
        /// The setting or column, and its fault.
        fault: String,
    },
    /// At the start: the file's directory cannot be created.
    #[error("the directory {} cannot be made: {cause}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// At the start: the file cannot be created or opened.
    #[error("the SQLite file {} cannot be opened: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// At the start: SQLite refuses the file.
    #[error("the SQLite file {} cannot be used: {}", path.display(), cause(error))]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        error: sqlx::Error,
    },
    /// There is no file, and none is to be made.
    #[error(
        "there is no database: the file {} does not exist, and none was made. If a server keeps its apps elsewhere, \
         give the command the --config, the --data-dir or the environment of that server. A server whose apps are in \
         a file, a .env or the environment has a database only with apps.database (FANFARE__APPS__DATABASE) = \
         sqlite. --create-database makes a new database here, for a server that is started with it",
        path.display()
    )]
    Missing {
        /// The file, with its whole path.
        path: PathBuf,
    },
    /// At the start: Postgres cannot be reached or refuses the log-in.
    #[error("{place} cannot be opened: {}", cause(error))]
    Postgres {
        /// Name and address of the database.
        place: String,
        /// What Postgres or the network says.
        error: sqlx::Error,
    },
    /// At the start: the database is somebody else's, and was named by a variable that others use as well.
    #[error(
        "the database that DATABASE_URL names holds tables of another application and none of Fanfare's; nothing in \
         it was touched. If the variable is that application's, set FANFARE__APPS__DATABASE to a database for \
         Fanfare, or to nothing; if Fanfare is to keep its tables there too, set FANFARE__APPS__DATABASE to the \
         same URL"
    )]
    Foreign,
    /// At the start: a table of somebody else has the name of one of Fanfare's.
    #[error(
        "{place} holds a table {table} of another application, where Fanfare's own would be; nothing in it was \
         touched. Give Fanfare a database of its own (for Postgres: CREATE DATABASE fanfare), and name that by \
         apps.database or FANFARE__APPS__DATABASE"
    )]
    Clashing {
        /// Where the database is.
        place: String,
        /// The table.
        table: &'static str,
    },
    /// At the start: the tables were made by a newer version.
    #[error(
        "the apps' database belongs to a newer version of Fanfare (it has migration {0}); upgrade this one"
    )]
    TooNew(i64),
    /// At the start: the tables cannot be made or brought up to date.
    #[error("the tables of the apps' database cannot be brought up to date: {}", cause_of_migration(.0))]
    Migration(MigrateError),
    /// At the start: another node has held the migration lock for too long.
    #[error("the tables of the apps' database have been in another node's hands for {0} seconds")]
    MigrationHeld(u64),
    /// The first app cannot be made.
    #[error("the first app cannot be made: {}", cause(.0))]
    FirstApp(sqlx::Error),
    /// A first app is created only in the embedded SQLite database.
    #[error("a first app is made only in SQLite; add an app to the database named by apps.database")]
    NotEmbedded,
    /// The system gives no random bytes.
    #[error("no random bytes for the first app: {0}")]
    Random(getrandom::Error),
}
