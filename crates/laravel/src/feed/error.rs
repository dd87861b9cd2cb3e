//! What can be wrong with a Redis, in words for the operator; never with a password.

use super::address::Host;

/// Longest text of a Redis that is repeated, in characters.
const MOST_REPEATED: usize = 200;

/// Why there is no subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the sentences say what the fields are")]
pub enum FeedError {
    /// No connection can be made.
    #[error("{host} cannot be reached: {cause}")]
    Unreachable { host: Host, cause: String },
    /// The certificate is not believed, or the other end speaks no TLS.
    #[error(
        "no TLS with {host}: {cause} (a private authority's certificate is named by the setting redis_feed.ca_file)"
    )]
    Tls { host: Host, cause: String },
    /// The name or password is wrong. What Redis said is not repeated: some repeat the password in it.
    #[error("{host} refuses the log-in ({code}): see to user and password in the URL")]
    LogIn { host: Host, code: String },
    /// A command was refused.
    #[error("Redis says: {0}")]
    Refused(String),
    /// The other end has closed the connection.
    #[error("Redis has closed the connection")]
    Closed,
    /// A connection was lost.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// Nothing came for too long, not even an answer to PING.
    #[error("Redis does not answer any more")]
    Silent,
    /// What came is not Redis's protocol.
    #[error("what answers is no Redis")]
    NotRedis,
    /// Of the sentinels that answered, none knows the master.
    #[error("the sentinels know no master called {0}")]
    NoMaster(String),
    /// The sentinels name another master than the one subscribed to.
    #[error("the sentinels name another master")]
    Moved,
}

impl FeedError {
    /// What a Redis said, shortened.
    pub(super) fn refused(text: &str) -> Self {
        Self::Refused(text.chars().filter(|character| !character.is_control()).take(MOST_REPEATED).collect())
    }

    /// The log-in was refused; only the word in front of what Redis says is kept.
    pub(super) fn log_in(host: &Host, text: &str) -> Self {
        let code = text.split(' ').next().unwrap_or_default();
        let is_code = (1..=20).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_uppercase());
        Self::LogIn { host: host.clone(), code: if is_code { code } else { "ERR" }.to_owned() }
    }
}
