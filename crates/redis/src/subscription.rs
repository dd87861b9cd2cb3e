//! One subscription, from a new connection to its loss: subscribes to wanted prefixes, and reports messages.
//!
//! Sends and receives at the same time. Answers come in the order of the commands; messages come in between.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::connection::Connection;
use crate::error::RedisError;
use crate::happening::{Happening, WantedPrefixes};
use crate::prefix::{Prefixes, pattern};
use crate::resp::{LastHeard, Reader, Value, command};

/// Time between two PINGs.
const HEARTBEAT: Duration = Duration::from_secs(4);

/// Timeout after a command without any data; detects a connection that was cut off silently.
const SILENCE: Duration = Duration::from_secs(7);

/// Time until a refused prefix is retried: rights may have been granted meanwhile.
const BEFORE_ASKING_AGAIN: Duration = Duration::from_secs(8);

/// A report about a subscription.
pub(crate) enum SubscriptionEvent<'a> {
    /// Every prefix that was wanted at first has an answer.
    Ready,
    /// An event that only this connection knows of.
    Heard(Happening<'a>),
}

/// A command without an answer yet.
enum Pending {
    Subscribe(Arc<str>),
    Unsubscribe(Arc<str>),
    Ping,
}

/// State shared by the sending and the receiving half. Each lock guards only its own field.
#[derive(Default)]
struct Unanswered {
    /// In the order of sending; bounded by the number of wanted prefixes, and a PING or two.
    open: Mutex<VecDeque<Pending>>,
    refused: Mutex<BTreeSet<Arc<str>>>,
}

/// Runs the subscription until its loss, or until the sender of `wanted` is dropped.
pub(crate) async fn follow(
    connection: Connection,
    wanted: &mut watch::Receiver<WantedPrefixes>,
    on: impl FnMut(SubscriptionEvent<'_>) + Send,
) -> RedisError {
    let asked = Unanswered::default();
    let ended = tokio::select! {
        ended = listen(connection.reader, &asked, on) => ended,
        ended = speak(connection.writer, &connection.heard, &asked, wanted) => ended,
    };
    ended.err().unwrap_or(RedisError::Closed)
}

/// Sends commands for changes of the wanted prefixes, and PINGs.
async fn speak(
    mut writer: impl AsyncWrite + Unpin,
    heard: &LastHeard,
    asked: &Unanswered,
    wanted: &mut watch::Receiver<WantedPrefixes>,
) -> Result<(), RedisError> {
    let mut subscribed = WantedPrefixes::new();
    let mut ask_again = Instant::now() + BEFORE_ASKING_AGAIN;
    loop {
        let now = wanted.borrow_and_update().clone();
        let commands = commands(&subscribed, &now);
        subscribed = now;
        let bytes: Vec<u8> = commands.iter().flat_map(Pending::command).collect();
        asked.open.lock().extend(commands);
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        match timeout(SILENCE, written).await {
            Ok(written) => written.map_err(|error| RedisError::Lost(error.to_string()))?,
            Err(_) => return Err(RedisError::Silent),
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return Ok(()) },
            () = sleep(HEARTBEAT) => {}
        }
        if heard.at().elapsed() > SILENCE {
            return Err(RedisError::Silent);
        }
        if ask_again < Instant::now() {
            ask_again = Instant::now() + BEFORE_ASKING_AGAIN;
            for prefix in std::mem::take(&mut *asked.refused.lock()) {
                subscribed.remove(&prefix);
            }
        }
    }
}

/// A command for each difference, so that a refused prefix does not block others; and a PING.
fn commands(before: &WantedPrefixes, now: &WantedPrefixes) -> Vec<Pending> {
    let new = now.difference(before).map(|prefix| Pending::Subscribe(Arc::clone(prefix)));
    let gone = before.difference(now).map(|prefix| Pending::Unsubscribe(Arc::clone(prefix)));
    new.chain(gone).chain([Pending::Ping]).collect()
}

impl Pending {
    fn command(&self) -> Vec<u8> {
        match self {
            Self::Subscribe(prefix) => command(&["PSUBSCRIBE", &pattern(prefix)]),
            Self::Unsubscribe(prefix) => command(&["PUNSUBSCRIBE", &pattern(prefix)]),
            Self::Ping => command(&["PING"]),
        }
    }
}

/// Reports messages, and the answers to commands.
async fn listen(
    mut reader: Reader<impl AsyncRead + Unpin>,
    asked: &Unanswered,
    mut on: impl FnMut(SubscriptionEvent<'_>) + Send,
) -> Result<(), RedisError> {
    // Prefixes subscribed at this point of the received data, with their patterns.
    let mut subscribed: Prefixes<String> = Prefixes::default();
    // Prefixes that were refused at the last attempt.
    let mut refused: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut is_ready = false;
    loop {
        let value = match message(reader.value().await?) {
            Ok(message) => {
                tell(&subscribed, message, &mut on);
                continue;
            }
            Err(answer) => answer,
        };
        let question = asked.open.lock().pop_front().ok_or(RedisError::NotRedis)?;
        match (question, value) {
            // The log-in is missing, not a right.
            (_, Value::Error(text)) if text.starts_with("NOAUTH") => return Err(RedisError::refused(&text)),
            (Pending::Subscribe(prefix), Value::Error(text)) => {
                let error = RedisError::refused(&text);
                on(SubscriptionEvent::Heard(Happening::Refused { prefix: &prefix, error: &error }));
                refused.insert(Arc::clone(&prefix));
                asked.refused.lock().insert(prefix);
            }
            (Pending::Subscribe(prefix), Value::List(_)) => {
                if refused.remove(&prefix) {
                    on(SubscriptionEvent::Heard(Happening::Granted { prefix: &prefix }));
                }
                subscribed.insert(&prefix, pattern(&prefix));
            }
            (Pending::Unsubscribe(prefix), _) => {
                refused.remove(&prefix);
                subscribed.remove(&prefix);
            }
            (Pending::Ping, _) if !is_ready => {
                is_ready = true;
                on(SubscriptionEvent::Ready);
            }
            (Pending::Ping, _) => {}
            (Pending::Subscribe(_), _) => return Err(RedisError::NotRedis),
        }
    }
}

/// A message of a subscription.
struct Message {
    pattern: Value,
    channel: Value,
    payload: Value,
}

/// The message, or the unchanged value, which is an answer then.
fn message(value: Value) -> Result<Message, Value> {
    match value {
        Value::List(parts) => match <[Value; 4]>::try_from(parts) {
            Ok([Value::Text(kind), pattern, channel, payload]) if kind == b"pmessage" => {
                Ok(Message { pattern, channel, payload })
            }
            Ok(parts) => Err(Value::List(parts.into())),
            Err(parts) => Err(Value::List(parts)),
        },
        value => Err(value),
    }
}

/// Redis sends a message once for each subscribed prefix of its channel; only the one of the longest prefix is
/// reported. Channels whose names are not UTF-8 are ignored.
fn tell(subscribed: &Prefixes<String>, message: Message, on: &mut impl FnMut(SubscriptionEvent<'_>)) {
    let (Value::Text(pattern), Value::Text(channel)) = (message.pattern, message.channel) else { return };
    let Ok(channel) = std::str::from_utf8(&channel) else { return };
    let is_first = subscribed.longest_of(channel).is_some_and(|(longest, _)| longest.as_bytes() == pattern);
    if !is_first {
        return;
    }
    match message.payload {
        Value::Text(payload) => on(SubscriptionEvent::Heard(Happening::Message { channel, payload })),
        Value::TooLong(bytes) => on(SubscriptionEvent::Heard(Happening::TooLong { channel, bytes })),
        _ => {}
    }
}
