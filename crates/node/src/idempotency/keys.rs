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
    /// Keys by their turns, the oldest first: the order in which they expire, too.
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
        if let Some(used) = table.keys.get(&request.place) {
            return Err(match &used.answer {
                _ if used.fingerprint != request.fingerprint => KnownKey::OtherRequest,
                Some(answer) => KnownKey::Again(answer.clone()),
                None => KnownKey::UnderWay,
            });
        }
        table.turns += 1;
        let turn = table.turns;
        let fingerprint = request.fingerprint;
        let used = Used { app: app.clone(), turn, at: now, fingerprint, answer: None };
        table.insert(request.place, used, self.bounds);
        Ok(turn)
    }

    /// Keeps the answer of an attempt; one whose key had to go meanwhile is remembered anew.
    pub(super) fn end(
        &self,
        app: &AppId,
        request: &KeyedRequest,
        (turn, now): (u64, u64),
        answer: FirstAnswer,
    ) {
        let mut table = self.table.lock();
        let (turn, at) = match table.keys.get(&request.place) {
            Some(used) if used.turn != turn => return,
            Some(used) => (turn, used.at),
            // Behind all younger ones, which would else wait for this one to expire.
            None => {
                table.turns += 1;
                (table.turns, now)
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
            if self.keys.get(&oldest).is_some_and(|used| now < used.at + IDEMPOTENCY_LIFE) {
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
    fn cost(&self) -> usize {
        KEY_COST + self.answer.as_ref().map_or(0, |answer| answer.json.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(place: u32, body: u8) -> KeyedRequest {
        let mut all = [0; 16];
        all[..4].copy_from_slice(&place.to_be_bytes());
        KeyedRequest { place: all, fingerprint: [body; 16] }
    }

    fn answer(json: &str) -> FirstAnswer {
        FirstAnswer { id: EventId::new(1, 2), json: json.into() }
    }

    fn bounded(app_bytes: usize, bytes: usize) -> IdempotencyKeys {
        IdempotencyKeys::new(IdempotencySection { app_bytes, bytes })
    }

    fn is_new(keys: &IdempotencyKeys, app: &str, place: u32, now: u64) -> bool {
        keys.begin(&AppId::from(app), &request(place, 0), now).is_ok()
    }

    #[test]
    fn api_022_a_key_is_under_way_then_answered_again_and_free_after_five_minutes() {
        let (keys, app) = (bounded(1 << 20, 1 << 20), AppId::from("1"));
        let Ok(turn) = keys.begin(&app, &request(1, 0), 10) else { panic!("it is new") };
        assert!(matches!(keys.begin(&app, &request(1, 0), 10), Err(KnownKey::UnderWay)));
        assert!(matches!(keys.begin(&app, &request(1, 1), 10), Err(KnownKey::OtherRequest)));
        keys.end(&app, &request(1, 0), (turn, 20), answer("{}"));
        let Err(KnownKey::Again(again)) = keys.begin(&app, &request(1, 0), 300_009) else {
            panic!("it is known")
        };
        assert_eq!(again, answer("{}"));
        assert!(matches!(keys.begin(&app, &request(1, 1), 300_009), Err(KnownKey::OtherRequest)));
        assert!(keys.begin(&app, &request(1, 1), 300_010).is_ok());
    }

    #[test]
    fn api_023_an_attempt_that_is_given_up_frees_its_own_key_and_no_later_one() {
        let (keys, app) = (bounded(1 << 20, 1 << 20), AppId::from("1"));
        let Ok(first) = keys.begin(&app, &request(1, 0), 0) else { panic!("it is new") };
        keys.forget(&request(1, 0), first);
        let Ok(second) = keys.begin(&app, &request(1, 1), 0) else { panic!("it is free") };
        keys.forget(&request(1, 0), first);
        keys.end(&app, &request(1, 0), (first, 0), answer("first"));
        keys.end(&app, &request(1, 1), (second, 0), answer("second"));
        let Err(KnownKey::Again(again)) = keys.begin(&app, &request(1, 1), 0) else { panic!("it is known") };
        assert_eq!(&*again.json, "second");
    }

    #[test]
    fn api_022_a_key_that_had_to_go_and_was_remembered_anew_holds_up_no_other_beyond_its_time() {
        let (keys, app) = (bounded(KEY_COST + 2, 1 << 20), AppId::from("1"));
        let Ok(slow) = keys.begin(&app, &request(1, 0), 0) else { panic!("it is new") };
        assert!(is_new(&keys, "1", 2, 10), "the first one goes");
        assert!(is_new(&keys, "other", 3, 10));
        keys.end(&app, &request(1, 0), (slow, 200_000), answer("{}"));
        assert!(is_new(&keys, "other", 3, 300_010), "five minutes are over");
        assert!(!is_new(&keys, "1", 1, 300_010));
    }

    #[test]
    fn api_024_an_app_has_room_for_so_many_bytes_and_its_oldest_keys_go() {
        let keys = bounded(10 * KEY_COST, 15 * KEY_COST);
        for place in 0..1000 {
            assert!(is_new(&keys, "1", place, 0));
        }
        let numbers = keys.numbers();
        assert_eq!((numbers.keys, numbers.bytes, numbers.evicted), (10, 10 * KEY_COST, 990));
        assert!(!is_new(&keys, "1", 990, 0) && is_new(&keys, "1", 989, 0), "the newest are kept");
        // All apps together have a bound, too: the oldest of all goes.
        for place in 2000..2008 {
            assert!(is_new(&keys, "2", place, 0));
        }
        let table = keys.table.lock();
        assert_eq!((table.keys.len(), table.bytes, table.apps["2"].turns.len()), (15, 15 * KEY_COST, 8));
        assert_eq!((table.order.len(), table.apps["1"].bytes), (15, 7 * KEY_COST));
    }

    #[test]
    fn api_024_an_answer_counts_and_one_that_is_too_large_is_not_kept() {
        let keys = bounded(10 * KEY_COST, 10 * KEY_COST);
        let app = AppId::from("1");
        let end = |place: u32, bytes: usize| {
            let Ok(turn) = keys.begin(&app, &request(place, 0), 0) else { panic!("it is new") };
            keys.end(&app, &request(place, 0), (turn, 0), answer(&"x".repeat(bytes)));
            keys.table.lock().keys.len()
        };
        assert_eq!([end(1, 0), end(2, 4 * KEY_COST), end(3, 4 * KEY_COST)], [1, 2, 2]);
        assert_eq!(end(4, 10 * KEY_COST), 1, "the smaller ones have gone for its attempt, or stay");
        let table = keys.table.lock();
        let bytes: usize = table.keys.values().map(Used::cost).sum();
        assert_eq!((table.bytes, table.apps["1"].bytes), (bytes, bytes));
    }

    #[test]
    fn a_sweep_leaves_nothing_of_keys_that_nobody_uses() {
        let keys = bounded(1 << 20, 1 << 20);
        assert!((0..100).all(|place| is_new(&keys, "1", place, 5)));
        keys.sweep(300_004);
        assert_eq!(keys.table.lock().keys.len(), 100);
        keys.sweep(300_005);
        let table = keys.table.lock();
        assert!(table.keys.is_empty() && table.order.is_empty() && table.apps.is_empty() && table.bytes == 0);
        assert_eq!(table.keys.capacity(), 0);
    }

    #[test]
    fn each_outcome_has_its_number() {
        for (at, outcome) in KeyOutcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, at, "{outcome:?}");
        }
    }

    #[test]
    fn an_answer_reads_as_it_was_written() {
        let answer = answer(r#"{"channels":{}}"#);
        assert_eq!(FirstAnswer::read(&answer.write()), Some(answer));
        assert_eq!(FirstAnswer::read(b"short"), None);
    }
}
