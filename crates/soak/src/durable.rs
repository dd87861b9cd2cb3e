//! A durable webhook whose back end is away now and then: every event that another webhook was told must come at last.
//!
//! Events are known by their time, name, channel and user, which are the same for every URL of an app.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio::time::sleep;

use crate::chance::Chance;
use crate::told::Told;
use crate::world::{Pace, Shared};

/// The path of the durable URL.
pub(crate) const PATH: &str = "/kept";

/// What both URLs were told.
#[derive(Default)]
pub(crate) struct Durable {
    /// Events that the URL whose back end is never away was told.
    owed: BTreeSet<String>,
    /// Events that the durable URL was told.
    told: BTreeSet<String>,
    /// The newest event of each channel and user: its time, and whether they came.
    last: BTreeMap<Told, (u64, bool)>,
    /// The back end answers 503.
    pub(crate) is_away: bool,
    pub(crate) refused: u64,
    pub(crate) requests: u64,
}

/// The names of all events of a body, each with its subject and whether that came or went.
fn events(body: &[u8]) -> Vec<(String, Told, u64, bool)> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let time = body["time_ms"].as_u64().unwrap_or_default();
    let all = body["events"].as_array().into_iter().flatten();
    all.map(|event| {
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        let name = text("name").unwrap_or_default();
        let told = (text("channel").unwrap_or_default(), text("user_id"));
        let comes = matches!(&*name, "channel_occupied" | "member_added");
        (format!("{time} {name} {} {}", told.0, told.1.as_deref().unwrap_or_default()), told, time, comes)
    })
    .collect()
}

impl Durable {
    /// The other URL was told.
    pub(crate) fn owes(&mut self, body: &[u8]) {
        self.owed.extend(events(body).into_iter().map(|(name, ..)| name));
    }

    /// The durable URL was told, and the back end answered 200.
    pub(crate) fn hears(&mut self, body: &[u8]) {
        self.requests += 1;
        for (name, told, time, comes) in events(body) {
            if self.last.get(&told).is_none_or(|(last, _)| *last <= time) {
                self.last.insert(told, (time, comes));
            }
            self.told.insert(name);
        }
    }

    pub(crate) fn events(&self) -> usize {
        self.told.len()
    }

    /// Checks that nothing is missing, and that by the newest events everybody has left.
    ///
    /// # Errors
    /// In words: what is missing, or who is there.
    pub(crate) fn has_told_all(&self) -> Result<(), String> {
        let missing: Vec<&String> = self.owed.difference(&self.told).collect();
        if let Some(first) = missing.first() {
            let (count, all) = (missing.len(), self.owed.len());
            return Err(format!("{count} of {all} events of a durable webhook never came, such as {first}"));
        }
        match self.last.iter().find(|(_, (_, comes))| *comes) {
            None => Ok(()),
            Some((told, _)) => Err(format!("a durable webhook says that {told:?} is there")),
        }
    }
}

/// The back end of the durable URL comes and goes until everybody leaves.
pub(crate) async fn live(world: Shared, mut chance: Chance) {
    while world.borrow().pace != Pace::Leaving {
        sleep(chance.milliseconds(5000, 25_000)).await;
        let leaves = world.borrow().pace == Pace::Leaving;
        world.borrow_mut().durable.is_away = !leaves;
        sleep(chance.milliseconds(3000, 20_000)).await;
        world.borrow_mut().durable.is_away = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::tests::body;

    #[test]
    fn an_event_that_one_url_was_told_is_owed_to_the_durable_one() {
        let mut durable = Durable::default();
        durable.owes(&body(1, "channel_occupied"));
        durable.owes(&body(2, "channel_vacated"));
        durable.hears(&body(2, "channel_vacated"));
        assert!(durable.has_told_all().unwrap_err().starts_with("1 of 2 events"));
        // Late, repeated, and out of order, as durable webhooks may come.
        durable.hears(&body(1, "channel_occupied"));
        durable.hears(&body(1, "channel_occupied"));
        durable.has_told_all().unwrap();
    }

    #[test]
    fn the_newest_event_says_who_is_there() {
        let mut durable = Durable::default();
        durable.hears(&body(5, "channel_occupied"));
        assert!(durable.has_told_all().unwrap_err().contains("is there"));
    }
}
