//! What a database says, as an operator reads it.
//!
//! Leaves out what only the authors of the database can use, such as lines of their source. Shows no URL.

use sqlx::migrate::MigrateError;

/// The cause of an error in words.
pub(crate) fn cause(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) => format!("TLS: {error}"),
        sqlx::Error::PoolTimedOut => "no answer within two seconds".to_owned(),
        sqlx::Error::PoolClosed => "the connection is closed".to_owned(),
        sqlx::Error::Migrate(error) => cause_of_migration(error),
        other => other.to_string(),
    }
}

/// The cause of a failed migration in words.
pub(crate) fn cause_of_migration(error: &MigrateError) -> String {
    match error {
        MigrateError::Execute(error) => cause(error),
        MigrateError::ExecuteMigration(error, number) => format!("migration {number}: {}", cause(error)),
        other => other.to_string(),
    }
}
