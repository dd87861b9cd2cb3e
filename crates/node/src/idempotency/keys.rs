//! The idempotency keys that this node remembers, and what was answered.
//!
//! Bounded in bytes, for each app and in all; the oldest keys go. Knows no clock and no other node.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fanfare_config::IdempotencySection;
use fanfare_protocol::event_id::EventId;
use fanfare_protocol::idempotency::{IDEMPOTENCY_LIFE, KeyedRequest};
use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;

/// About what a key takes beside its answer, in bytes.
const KEY_COST: usize = 320;

/// Names a key: the digest of path and key.
type Place = [u8; 16];

/// The keys in use.
#[derive(Debug)]
pub struct IdempotencyKeys {
    bounds: IdempotencySection,
    /// Guards the table only.
    table: Mutex<Table>,
    /// Requests with a key, by the number of the [`KeyOutcome`].
    outcomes: [AtomicU64; KeyOutcome::ALL.len()],
}

/// What becomes of a request with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOutcome {
    /// The request is the first one: published, or refused for another reason.
    First,
    /// The first answer was given again.
    Again,
    /// 409: the first request was under way.
    UnderWay,
    /// 422: the key was used with another request.
    OtherRequest,
}

/// The numbers of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyNumbers {
    /// Keys that are remembered.
    pub keys: usize,
    /// Bytes of these.
    pub bytes: usize,
    /// Requests with a key, in the order of [`KeyOutcome::ALL`].
    pub outcomes: [u64; KeyOutcome::ALL.len()],
    /// Keys that went before their time, because there was no room.
    pub evicted: u64,
}

#[derive(Debug, Default)]
struct Table {
    keys: HashMap<Place, Used>,
    /// Keys by their turns, the oldest first: about the order in which they expire.
    order: BTreeMap<u64, Place>,
    apps: HashMap<AppId, OfApp>,
    bytes: usize,
    /// The last turn given.
    turns: u64,
    /// Keys that went before their time, because there was no room.
    evicted: u64,
}

#[derive(Debug, Default)]
struct OfApp {
    turns: BTreeSet<u64>,
    bytes: usize,
}

/// A key that was used.
#[derive(Debug)]
struct Used {
    app: AppId,
    turn: u64,
    /// When, in milliseconds of the node.
    at: u64,
    fingerprint: [u8; 16],
    /// Absent while the first request is under way.
    answer: Option<FirstAnswer>,
}

/// What the first request with a key was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstAnswer {
    /// The id of the event, or of the batch.
    pub id: EventId,
    /// The JSON of the answer.
    pub json: Arc<str>,
}

/// What is known of a key that was used before.
#[derive(Debug)]
pub enum KnownKey {
    /// The same request was done before, and answered so.
    Again(FirstAnswer),
    /// The first request is under way.
    UnderWay,
    /// The key was used with another request.
    OtherRequest,
}

impl FirstAnswer {
    /// The form for other nodes: the id, and the JSON.
    pub(super) fn write(&self) -> Vec<u8> {
        [&self.id.to_bits().to_be_bytes()[..], self.json.as_bytes()].concat()
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (id, json) = bytes.split_first_chunk()?;
        let json = std::str::from_utf8(json).ok()?.into();
        Some(Self { id: EventId::from_bits(u128::from_be_bytes(*id)), json })
    }
}

impl KeyOutcome {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::First, Self::Again, Self::UnderWay, Self::OtherRequest];

    /// The label in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Again => "again",
            Self::UnderWay => "under_way",
            Self::OtherRequest => "other_request",
        }
    }
}

impl IdempotencyKeys {
    /// No keys, with these bounds.
    #[must_use]
    pub fn new(bounds: IdempotencySection) -> Self {
        Self { bounds, table: Mutex::default(), outcomes: Default::default() }
    }

    /// Counts a request with a key.
    pub(super) fn count(&self, outcome: KeyOutcome) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The numbers now.
    #[must_use]
    pub fn numbers(&self) -> KeyNumbers {
        let outcomes = self.outcomes.each_ref().map(|count| count.load(Ordering::Relaxed));
        let table = self.table.lock();
        KeyNumbers { keys: table.keys.len(), bytes: table.bytes, outcomes, evicted: table.evicted }
    }

    /// Takes the key: returns its turn, or what is to be answered instead.
    pub(super) fn begin(&self, app: &AppId, request: &KeyedRequest, now: u64) -> Result<u64, KnownKey> {
        let mut table = self.table.lock();
        table.expire(now);
        if let Some(used) = table.keys.get(&request.place).filter(|used| !used.is_over(now)) {
            return Err(match &used.answer {
                _ if used.fingerprint != request.fingerprint => KnownKey::OtherRequest,
                Some(answer) => KnownKey::Again(answer.clone()),
                None => KnownKey::UnderWay,
            });
        }
        table.remove(&request.place);
        table.turns += 1;
        let turn = table.turns;
        let fingerprint = request.fingerprint;
        let used = Used { app: app.clone(), turn, at: now, fingerprint, answer: None };
        table.insert(request.place, used, self.bounds);
        Ok(turn)
    }

    /// Keeps the answer of an attempt, whose key was first used at that moment, here or on another node; one whose key had to
    /// go meanwhile is remembered anew.
    pub(super) fn end(
        &self,
        app: &AppId,
        request: &KeyedRequest,
        (turn, began): (u64, u64),
        answer: FirstAnswer,
    ) {
        let mut table = self.table.lock();
        let (turn, at) = match table.keys.get(&request.place) {
            Some(used) if used.turn != turn => return,
            Some(used) => (turn, used.at.min(began)),
            // Behind all younger ones, which would else wait for this one to expire.
            None => {
                table.turns += 1;
                (table.turns, began)
            }
        };
        table.remove(&request.place);
        let fingerprint = request.fingerprint;
        let used = Used { app: app.clone(), turn, at, fingerprint, answer: Some(answer) };
        table.insert(request.place, used, self.bounds);
    }

    pub(super) fn forget(&self, request: &KeyedRequest, turn: u64) {
        let mut table = self.table.lock();
        if table.keys.get(&request.place).is_some_and(|used| used.turn == turn) {
            table.remove(&request.place);
        }
    }

    /// Drops what is older than five minutes; to be called now and then.
    pub fn sweep(&self, now: u64) {
        self.table.lock().expire(now);
    }
}

impl Table {
    fn expire(&mut self, now: u64) {
        while let Some((_, oldest)) = self.order.first_key_value() {
            let oldest = *oldest;
            if self.keys.get(&oldest).is_some_and(|used| !used.is_over(now)) {
                return;
            }
            self.remove(&oldest);
        }
        if self.keys.is_empty() {
            // Frees the capacity that a burst needed.
            self.keys.shrink_to(0);
        }
    }

    /// Inserts a key behind as many of the oldest as have to go; one that alone is too large is not kept.
    fn insert(&mut self, place: Place, used: Used, bounds: IdempotencySection) {
        let cost = used.cost();
        if cost > bounds.app_bytes.min(bounds.bytes) {
            self.evicted += 1;
            return;
        }
        while let Some(oldest) =
            self.apps.get(&used.app).filter(|of_app| of_app.bytes + cost > bounds.app_bytes)
        {
            let Some(place) = oldest.turns.first().and_then(|turn| self.order.get(turn)).copied() else {
                break;
            };
            self.remove(&place);
            self.evicted += 1;
        }
        while self.bytes + cost > bounds.bytes {
            let Some(place) = self.order.first_key_value().map(|(_, place)| *place) else { break };
            self.remove(&place);
            self.evicted += 1;
        }
        self.bytes += cost;
        self.order.insert(used.turn, place);
        let of_app = self.apps.entry(used.app.clone()).or_default();
        of_app.bytes += cost;
        of_app.turns.insert(used.turn);
        self.keys.insert(place, used);
    }

    fn remove(&mut self, place: &Place) {
        let Some(used) = self.keys.remove(place) else { return };
        let cost = used.cost();
        self.bytes -= cost;
        self.order.remove(&used.turn);
        if let Some(of_app) = self.apps.get_mut(&used.app) {
            of_app.bytes -= cost;
            of_app.turns.remove(&used.turn);
            if of_app.turns.is_empty() {
                self.apps.remove(&used.app);
            }
        }
    }
}

impl Used {
    const fn is_over(&self, now: u64) -> bool {
        self.at + IDEMPOTENCY_LIFE <= now
    }

    fn cost(&self) -> usize {
        KEY_COST + self.answer.as_ref().map_or(0, |answer| answer.json.len())
    }
}

#[cfg(test)]
mod tests;
