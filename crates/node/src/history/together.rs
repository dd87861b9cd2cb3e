//! The histories of an app on several nodes as one: points of the same ten seconds are added (CON-021, CON-026).
//!
//! Pure. Each node makes its points at a moment of its own in each ten seconds, by a clock of its own; a node that came later has
//! fewer points.

use std::collections::BTreeMap;

use super::{HISTORY_POINTS, HISTORY_STEP, HistoryPoint};

/// Seconds from one point to the next.
const STEP: u32 = HISTORY_STEP.as_secs() as u32;

/// The points of one node by the number of their ten seconds.
type OnGrid = BTreeMap<u32, HistoryPoint>;

/// One history of all nodes, the oldest point first, each at the beginning of its ten seconds; that of one node alone is as it was.
///
/// The last point is one that every node has made, or all but the latest by one. Between a node's points its connections stay.
#[must_use]
pub fn together(mut histories: Vec<Vec<HistoryPoint>>) -> Vec<HistoryPoint> {
    histories.retain(|points| !points.is_empty());
    if histories.len() < 2 {
        return histories.pop().unwrap_or_default();
    }
    let nodes: Vec<OnGrid> = histories.iter().map(|points| on_grid(points)).collect();
    let ends = || nodes.iter().filter_map(|points| points.keys().next_back().copied());
    let (Some(least), Some(most)) = (ends().min(), ends().max()) else { return Vec::new() };
    let end = least.max(most.saturating_sub(1));
    let first = nodes.iter().filter_map(|points| points.keys().next().copied()).min().unwrap_or(end);
    // A node whose clock is far off makes no longer history.
    let first = first.max((end + 1).saturating_sub(HISTORY_POINTS as u32));
    (first..=end).map(|place| sum_at(&nodes, place)).collect()
}

/// Counts back from the newest point: a node's points are ten seconds apart, but a moment late now and then.
fn on_grid(points: &[HistoryPoint]) -> OnGrid {
    let Some(newest) = points.last() else { return OnGrid::new() };
    let mut grid = OnGrid::new();
    for point in points {
        let before = newest.at.saturating_sub(point.at);
        let place = (newest.at / STEP).saturating_sub((before + STEP / 2) / STEP);
        let at_place = grid.entry(place).or_default();
        *at_place = HistoryPoint { connections: point.connections, ..at_place.and(point) };
    }
    grid
}

fn sum_at(nodes: &[OnGrid], place: u32) -> HistoryPoint {
    let mut sum = HistoryPoint { at: place.saturating_mul(STEP), ..HistoryPoint::default() };
    for points in nodes {
        match points.get(&place) {
            Some(point) => sum = sum.and(point),
            None => {
                let before = points.range(..place).next_back();
                sum.connections += before.map_or(0, |(_, point)| point.connections);
            }
        }
    }
    sum
}

impl HistoryPoint {
    /// Both points together, at the moment of the first.
    fn and(self, other: &Self) -> Self {
        Self {
            at: self.at,
            bytes: self.bytes.saturating_add(other.bytes),
            connections: self.connections.saturating_add(other.connections),
            backend_messages: self.backend_messages.saturating_add(other.backend_messages),
            client_messages: self.client_messages.saturating_add(other.client_messages),
            deliveries: self.deliveries.saturating_add(other.deliveries),
            refusals: self.refusals.saturating_add(other.refusals),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: u32, connections: u32, deliveries: u32) -> HistoryPoint {
        HistoryPoint { at, connections, deliveries, ..HistoryPoint::default() }
    }

    fn told(histories: Vec<Vec<HistoryPoint>>) -> Vec<(u32, u32, u32)> {
        together(histories).iter().map(|point| (point.at, point.connections, point.deliveries)).collect()
    }

    #[test]
    fn con_021_points_of_the_same_ten_seconds_are_added_and_a_node_that_came_later_has_fewer() {
        let one = vec![point(1003, 5, 1), point(1013, 6, 2), point(1023, 7, 3)];
        let two = vec![point(1017, 10, 4), point(1027, 20, 5)];
        assert_eq!(told(vec![one, two]), [(1000, 5, 1), (1010, 16, 6), (1020, 27, 8)]);
    }

    #[test]
    fn con_021_the_history_of_one_node_stays_as_it_is() {
        let points = vec![point(1003, 5, 1), point(1014, 6, 2)];
        assert_eq!(together(vec![Vec::new(), points.clone()]), points);
        assert_eq!(together(Vec::new()), []);
    }

    #[test]
    fn con_021_no_curve_falls_because_one_node_has_not_made_its_last_point() {
        let one = vec![point(1000, 5, 1), point(1010, 5, 1), point(1020, 5, 1)];
        let two = vec![point(1008, 7, 1), point(1018, 7, 1)];
        assert_eq!(told(vec![one, two]), [(1000, 12, 2), (1010, 12, 2)]);
        let stalled = vec![point(1000, 7, 1), point(1040, 7, 9)];
        let other = (0..5).map(|at| point(1000 + 10 * at, 1, 1)).collect();
        let all = [(1000, 8, 2), (1010, 8, 1), (1020, 8, 1), (1030, 8, 1), (1040, 8, 10)];
        assert_eq!(told(vec![stalled, other]), all, "its connections stay between");
    }

    #[test]
    fn con_021_a_moment_late_loses_nothing_and_counts_nothing_twice() {
        let late = vec![point(1009, 1, 1), point(1020, 1, 1), point(1030, 1, 1), point(1040, 1, 1)];
        let other = vec![point(1010, 1, 0), point(1020, 1, 0), point(1030, 1, 0), point(1040, 1, 0)];
        let all = told(vec![late, other]);
        assert_eq!(all, [(1010, 2, 1), (1020, 2, 1), (1030, 2, 1), (1040, 2, 1)]);
    }

    #[test]
    fn con_021_a_clock_that_is_far_off_makes_no_longer_history() {
        let all = together(vec![vec![point(0, 1, 1), point(10, 1, 1)], vec![point(u32::MAX, 1, 1)]]);
        assert_eq!(all.len(), HISTORY_POINTS);
    }
}
