//! Single questions to a Redis, for a program that looks at one once.
//!
//! Follows no redirection and repeats nothing; a connection that lasts is for `Subscriber`.

use fanfare_outgoing::Trust;

use crate::address::{Host, RedisAddress};
use crate::connection::{Connection, Connector};
use crate::error::RedisError;
use crate::resp::Value;
use crate::servers::Servers;

/// Longest answer that is read, in bytes: `INFO` of a large server.
const LONGEST: u64 = 256 * 1024;

/// A connection for questions.
pub struct Questions {
    connection: Connection,
    host: Host,
}

/// An answer of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// There is no such thing.
    Nothing,
    /// Redis refuses; its words.
    Refused(String),
    /// Several texts; what is no text is left out.
    List(Vec<String>),
}

impl Questions {
    /// Connects to the Redis, the master that Sentinels name, or a node of the Cluster, and logs in. An error names
    /// `setting` as the one for a private authority.
    ///
    /// # Errors
    /// No connection, or no log-in.
    pub async fn open(
        address: &RedisAddress,
        trust: &Trust,
        setting: &'static str,
    ) -> Result<Self, RedisError> {
        let connector = Connector::new(address, trust, LONGEST).with_setting(setting);
        let (connection, host) = Servers::of(address).open(&connector).await?;
        Ok(Self { connection, host })
    }

    /// The same to a host that Redis has named, such as the owner of a slot.
    ///
    /// # Errors
    /// As [`Questions::open`].
    pub async fn at(
        host: Host,
        address: &RedisAddress,
        trust: &Trust,
        setting: &'static str,
    ) -> Result<Self, RedisError> {
        let connection = Connector::new(address, trust, LONGEST).with_setting(setting).open(&host).await?;
        Ok(Self { connection, host })
    }

    /// Where the questions go.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Asks, and waits for the answer, five seconds at most.
    ///
    /// # Errors
    /// The connection was lost, or what answers is no Redis. A refusal is an answer.
    pub async fn ask(&mut self, parts: &[&str]) -> Result<Reply, RedisError> {
        Ok(match self.connection.ask(parts).await? {
            Value::Text(text) => Reply::Text(String::from_utf8_lossy(&text).into_owned()),
            Value::TooLong(_) | Value::Nothing => Reply::Nothing,
            Value::Error(text) => Reply::Refused(text),
            Value::Number(number) => Reply::Number(number),
            Value::List(parts) => Reply::List(parts.into_iter().filter_map(text).collect()),
        })
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(String::from_utf8_lossy(&text).into_owned()),
        _ => None,
    }
}
