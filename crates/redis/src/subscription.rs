//! One subscription, from a new connection to its loss: subscribes to wanted names, and reports messages.
//!
//! Sends and receives at the same time. Answers come in the order of the commands; messages come in between.

use std::collections::{BTreeSet, VecDeque};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::address::Host;
use crate::connection::Connection;
use crate::error::RedisError;
use crate::happening::{Happening, TopicListener};
use crate::names::{NameKind, Names};
use crate::resp::{LastHeard, Reader, Value, command};

/// A set of wanted names.
type Wanted = BTreeSet<Arc<str>>;

/// The times of a subscription.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Time between two PINGs.
    pub heartbeat: Duration,
    /// Timeout after a command without any data; detects a connection that was cut off silently.
    pub silence: Duration,
    /// Time until a refused name is retried: rights may have been granted meanwhile.
    pub before_asking_again: Duration,
}

/// A subscription at one host.
pub(crate) struct Subscription<'a> {
    pub names: Names,
    pub pace: Pace,
    pub host: &'a Host,
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
    /// In the order of sending; bounded by the number of wanted names, and a PING or two.
    open: Mutex<VecDeque<Pending>>,
    refused: Mutex<BTreeSet<Arc<str>>>,
}

impl Subscription<'_> {
    /// Runs until the loss of the connection, or until the sender of `wanted` is dropped. `gap` is asked when every name
    /// that was wanted at first has an answer.
    pub async fn follow(
        self,
        connection: Connection,
        wanted: &mut watch::Receiver<Wanted>,
        gap: impl FnMut() -> Option<Duration> + Send,
        on: &mut impl TopicListener,
    ) -> RedisError {
        let asked = Unanswered::default();
        let Connection { reader, writer, heard } = connection;
        let speaker = Speaker { kind: self.names.kind(), pace: self.pace, heard: &heard, asked: &asked };
        let listening = Listening {
            names: self.names,
            host: self.host,
            heard: &heard,
            asked: &asked,
            refused: Wanted::new(),
            is_ready: false,
        };
        let ended = tokio::select! {
            ended = listening.run(reader, gap, on) => ended,
            ended = speak(speaker, writer, wanted) => ended,
        };
        ended.err().unwrap_or(RedisError::Closed)
    }
}

/// What the sending half needs to know.
struct Speaker<'a> {
    kind: NameKind,
    pace: Pace,
    heard: &'a LastHeard,
    asked: &'a Unanswered,
}

/// Sends commands for changes of the wanted names, and PINGs.
async fn speak(
    speaker: Speaker<'_>,
    mut writer: impl AsyncWrite + Unpin,
    wanted: &mut watch::Receiver<Wanted>,
) -> Result<(), RedisError> {
    let Speaker { kind, pace, heard, asked } = speaker;
    let mut subscribed = Wanted::new();
    let mut ask_again = Instant::now() + pace.before_asking_again;
    loop {
        let now = wanted.borrow_and_update().clone();
        let commands = commands(&subscribed, &now);
        subscribed = now;
        let bytes: Vec<u8> = commands.iter().flat_map(|pending| pending.command(kind)).collect();
        asked.open.lock().extend(commands);
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        match timeout(pace.silence, written).await {
            Ok(written) => written.map_err(|error| RedisError::Lost(error.to_string()))?,
            Err(_) => return Err(RedisError::Silent),
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return Ok(()) },
            () = sleep(pace.heartbeat) => {}
        }
        if heard.at().elapsed() > pace.silence {
            return Err(RedisError::Silent);
        }
        if ask_again < Instant::now() {
            ask_again = Instant::now() + pace.before_asking_again;
            for name in std::mem::take(&mut *asked.refused.lock()) {
                subscribed.remove(&name);
            }
            if kind.is_repeated() {
                let now = wanted.borrow();
                subscribed.retain(|name| !now.contains(name));
            }
        }
    }
}

/// A command for each difference, so that a refused name does not block others; and a PING.
fn commands(before: &Wanted, now: &Wanted) -> Vec<Pending> {
    let new = now.difference(before).map(|name| Pending::Subscribe(Arc::clone(name)));
    let gone = before.difference(now).map(|name| Pending::Unsubscribe(Arc::clone(name)));
    new.chain(gone).chain([Pending::Ping]).collect()
}

impl Pending {
    fn command(&self, kind: NameKind) -> Vec<u8> {
        match self {
            Self::Subscribe(name) => kind.subscribe(name),
            Self::Unsubscribe(name) => kind.unsubscribe(name),
            Self::Ping => command(&["PING"]),
        }
    }
}

/// The receiving half.
struct Listening<'a> {
    names: Names,
    host: &'a Host,
    heard: &'a LastHeard,
    asked: &'a Unanswered,
    /// Names that were refused at the last attempt.
    refused: Wanted,
    /// Every name that was wanted at first has an answer.
    is_ready: bool,
}

impl Listening<'_> {
    /// Reports messages, and the answers to commands.
    async fn run(
        mut self,
        mut reader: Reader<impl AsyncRead + Unpin>,
        mut gap: impl FnMut() -> Option<Duration> + Send,
        on: &mut impl TopicListener,
    ) -> Result<(), RedisError> {
        loop {
            match self.names.message(reader.value().await?) {
                Ok(message) => {
                    let rest = self.names.tell(message, |happening| on.hear(happening));
                    reader.give_back(rest);
                }
                Err(answer) => self.answer(answer, &mut gap, on)?,
            }
            let mut room = pin!(on.room());
            if poll_immediate(room.as_mut()).await.is_none() {
                self.heard.rest(room).await;
            }
        }
    }

    /// Takes the answer to the oldest command.
    fn answer(
        &mut self,
        value: Value,
        gap: &mut impl FnMut() -> Option<Duration>,
        on: &mut impl TopicListener,
    ) -> Result<(), RedisError> {
        let mut open = self.asked.open.lock();
        let is_unsubscribing = matches!(open.front(), Some(Pending::Unsubscribe(_)));
        if self.names.kind().is_taken_away(&value, is_unsubscribing) {
            return Err(RedisError::Elsewhere("a slot has moved".to_owned()));
        }
        let question = open.pop_front().ok_or(RedisError::NotRedis)?;
        drop(open);
        match (question, value) {
            // The log-in is missing, not a right.
            (_, Value::Error(text)) if text.starts_with("NOAUTH") => return Err(RedisError::refused(&text)),
            (Pending::Subscribe(name), Value::Error(text)) => {
                let error = RedisError::refused(&text);
                if let RedisError::Elsewhere(_) = error {
                    return Err(error);
                }
                on.hear(Happening::Refused { prefix: &name, error: &error });
                self.refused.insert(Arc::clone(&name));
                self.asked.refused.lock().insert(name);
            }
            (Pending::Subscribe(name), Value::List(_)) => {
                if self.refused.remove(&name) {
                    on.hear(Happening::Granted { prefix: &name });
                }
                if self.names.insert(&name) {
                    on.confirmed(&name);
                }
            }
            (Pending::Unsubscribe(name), _) => {
                self.refused.remove(&name);
                if self.names.remove(&name) {
                    on.ended(&name);
                }
            }
            (Pending::Ping, _) if !self.is_ready => {
                self.is_ready = true;
                on.hear(Happening::Subscribed { host: self.host, gap: gap() });
            }
            (Pending::Ping, _) => {}
            (Pending::Subscribe(_), _) => return Err(RedisError::NotRedis),
        }
        Ok(())
    }
}

/// The result, if the future has one at once.
async fn poll_immediate<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
