//! One pipeline: first events, then the machine's commands, then questions; and what each of its answers is for.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use fanfare_protocol::cluster::KeptEvent;
use fanfare_redis::RedisError;
use redis::{Cmd, Pipeline, Value};
use tokio::sync::oneshot;

use super::error::text_of;
use super::greeting::Digests;
use crate::board::{Asking, WaitingEvent};
use crate::command::{BusAnswer, BusCommand, Token};
use crate::message::{EventKind, EventMessage, FLAG_QUIET, set_number};
use crate::partition::Topic;
use crate::scripts::{RedisValue, Script, Speaker, answer, arguments_of, keep, keys_of, plain};

/// Most topics whose names and numbers are kept; over that all are forgotten, and numbers begin anew.
const MOST_TOPICS: usize = 100_000;

/// What the next answers of a pipeline are for.
pub(super) enum Asked {
    /// So many events; nobody waits for their answers.
    Events(usize),
    /// A command of the machine, in so many commands of Redis.
    BusCommand { token: Token, command: BusCommand, parts: usize },
    /// A question, in so many commands of Redis.
    Question { answer: Option<oneshot::Sender<Vec<Value>>>, parts: usize },
    /// The list of nodes.
    Roll { parts: usize },
}

impl Asked {
    /// How many events these are.
    pub fn events(&self) -> u64 {
        match self {
            Self::Events(count) => *count as u64,
            Self::BusCommand { command: BusCommand::Keep { .. }, .. } => 1,
            Self::BusCommand { .. } | Self::Question { .. } | Self::Roll { .. } => 0,
        }
    }
}

/// The number of the last event in each topic, and the topic's name.
#[derive(Default)]
pub(super) struct TopicNumbers(HashMap<Topic, (Arc<str>, u32)>);

impl TopicNumbers {
    fn next(&mut self, topic: &Topic, speaker: &Speaker<'_>) -> (Arc<str>, u32) {
        if let Some((name, number)) = self.0.get_mut(topic) {
            *number = number.wrapping_add(1);
            return (Arc::clone(name), *number);
        }
        if self.0.len() >= MOST_TOPICS {
            self.0.clear();
        }
        let name: Arc<str> = speaker.layout.topic_name(topic).into();
        self.0.insert(topic.clone(), (Arc::clone(&name), 1));
        (name, 1)
    }
}

/// A pipeline that is being made.
pub(super) struct Batch<'a> {
    pub pipeline: Pipeline,
    pub asked: Vec<Asked>,
    speaker: &'a Speaker<'a>,
    digests: &'a Digests,
    numbers: &'a mut TopicNumbers,
    /// This node in messages.
    node: u64,
}

impl<'a> Batch<'a> {
    pub fn new(
        speaker: &'a Speaker<'a>,
        digests: &'a Digests,
        numbers: &'a mut TopicNumbers,
        node: u64,
    ) -> Self {
        Self { pipeline: Pipeline::new(), asked: Vec::new(), speaker, digests, numbers, node }
    }

    /// Adds events, each under its topic's next number.
    pub fn events(&mut self, events: Vec<WaitingEvent>) {
        let publish = if self.speaker.is_sharded { "SPUBLISH" } else { "PUBLISH" };
        let count = events.len();
        for WaitingEvent { topic, mut message, .. } in events {
            let (name, number) = self.numbers.next(&topic, self.speaker);
            set_number(&mut message, number);
            let mut command = Cmd::with_capacity(3, publish.len() + name.len() + message.len());
            command.arg(publish).arg(&*name).arg(&message);
            self.pipeline.add_command(command);
        }
        if count > 0 {
            self.asked.push(Asked::Events(count));
        }
    }

    /// Adds a command of the machine.
    pub fn command(&mut self, token: Token, command: BusCommand) {
        let before = self.pipeline.len();
        match Script::of(&command) {
            Some(script) => {
                let (keys, arguments) = match &command {
                    BusCommand::Keep { topic, event } => self.keep(topic, event),
                    command => (keys_of(command, self.speaker), arguments_of(command, self.speaker)),
                };
                let evaluated = self.pipeline.cmd("EVALSHA").arg(self.digests.of(script)).arg(keys.len());
                for part in keys.iter().chain(&arguments) {
                    evaluated.arg(&part[..]);
                }
            }
            None => {
                for parts in plain(&command, self.speaker) {
                    let mut command = Cmd::new();
                    for part in &parts {
                        command.arg(&part[..]);
                    }
                    self.pipeline.add_command(command);
                }
            }
        }
        let parts = self.pipeline.len() - before;
        self.asked.push(Asked::BusCommand { token, command, parts });
    }

    fn keep(&mut self, topic: &Topic, event: &KeptEvent) -> (Vec<Bytes>, Vec<Bytes>) {
        let (_, number) = self.numbers.next(topic, self.speaker);
        let milliseconds = u64::try_from(event.lives.as_millis()).unwrap_or(u64::MAX);
        let message = EventMessage {
            kind: EventKind::Kept { milliseconds },
            flags: if event.quiet { FLAG_QUIET } else { 0 },
            node: self.node,
            number,
            except: event.except,
            channel: event.channel.as_str(),
            text: event.frame.payload(),
        };
        keep(topic, event, &message.write().into(), self.speaker)
    }

    /// Adds a question.
    pub fn question(&mut self, question: Asking) {
        let parts = self.add(question.commands);
        self.asked.push(Asked::Question { answer: question.answer, parts });
    }

    /// Adds the list of nodes.
    pub fn roll(&mut self, commands: Vec<Cmd>) {
        let parts = self.add(commands);
        self.asked.push(Asked::Roll { parts });
    }

    fn add(&mut self, commands: Vec<Cmd>) -> usize {
        let parts = commands.len();
        for command in commands {
            self.pipeline.add_command(command);
        }
        parts
    }
}

/// The machine's answer, from the values of a command's parts.
pub(super) fn answer_of(command: &BusCommand, mut values: Vec<Value>) -> BusAnswer {
    let value = match values.len() {
        1 => values.pop().map_or(RedisValue::Nothing, of_redis),
        _ => match values.iter().find(|value| matches!(value, Value::ServerError(_))) {
            Some(error) => of_redis(error.clone()),
            None => RedisValue::List(values.into_iter().map(of_redis).collect()),
        },
    };
    answer(command, value)
}

/// What Redis says against a command, for the operator: the lease may be lost by it. A full Redis has a count of its own.
pub(super) fn error_in(values: &[Value]) -> Option<String> {
    values.iter().find_map(|value| match value {
        Value::ServerError(error) if error.code() != "OOM" => {
            Some(RedisError::refused(&text_of(error)).to_string())
        }
        _ => None,
    })
}

fn of_redis(value: Value) -> RedisValue {
    match value {
        Value::Int(number) => RedisValue::Number(number),
        Value::BulkString(bytes) => RedisValue::Text(bytes.into()),
        Value::SimpleString(text) => RedisValue::Text(text.into()),
        Value::Okay => RedisValue::Text(Bytes::from_static(b"OK")),
        Value::Array(values) | Value::Set(values) => {
            RedisValue::List(values.into_iter().map(of_redis).collect())
        }
        Value::ServerError(error) => RedisValue::Error(text_of(&error)),
        _ => RedisValue::Nothing,
    }
}
