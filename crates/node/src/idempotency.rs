//! Publishes with an idempotency key are done once in five minutes (API-022 … API-024): here, and together with the other nodes.
//!
//! Never keeps a publish from being done because Redis is away.

mod keys;

use std::sync::Arc;

use fanfare_bus::KeyStanding;
use fanfare_protocol::idempotency::KeyedRequest;
use fanfare_protocol::ids::AppId;

pub use self::keys::{FirstAnswer, IdempotencyKeys, KeyNumbers, KeyOutcome, KnownKey};
use crate::node::Node;

/// What is to be done with a request.
pub enum Begun {
    /// The request is the first one, and is to be published.
    First(Attempt),
    /// The key was used before.
    Known(KnownKey),
}

/// The first request with a key; its key is free again when the value is dropped before [`Attempt::finish`].
pub struct Attempt {
    node: Arc<Node>,
    app: AppId,
    request: KeyedRequest,
    turn: u64,
    /// The cluster has been asked, and may hold the key for this node.
    is_in_cluster: bool,
    is_over: bool,
}

/// Looks whether a request is the first one with its key, here and on the other nodes; counts what the answer is.
pub async fn begin(node: &Arc<Node>, app: &AppId, request: KeyedRequest) -> Begun {
    let begun = begin_uncounted(node, app, request).await;
    node.idempotency.count(match &begun {
        Begun::First(_) => KeyOutcome::First,
        Begun::Known(KnownKey::Again(_)) => KeyOutcome::Again,
        Begun::Known(KnownKey::UnderWay) => KeyOutcome::UnderWay,
        Begun::Known(KnownKey::OtherRequest) => KeyOutcome::OtherRequest,
    });
    begun
}

async fn begin_uncounted(node: &Arc<Node>, app: &AppId, request: KeyedRequest) -> Begun {
    let turn = match node.idempotency.begin(app, &request, node.milliseconds()) {
        Ok(turn) => turn,
        Err(known) => return Begun::Known(known),
    };
    let (app, is_in_cluster) = (app.clone(), node.bus().is_some());
    let mut attempt = Attempt { node: Arc::clone(node), app, request, turn, is_in_cluster, is_over: false };
    let Some(bus) = node.bus() else { return Begun::First(attempt) };
    let standing = bus.begin_key(&attempt.app, &request, turn).await;
    // A question without an answer may have been done all the same.
    attempt.is_in_cluster = matches!(standing, Ok(KeyStanding::New) | Err(_));
    match standing {
        Ok(KeyStanding::UnderWay) => Begun::Known(KnownKey::UnderWay),
        Ok(KeyStanding::OtherRequest) => Begun::Known(KnownKey::OtherRequest),
        Ok(KeyStanding::Again { answer, age }) => match FirstAnswer::read(&answer) {
            Some(answer) => {
                attempt.keep(answer.clone(), age);
                Begun::Known(KnownKey::Again(answer))
            }
            // Of a later release.
            None => Begun::Known(KnownKey::OtherRequest),
        },
        // Redis is away: this node's own memory has to do.
        Ok(KeyStanding::New) | Err(_) => Begun::First(attempt),
    }
}

impl Attempt {
    /// The request was accepted and answered so. Waits for nobody.
    pub fn finish(mut self, answer: FirstAnswer) {
        if let Some(bus) = self.node.bus().filter(|_| self.is_in_cluster) {
            bus.end_key(&self.app, &self.request, &answer.write());
        }
        self.keep(answer, 0);
    }

    /// Keeps the answer for as long as is left of a key's time, which began `age` milliseconds ago.
    fn keep(&mut self, answer: FirstAnswer, age: u64) {
        self.is_over = true;
        let began = self.node.milliseconds().saturating_sub(age);
        self.node.idempotency.end(&self.app, &self.request, (self.turn, began), answer);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.node.idempotency.forget(&self.request, self.turn);
        if let Some(bus) = self.node.bus().filter(|_| self.is_in_cluster) {
            bus.forget_key(&self.app, &self.request, self.turn);
        }
    }
}
