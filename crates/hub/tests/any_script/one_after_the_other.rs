//! Steps in sequence: every received frame, and every answer to a query, is what plain tables say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fanfare_hub::{AppHub, Hubs};
use proptest::prelude::*;
use serde_json::Value;

use crate::check_that_nothing_is_left;
use crate::follower::parsed;
use crate::model::Model;
use crate::script::{self, Actor, CHANNELS, Entry, SLOTS, Trace, channel, dialect, is_told};
use crate::told::Told;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hook_012_and_ws_124_and_ws_177_one_after_the_other_everybody_receives_what_plain_tables_say(steps in script::steps(120)) {
        let hubs = Arc::new(Hubs::default());
        let hub = hubs.open(&script::app());
        let mut actors: Vec<Actor> = (0..SLOTS).map(|slot| Actor::new(&hubs, slot)).collect();
        let mut model = Model::default();
        let mut told = Told::default();
        for (now, step) in (0..).zip(&steps) {
            let answer = actors[step.slot].act(&step.action, now);
            prop_assert_eq!(answer, model.apply(step, now), "step {}: {:?}", now, step);
            compare(&hub, &model, now);
            told.take(&hub);
            told.compare(&hub);
        }
        let mut traces: Vec<Trace> = Vec::new();
        for actor in actors {
            traces.extend(actor.into_ended().0);
        }
        model.close_all();
        for trace in traces {
            let bits = trace.socket.bits();
            let client = ((bits >> 32) as usize, bits & u64::from(u32::MAX));
            let mut wanted = model.received.remove(&client).unwrap_or_default();
            wanted.retain(|frame| {
                let at = CHANNELS.iter().position(|name| frame["channel"] == *name);
                let event = frame["event"].as_str().expect("a name");
                at.is_none_or(|at| is_told(dialect(client.0), at, event))
            });
            prop_assert_eq!(by_channel(received(&trace)), by_channel(wanted), "{:?}", client);
        }
        check_that_nothing_is_left(hubs, hub, told);
    }
}

/// Panics unless the hub answers every query as the model does.
fn compare(hub: &AppHub, model: &Model, now: u64) {
    let mut occupied = (0, 0);
    for at in 0..CHANNELS.len() {
        let (name, count, members) = (channel(at), model.subscriptions(at), model.members(at));
        let counts = hub.counts(&name);
        assert_eq!((counts.subscriptions, counts.users), (count, members.len()), "{name}");
        let ids = hub.user_ids(&name);
        assert_eq!(ids.iter().map(|id| id.as_str()).collect::<BTreeSet<_>>(), members, "{name}");
        let kept = hub.cached(&name, 0).map(|cached| (parsed(&cached.frame), cached.until));
        assert_eq!(kept.as_ref().map(|(event, until)| (event, *until)), model.kept(at), "{name}");
        let is_fresh = model.kept(at).is_some_and(|(_, until)| until > now);
        assert_eq!(hub.cached(&name, now).is_some(), is_fresh, "{name}");
        occupied = (occupied.0 + usize::from(count > 0), occupied.1 + count);
    }
    assert_eq!(hub.totals(), occupied);
    assert_eq!((hub.connections(), hub.users_online()), (SLOTS, model.users_online()));
    let parks = (0..CHANNELS.len()).any(|at| model.subscriptions(at) == 0 && model.kept(at).is_some());
    assert_eq!(hub.parked_bytes() > 0, parks, "bytes are counted of what is kept for nobody");
}

fn received(trace: &Trace) -> Vec<Value> {
    let frames = trace.entries.iter().filter_map(|entry| match entry {
        Entry::Frame(frame) => Some(parsed(frame)),
        _ => None,
    });
    frames.collect()
}

/// No order is promised across channels: a connection that closes leaves its channels in any order (WS-106).
fn by_channel(frames: Vec<Value>) -> BTreeMap<String, Vec<Value>> {
    let mut channels: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for frame in frames {
        channels.entry(frame["channel"].to_string()).or_default().push(frame);
    }
    channels
}
