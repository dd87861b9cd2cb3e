//! Faults of a Redis, in words for the operator; never with a password.

use crate::address::Host;

/// Longest part of a Redis' error that is repeated, in characters.
const MOST_REPEATED: usize = 200;

/// Why there is no connection or no subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the sentences say what the fields are")]
pub enum RedisError {
    /// No connection can be made.
    #[error("{host} cannot be reached: {cause}")]
    Unreachable { host: Host, cause: String },
    /// The certificate is not trusted, or the server speaks no TLS.
    #[error(
        "no TLS with {host}: {cause} (a private authority's certificate is named by the setting {setting})"
    )]
    Tls { host: Host, cause: String, setting: &'static str },
    /// The name or password is wrong. The answer is not repeated: some servers repeat the password in it.
    #[error("{host} refuses the log-in ({code}): see to user and password in the URL")]
    LogIn { host: Host, code: String },
    /// A command was refused.
    #[error("Redis says: {0}")]
    Refused(String),
    /// The server closed the connection.
    #[error("Redis has closed the connection")]
    Closed,
    /// A connection was lost.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// No data came before the timeout, not even an answer to PING.
    #[error("Redis does not answer any more")]
    Silent,
    /// The answer is not Redis's protocol.
    #[error("what answers is no Redis")]
    NotRedis,
    /// Of the sentinels that answered, none knows the master.
    #[error("the sentinels know no master called {0}")]
    NoMaster(String),
    /// The sentinels name another master than the one subscribed to.
    #[error("the sentinels name another master")]
    Moved,
    /// The server serves these keys no more: a slot has moved, a master is one no more, or the Cluster is not whole.
    #[error("{}: {}", elsewhere(.0), .0)]
    Elsewhere(String),
    /// No node of the Cluster says who has the slot.
    #[error("no node of the Cluster names a master for slot {0}")]
    NoOwner(u16),
}

fn elsewhere(text: &str) -> &'static str {
    match text.split(' ').next() {
        Some("CLUSTERDOWN") => "the Redis Cluster is without a master for some of its slots",
        Some("MASTERDOWN") => "the server is a replica without its master",
        _ => "another server has the data now",
    }
}

impl RedisError {
    /// The error of a refused command, shortened.
    #[must_use]
    pub fn refused(text: &str) -> Self {
        let says = text.chars().filter(|character| !character.is_control()).take(MOST_REPEATED).collect();
        match text.split(' ').next() {
            Some("MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "READONLY" | "MASTERDOWN") => {
                Self::Elsewhere(says)
            }
            _ => Self::Refused(says),
        }
    }

    /// The error of a refused log-in; only the error's first word is kept.
    pub(crate) fn log_in(host: &Host, text: &str) -> Self {
        let code = text.split(' ').next().unwrap_or_default();
        let is_code = (1..=20).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_uppercase());
        Self::LogIn { host: host.clone(), code: if is_code { code } else { "ERR" }.to_owned() }
    }
}
