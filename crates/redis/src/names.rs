//! The names that are subscribed to: prefixes, topics, or topics of a Cluster's shards.
//!
//! Owns the commands of each, and what a message looks like.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::happening::Happening;
use crate::prefix::{Prefixes, pattern};
use crate::resp::{Value, command};

/// How names are subscribed to, and which are subscribed at this point of the received data.
pub(crate) struct Names {
    kind: NameKind,
    /// Prefixes with their patterns.
    prefixes: Prefixes<String>,
    topics: BTreeSet<Arc<str>>,
}

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameKind {
    /// Every channel that begins with the name.
    Prefix,
    /// The channel of that name.
    Topic,
    /// The channel of that name, on the server that has the name's slot.
    Sharded,
}

impl NameKind {
    pub fn subscribe(self, name: &str) -> Vec<u8> {
        match self {
            Self::Prefix => command(&["PSUBSCRIBE", &pattern(name)]),
            Self::Topic => command(&["SUBSCRIBE", name]),
            Self::Sharded => command(&["SSUBSCRIBE", name]),
        }
    }

    pub fn unsubscribe(self, name: &str) -> Vec<u8> {
        match self {
            Self::Prefix => command(&["PUNSUBSCRIBE", &pattern(name)]),
            Self::Topic => command(&["UNSUBSCRIBE", name]),
            Self::Sharded => command(&["SUNSUBSCRIBE", name]),
        }
    }

    /// Whether every name is asked for again with each heartbeat: after a failover such a subscription is gone, and
    /// nobody says so.
    pub fn is_repeated(self) -> bool {
        self == Self::Sharded
    }

    /// Whether the server has taken a subscription away by itself, because the name's slot has moved.
    pub fn is_taken_away(self, value: &Value, is_awaited: bool) -> bool {
        let Value::List(parts) = value else { return false };
        let is_word = matches!(parts.first(), Some(Value::Text(word)) if word == b"sunsubscribe");
        self == Self::Sharded && is_word && !is_awaited
    }
}

impl Names {
    pub fn of(kind: NameKind) -> Self {
        Self { kind, prefixes: Prefixes::default(), topics: BTreeSet::new() }
    }

    pub fn prefixes() -> Self {
        Self::of(NameKind::Prefix)
    }

    pub fn kind(&self) -> NameKind {
        self.kind
    }

    /// The name is subscribed; false if that is known, or nobody's news.
    pub fn insert(&mut self, name: &Arc<str>) -> bool {
        match self.kind {
            NameKind::Prefix => {
                self.prefixes.insert(name, pattern(name));
                false
            }
            NameKind::Topic | NameKind::Sharded => self.topics.insert(Arc::clone(name)),
        }
    }

    /// The name is subscribed no more; false if that is nobody's news.
    pub fn remove(&mut self, name: &str) -> bool {
        self.prefixes.remove(name);
        self.topics.remove(name);
        self.kind != NameKind::Prefix
    }

    /// The message, or the unchanged value, which is an answer then.
    pub fn message(&self, value: Value) -> Result<Message, Value> {
        let Value::List(parts) = value else { return Err(value) };
        let word: &[u8] = match (self.kind, parts.len()) {
            (NameKind::Prefix, 4) => b"pmessage",
            (NameKind::Topic, 3) => b"message",
            (NameKind::Sharded, 3) => b"smessage",
            _ => return Err(Value::List(parts)),
        };
        if !matches!(parts.first(), Some(Value::Text(first)) if first == word) {
            return Err(Value::List(parts));
        }
        let mut parts = parts;
        match parts.pop() {
            Some(payload) => Ok(Message { parts, payload }),
            None => Err(Value::List(parts)),
        }
    }

    /// Redis sends a message once for each subscribed prefix of its channel; only the one of the longest prefix is
    /// reported. Channels whose names are not UTF-8 are ignored.
    ///
    /// Returns the message without its payload.
    pub fn tell(&self, message: Message, on: impl FnOnce(Happening<'_>)) -> Vec<Value> {
        let Message { parts, payload } = message;
        if let Some(channel) = self.channel_of(&parts) {
            match payload {
                Value::Text(payload) => on(Happening::Message { channel, payload }),
                Value::TooLong(bytes) => on(Happening::TooLong { channel, bytes }),
                _ => {}
            }
        }
        parts
    }

    /// The channel of a message that is to be reported.
    fn channel_of<'a>(&self, parts: &'a [Value]) -> Option<&'a str> {
        let Some(Value::Text(channel)) = parts.last() else { return None };
        let channel = std::str::from_utf8(channel).ok()?;
        match (self.kind, parts) {
            (NameKind::Prefix, [_, Value::Text(pattern), _]) => {
                let longest = self.prefixes.longest_of(channel);
                longest.is_some_and(|(longest, _)| longest.as_bytes() == pattern).then_some(channel)
            }
            (NameKind::Prefix, _) => None,
            (NameKind::Topic | NameKind::Sharded, _) => Some(channel),
        }
    }
}

/// A message of a subscription.
pub(crate) struct Message {
    /// The word, the pattern of a prefix, and the channel.
    parts: Vec<Value>,
    payload: Value,
}
