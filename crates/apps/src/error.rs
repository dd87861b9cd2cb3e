//! Why apps cannot be opened or one cannot be found.
//!
//! No text here holds a secret or a database URL.

use std::io;
use std::path::PathBuf;

use sqlx::migrate::MigrateError;

/// What went wrong with the apps' database.
#[derive(Debug, thiserror::Error)]
pub enum AppsError {
    /// The database does not answer, and the app is not remembered.
    #[error("the apps' database does not answer")]
    Unavailable,
    /// The app's row cannot be used; others are not touched.
    #[error("app {app} in the database is faulty: {fault}")]
    Faulty {
        /// The app's id.
        app: String,
        /// Its setting or column, and what is wrong with it.
        fault: String,
    },
    /// At the start: the file's directory cannot be made.
    #[error("the directory {} cannot be made: {cause}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// At the start: the file cannot be made or opened.
    #[error("the SQLite file {} cannot be opened: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// At the start: SQLite refuses the file.
    #[error("the SQLite file {} cannot be used: {cause}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        cause: sqlx::Error,
    },
    /// At the start: Postgres cannot be reached or refuses the log-in.
    #[error("the Postgres database cannot be opened: {0}")]
    Postgres(sqlx::Error),
    /// At the start: the database is somebody else's, and was named by a variable that others use as well.
    #[error(
        "the database that DATABASE_URL names holds tables of another application and none of Fanfare's; nothing in \
         it was touched. If the variable is that application's, set FANFARE__APPS__DATABASE to a database for \
         Fanfare, or to nothing; if Fanfare is to keep its tables there too, set FANFARE__APPS__DATABASE to the \
         same URL"
    )]
    Foreign,
    /// At the start: the tables were made by a newer version.
    #[error(
        "the apps' database belongs to a newer version of Fanfare (it has migration {0}); upgrade this one"
    )]
    TooNew(i64),
    /// At the start: the tables cannot be made or brought up to date.
    #[error("the tables of the apps' database cannot be brought up to date: {0}")]
    Migration(MigrateError),
    /// At the start: another node has been at the tables for too long.
    #[error("the tables of the apps' database have been in another node's hands for {0} seconds")]
    MigrationHeld(u64),
    /// The first app cannot be made.
    #[error("the first app cannot be made: {0}")]
    FirstApp(sqlx::Error),
    /// A first app is made only in the embedded SQLite database.
    #[error("a first app is made only in SQLite; add an app to the database named by apps.database")]
    NotEmbedded,
    /// The system gives no random bytes.
    #[error("no random bytes for the first app: {0}")]
    Random(getrandom::Error),
}
