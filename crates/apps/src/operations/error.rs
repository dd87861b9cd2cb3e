//! Why an operation failed, without any change. Holds no secret.

use crate::cause::cause;

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The request has faults: all of them.
    #[error("{}", .0.join("\n"))]
    Faults(Vec<String>),
    /// Ids or keys are taken, and nothing else is wrong: all of them.
    #[error("{}", .0.join("\n"))]
    Taken(Vec<String>),
    /// No app has this id.
    #[error("there is no app {0}")]
    NoSuchApp(String),
    /// The key is not one of the app's valid keys.
    #[error("app {app} has no valid key {key}")]
    NoSuchKey {
        /// The app.
        app: String,
        /// The key, which is public.
        key: String,
    },
    /// The key is the last one, without which the app could not be used any more.
    #[error("{0} is the app's last valid key; rotate first, or disable the app")]
    LastKey(String),
    /// No valid token has this number.
    #[error("there is no token {0} that could be revoked")]
    NoSuchToken(i64),
    /// Other callers change the app again and again.
    #[error("app {0} is being changed by others; try again")]
    ChangedMeanwhile(String),
    /// The app is not as the caller says.
    #[error("app {0} has changed since it was read; read it again")]
    NotAsRead(String),
    /// The configuration's apps change with the configuration.
    #[error(
        "app {0} is in the configuration file or the environment; change it there, and reload the server"
    )]
    Fixed(String),
    /// Secrets are to be sealed, and there is nothing to seal them with.
    #[error(
        "no master key is configured, so nothing was sealed; set apps.master_key_file or FANFARE_MASTER_KEY"
    )]
    NoMasterKey,
    /// No secret is sealed with the first master key yet, so that servers may lack it.
    #[error(
        "no stored secret is sealed with the master key {0} yet; a server that does not have this key could not use \
         the app. Give the key to every server first, restart them, and run `fanfare app seal-secrets`"
    )]
    NewMasterKey(String),
    /// There is no database to keep apps in.
    #[error(
        "no database is configured, and tokens, the console and apps that change need one: set apps.database \
         (FANFARE__APPS__DATABASE) to sqlite, or for several nodes to one postgres://USER:PASSWORD@HOST/NAME, and \
         restart the server"
    )]
    NoDatabase,
    /// The database does not answer, or refuses.
    #[error("the apps' database does not answer: {}", cause(.0))]
    Database(sqlx::Error),
    /// The database answers, but stores nothing.
    #[error("the apps' database stores nothing: {}", cause(.0))]
    Unwritable(sqlx::Error),
    /// The system gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

impl OperationError {
    pub(crate) fn no_such_app(id: &str) -> Self {
        Self::NoSuchApp(id.to_owned())
    }
}

impl From<sqlx::Error> for OperationError {
    fn from(error: sqlx::Error) -> Self {
        // Two operators at once: the other was first.
        let taken = error.as_database_error().is_some_and(|error| error.is_unique_violation());
        if taken {
            Self::Taken(vec!["the id or the key has just been taken by somebody else".to_owned()])
        } else {
            Self::Database(error)
        }
    }
}
