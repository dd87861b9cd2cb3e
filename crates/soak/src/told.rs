//! What webhooks have told: comings and goings that alternate, each once (CL-032).
//!
//! Knows no socket: `receiver` hands the bodies over.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::Value;

/// A channel, or a user of a channel.
pub(crate) type Told = (String, Option<String>);

/// What a back end knows.
#[derive(Default)]
pub(crate) struct BackEndKnows {
    pub(crate) present: BTreeSet<Told>,
    /// When each was told of last, in Redis's milliseconds.
    times: BTreeMap<Told, u64>,
    bodies: BTreeSet<u64>,
    pub(crate) requests: u64,
    pub(crate) events: u64,
    pub(crate) repeats: u64,
}

impl BackEndKnows {
    /// Takes the body of a request. `may_repeat`: a sender may just have died.
    ///
    /// # Errors
    /// In words: what contradicts what was told before.
    pub(crate) fn hear(&mut self, body: &[u8], may_repeat: bool) -> Result<(), String> {
        self.requests += 1;
        let mut hash = DefaultHasher::new();
        body.hash(&mut hash);
        let shown = String::from_utf8_lossy(body).into_owned();
        if !self.bodies.insert(hash.finish()) {
            self.repeats += 1;
            return if may_repeat { Ok(()) } else { Err(format!("a request came twice: {shown}")) };
        }
        let body: Value = serde_json::from_slice(body).map_err(|_| format!("no JSON: {shown}"))?;
        let time = body["time_ms"].as_u64().ok_or_else(|| format!("without time_ms: {shown}"))?;
        for event in body["events"].as_array().into_iter().flatten() {
            self.events += 1;
            self.event(event, time).map_err(|why| format!("{why}: {event} at {time}"))?;
        }
        Ok(())
    }

    fn event(&mut self, event: &Value, time: u64) -> Result<(), String> {
        let channel = event["channel"].as_str().unwrap_or_default().to_owned();
        let user = event["user_id"].as_str().map(str::to_owned);
        let (told, comes) = match event["name"].as_str().unwrap_or_default() {
            "channel_occupied" => ((channel, None), true),
            "channel_vacated" => ((channel, None), false),
            "member_added" => ((channel, user), true),
            "member_removed" => ((channel, user), false),
            _ => return Ok(()),
        };
        if self.times.get(&told).is_some_and(|last| *last > time) {
            return Err("older than what was told before".to_owned());
        }
        self.times.insert(told.clone(), time);
        let is_news = if comes { self.present.insert(told) } else { self.present.remove(&told) };
        if is_news { Ok(()) } else { Err("told twice".to_owned()) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A request with one event of a channel.
    pub(crate) fn body(time: u64, name: &str) -> Vec<u8> {
        let event = serde_json::json!({"name": name, "channel": "a"});
        serde_json::json!({"time_ms": time, "events": [event]}).to_string().into_bytes()
    }

    #[test]
    fn comings_and_goings_alternate() {
        let mut told = BackEndKnows::default();
        told.hear(&body(1, "channel_occupied"), false).unwrap();
        told.hear(&body(2, "channel_vacated"), false).unwrap();
        told.hear(&body(3, "channel_occupied"), false).unwrap();
        assert!(told.present.contains(&("a".to_owned(), None)));
        assert!(told.hear(&body(4, "channel_occupied"), true).unwrap_err().contains("told twice"));
    }

    #[test]
    fn a_repeat_is_byte_for_byte_the_same_and_only_when_a_sender_may_have_died() {
        let mut told = BackEndKnows::default();
        told.hear(&body(1, "channel_occupied"), false).unwrap();
        told.hear(&body(1, "channel_occupied"), true).unwrap();
        assert_eq!(told.repeats, 1);
        told.hear(&body(1, "channel_occupied"), false).unwrap_err();
        told.hear(&body(2, "channel_vacated"), false).unwrap();
        told.hear(&body(1, "channel_vacated"), true).unwrap_err();
    }
}
