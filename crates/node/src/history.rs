//! The last hour of each app in use, a point every ten seconds: for the curves of the console (CON-021).
//!
//! `chores` makes the points out of counters and tables that there are anyway; the path of an event knows nothing of points. Bounded in
//! bytes by `console.history_bytes`, and by [`MOST_HISTORIES`]: an app that finds no room has no history until another app has
//! been idle for an hour.

mod together;

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

pub use self::together::together;
use crate::tenants::AppCounts;

/// Time from one point to the next.
pub const HISTORY_STEP: Duration = Duration::from_secs(10);

/// Points of a history: an hour.
pub const HISTORY_POINTS: usize = 360;

/// Most apps with a history.
pub const MOST_HISTORIES: usize = 1000;

/// Bytes of a history: its points, its place in the table, which may be half empty, and the app's id.
const COST: usize =
    HISTORY_POINTS * size_of::<HistoryPoint>() + 2 * size_of::<(AppId, History)>() + size_of::<[u64; 12]>();

/// An app at one moment, and what it did in the ten seconds before. As JSON, zeros are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryPoint {
    /// Bytes of the deliveries.
    #[serde(skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// Seconds since 1970.
    pub at: u32,
    /// Connections at that moment.
    #[serde(skip_serializing_if = "is_zero")]
    pub connections: u32,
    /// Messages from back ends: an event counts once for each of its channels.
    #[serde(skip_serializing_if = "is_zero")]
    pub backend_messages: u32,
    /// Messages from clients.
    #[serde(skip_serializing_if = "is_zero")]
    pub client_messages: u32,
    /// Deliveries of both.
    #[serde(skip_serializing_if = "is_zero")]
    pub deliveries: u32,
    /// What was refused.
    #[serde(skip_serializing_if = "is_zero")]
    pub refusals: u32,
}

fn is_zero<Count: Copy + Into<u64>>(count: &Count) -> bool {
    (*count).into() == 0
}

/// The points of one app, the oldest first.
#[derive(Debug)]
struct History {
    points: VecDeque<HistoryPoint>,
    /// The number of idle points at the end.
    idle: usize,
}

/// The histories of this node.
#[derive(Debug)]
pub struct Histories {
    /// The lock guards the table, and is held for one app at a time.
    table: Mutex<HashMap<AppId, History>>,
    most: usize,
}

impl HistoryPoint {
    /// The app at this moment, and its growth since the point before.
    pub(crate) fn new(at: u64, connections: usize, growth: AppCounts) -> Self {
        let few = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            bytes: growth.bytes,
            at: few(at),
            connections: few(connections as u64),
            backend_messages: few(growth.backend_messages),
            client_messages: few(growth.client_messages),
            deliveries: few(growth.deliveries),
            refusals: few(growth.refusals),
        }
    }

    fn is_idle(self) -> bool {
        self == Self { at: self.at, ..Self::default() }
    }
}

impl Histories {
    /// Histories in at most so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self { table: Mutex::default(), most: (bytes / COST).min(MOST_HISTORIES) }
    }

    /// The app's points, the oldest first; empty for an app without a history.
    #[must_use]
    pub fn of(&self, app: &AppId) -> Vec<HistoryPoint> {
        self.table.lock().get(app).map(|history| history.points.iter().copied().collect()).unwrap_or_default()
    }

    /// Bytes of all histories.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table.lock().len() * COST
    }

    /// Adds a point to the app's history, which begins with a point that is not idle.
    pub fn keep(&self, app: &AppId, point: HistoryPoint) {
        let mut table = self.table.lock();
        if !table.contains_key(app) && (point.is_idle() || table.len() >= self.most) {
            return;
        }
        let history = table
            .entry(app.clone())
            .or_insert_with(|| History { points: VecDeque::with_capacity(HISTORY_POINTS), idle: 0 });
        history.idle = if point.is_idle() { history.idle + 1 } else { 0 };
        if history.points.len() == HISTORY_POINTS {
            history.points.pop_front();
        }
        history.points.push_back(point);
        if history.idle >= HISTORY_POINTS {
            table.remove(app);
        }
    }

    /// Drops the histories that got no point at this moment: their apps are deleted, or idle for an hour.
    pub(crate) fn drop_ended(&self, at: u64) {
        let is_alive =
            |history: &History| history.points.back().is_some_and(|point| u64::from(point.at) >= at);
        self.table.lock().retain(|_, history| is_alive(history));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: u32, connections: u32) -> HistoryPoint {
        HistoryPoint { at, connections, ..HistoryPoint::default() }
    }

    fn moments(histories: &Histories, app: &str) -> Vec<u32> {
        histories.of(&AppId::from(app)).iter().map(|point| point.at).collect()
    }

    #[test]
    fn con_021_a_history_is_an_hour_and_its_oldest_points_go() {
        let histories = Histories::new(1 << 20);
        let app = AppId::from("1");
        for at in 0..400 {
            histories.keep(&app, point(at, 1));
        }
        assert_eq!(moments(&histories, "1"), (40..400).collect::<Vec<_>>());
    }

    #[test]
    fn con_021_an_idle_app_gets_no_history_and_loses_its_own_after_an_hour() {
        let histories = Histories::new(1 << 20);
        let app = AppId::from("1");
        histories.keep(&app, point(0, 0));
        assert!(moments(&histories, "1").is_empty());
        histories.keep(&app, point(1, 5));
        for at in 2..361 {
            histories.keep(&app, point(at, 0));
        }
        assert_eq!(moments(&histories, "1").len(), 360);
        histories.keep(&app, point(361, 0));
        assert_eq!((moments(&histories, "1").len(), histories.bytes()), (0, 0));
    }

    #[test]
    fn con_021_histories_never_take_more_bytes_than_are_allowed() {
        let bytes = 5 * COST + COST / 2;
        let histories = Histories::new(bytes);
        for app in 0..50_u32 {
            histories.keep(&AppId::from(&*app.to_string()), point(7, 1));
            assert!(histories.bytes() <= bytes);
        }
        assert_eq!(histories.bytes(), 5 * COST);
        assert!(moments(&histories, "5").is_empty(), "who comes late finds no room");
        // The table has room for the points of an hour from the beginning.
        let kept: usize = histories.table.lock().values().map(|history| history.points.capacity()).sum();
        assert!(kept * size_of::<HistoryPoint>() <= bytes);
        // An app that goes makes room.
        histories.keep(&AppId::from("0"), point(8, 1));
        histories.drop_ended(8);
        histories.keep(&AppId::from("5"), point(8, 1));
        assert_eq!(moments(&histories, "5"), [8]);
        assert_eq!(Histories::new(usize::MAX).most, MOST_HISTORIES);
        let none = Histories::new(0);
        none.keep(&AppId::from("1"), point(1, 1));
        assert!(moments(&none, "1").is_empty());
    }
}
