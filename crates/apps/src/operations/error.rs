//! Why an operation was not done; nothing has changed then. Holds no secret.

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// What was asked for has faults: all of them.
    #[error("{}", .0.join("\n"))]
    Faults(Vec<String>),
    /// An id or a key belongs to somebody, and nothing else is wrong: all of them.
    #[error("{}", .0.join("\n"))]
    Taken(Vec<String>),
    /// There is no app with this id.
    #[error("there is no app {0}")]
    NoSuchApp(String),
    /// The key is not one of the app's valid ones.
    #[error("app {app} has no valid key {key}")]
    NoSuchKey {
        /// The app.
        app: String,
        /// The key, which is public.
        key: String,
    },
    /// The app could not be used any more.
    #[error("{0} is the app's last valid key; rotate first, or disable the app")]
    LastKey(String),
    /// There is no token with this number that is not revoked yet.
    #[error("there is no token {0} that could be revoked")]
    NoSuchToken(i64),
    /// Others change the app again and again.
    #[error("app {0} is being changed by others; try again")]
    ChangedMeanwhile(String),
    /// The configuration's apps change with the configuration.
    #[error("app {0} is in the configuration file or the environment; change it there")]
    Fixed(String),
    /// There is no database to keep apps in.
    #[error("no database is configured; set apps.database")]
    NoDatabase,
    /// The database does not answer, or refuses.
    #[error("the apps' database does not answer: {0}")]
    Database(sqlx::Error),
    /// The database answers, but stores nothing.
    #[error("the apps' database stores nothing: {0}")]
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
        // Two operators at once: one of them was first.
        let taken = error.as_database_error().is_some_and(|error| error.is_unique_violation());
        if taken {
            Self::Taken(vec!["the id or the key has just been taken by somebody else".to_owned()])
        } else {
            Self::Database(error)
        }
    }
}
