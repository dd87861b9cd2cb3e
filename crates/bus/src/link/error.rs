//! Why a link is not up, in words for the operator; never with a password.

use std::fmt::Write as _;

use fanfare_redis::RedisError;
use redis::ServerError;

/// Why there is no connection for commands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkError {
    /// A connection cannot be made, or was lost.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The data is laid out for other settings (CL-072).
    #[error(
        "the data in Redis has layout {found}, this node's is {wanted}: see to bus.partitions and to the order of bus.urls, or take another bus.prefix"
    )]
    Layout { found: String, wanted: String },
    /// The server is too old.
    #[error("Redis {0} is too old: 7.0 is needed")]
    TooOld(String),
    /// Nobody speaks TLS there, or Redis stands still.
    #[error("there is no answer over TLS: if this port has none, write redis:// instead of rediss://")]
    NoAnswerOverTls,
    /// The port is closed at the first question, as one for TLS alone is.
    #[error("{0}: if this port wants TLS, write rediss:// instead of redis://")]
    ClosedAtOnce(RedisError),
    /// Somebody has removed the scripts; the next connection loads them again.
    #[error("the scripts are gone from Redis")]
    NoScript,
}

/// What a server's error means for the connection that it came over.
pub(super) fn is_fatal(error: &ServerError) -> Option<LinkError> {
    match error.code() {
        // Executing it again behind what was sent since would turn the order round.
        "NOSCRIPT" => Some(LinkError::NoScript),
        "READONLY" | "MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "CROSSSLOT" => {
            Some(RedisError::Elsewhere(text_of(error)).into())
        }
        "LOADING" | "NOAUTH" | "NOPERM" | "NOREPLICAS" | "MISCONF" | "UNKILLABLE" => {
            Some(RedisError::refused(&text_of(error)).into())
        }
        _ => None,
    }
}

/// What a server's error means for somebody who asked once.
pub(crate) fn refusal_of(error: &ServerError) -> LinkError {
    is_fatal(error).unwrap_or_else(|| RedisError::refused(&text_of(error)).into())
}

/// An error's first word, and the rest.
pub(super) fn text_of(error: &ServerError) -> String {
    let mut text = error.code().to_owned();
    if let Some(details) = error.details() {
        // Writing to a String cannot fail.
        let _ = write!(text, " {details}");
    }
    text
}

impl From<redis::RedisError> for LinkError {
    fn from(error: redis::RedisError) -> Self {
        let error = match ServerError::try_from(error) {
            Ok(server) => {
                return refusal_of(&server);
            }
            Err(error) => error,
        };
        if error.is_connection_dropped() || error.is_io_error() {
            RedisError::Closed.into()
        } else {
            RedisError::NotRedis.into()
        }
    }
}

impl LinkError {
    /// Whether the server is not the one to talk to any more, so that its other connections are to be closed too.
    pub(super) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Redis(RedisError::Elsewhere(_) | RedisError::Moved))
    }
}
