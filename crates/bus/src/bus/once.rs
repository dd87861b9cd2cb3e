//! Publishes with an idempotency key: which node does one, and what the others answer (API-022 … API-024).
//!
//! Never decides what a node does without Redis.

use std::time::Duration;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::idempotency::{IDEMPOTENCY_LIFE, KeyedRequest};
use fanfare_protocol::ids::AppId;
use redis::{Cmd, Value, cmd};
use tokio::time::timeout;

use super::{Bus, BusAway};

/// How long a publisher waits for Redis; then the publish goes on without.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long a publish may be under way, in milliseconds: the key of a node that died meanwhile is free again then.
const HOLD: u64 = 10_000;

/// What the cluster knows of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyStanding {
    /// Nothing: this node is to publish.
    New,
    /// The first request was answered with this.
    Again {
        /// The answer.
        answer: Vec<u8>,
        /// Milliseconds since the key was first used.
        age: u64,
    },
    /// The first request is under way on another node.
    UnderWay,
    /// The key was used with another request.
    OtherRequest,
}

impl Bus {
    /// Takes a key for this node, if nobody has it. `number` tells this node's attempts apart.
    ///
    /// # Errors
    /// Redis does not answer within a quarter of a second, or is full.
    pub async fn begin_key(
        &self,
        app: &AppId,
        request: &KeyedRequest,
        number: u64,
    ) -> Result<KeyStanding, BusAway> {
        let _permit = self.questions.try_acquire().map_err(|_| BusAway)?;
        let (partition, command) = self.of_key(app, request, "begin", self.owner(number).as_bytes())?;
        let asked = timeout(PATIENCE, self.links.command(partition, None, vec![command])).await;
        match asked.unwrap_or(Err(BusAway))?.as_slice() {
            [Value::BulkString(said)] => standing(said).ok_or(BusAway),
            _ => Err(BusAway),
        }
    }

    /// Says what a publish of this node was answered with; nobody waits.
    pub fn end_key(&self, app: &AppId, request: &KeyedRequest, answer: &[u8]) {
        self.say_of_key(app, request, "end", answer);
    }

    /// Gives a key back that this node has begun with, because nothing was published; nobody waits.
    pub fn forget_key(&self, app: &AppId, request: &KeyedRequest, number: u64) {
        self.say_of_key(app, request, "forget", self.owner(number).as_bytes());
    }

    /// Bounded by the requests under way: each says one thing, after it was answered or its time was over. A link on which
    /// nothing is answered is soon no longer up.
    fn say_of_key(&self, app: &AppId, request: &KeyedRequest, what: &str, more: &[u8]) {
        if let Ok((partition, command)) = self.of_key(app, request, what, more) {
            self.links.say(partition, command);
        }
    }

    fn owner(&self, number: u64) -> String {
        format!("{}:{number}", self.links.shared.key)
    }

    fn of_key(
        &self,
        app: &AppId,
        request: &KeyedRequest,
        what: &str,
        more: &[u8],
    ) -> Result<(crate::partition::Partition, Cmd), BusAway> {
        let topic = self.links.topic(app, &ChannelName::connections());
        let digest = self.links.board(topic.partition).ok_or(BusAway)?.once_digest();
        let layout = &self.links.shared.layout;
        let mut command = cmd("EVALSHA");
        command.arg(digest).arg(2).arg(layout.app_key(&topic, "once")).arg(layout.app_key(&topic, "once-at"));
        command.arg(0).arg(what).arg(&request.place[..]).arg(&request.fingerprint[..]).arg(more);
        command.arg(IDEMPOTENCY_LIFE).arg(HOLD).arg(self.links.shared.key_bytes);
        Ok((topic.partition, command))
    }
}

fn standing(said: &[u8]) -> Option<KeyStanding> {
    Some(match said {
        b"new" => KeyStanding::New,
        b"busy" => KeyStanding::UnderWay,
        b"other" => KeyStanding::OtherRequest,
        said => {
            let (age, answer) = said.strip_prefix(b"again")?.split_first_chunk::<6>()?;
            let age = std::str::from_utf8(age).ok()?.trim_start().parse().ok()?;
            KeyStanding::Again { answer: answer.to_vec(), age }
        }
    })
}
