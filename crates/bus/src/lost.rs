//! Nodes that have died without a goodbye, as far as this node was there: for operators, who look for a node that is gone (CON-058).
//!
//! In memory alone, for an hour, and [`MOST_LOST`] at most: the oldest go.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Most nodes that are remembered.
pub(crate) const MOST_LOST: usize = 64;

/// How long a node is remembered.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// A node that has died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostNode {
    /// The node's id.
    pub id: String,
    /// What people called it.
    pub name: String,
    /// For how long nothing was heard of it, to a few seconds.
    pub silent: Duration,
}

/// The nodes that have died.
#[derive(Default)]
pub(crate) struct LostNodes(Mutex<VecDeque<(Instant, LostNode)>>);

impl LostNodes {
    /// A node was found dead, which was silent for so long then. One that had its name before is forgotten.
    pub fn note(&self, now: Instant, lost: LostNode) {
        let mut nodes = self.0.lock();
        nodes.retain(|(_, known)| known.id != lost.id && known.name != lost.name);
        if nodes.len() >= MOST_LOST {
            nodes.pop_front();
        }
        nodes.push_back((now, lost));
    }

    /// The nodes, the last that died first.
    pub fn show(&self, now: Instant) -> Vec<LostNode> {
        let mut nodes = self.0.lock();
        nodes.retain(|(at, _)| now < *at + REMEMBERED);
        let shown = |(at, lost): &(Instant, LostNode)| LostNode {
            silent: lost.silent + now.saturating_duration_since(*at),
            ..lost.clone()
        };
        nodes.iter().rev().map(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_058_so_many_dead_nodes_are_remembered_for_an_hour_and_each_name_once() {
        let (nodes, start) = (LostNodes::default(), Instant::now());
        let lost = |id: usize, name: &str| LostNode {
            id: id.to_string(),
            name: name.to_owned(),
            silent: Duration::from_secs(5),
        };
        for id in 0..2 * MOST_LOST {
            nodes.note(start, lost(id, &format!("n{id}")));
        }
        let shown = nodes.show(start + Duration::from_secs(16));
        assert_eq!((shown.len(), &*shown[0].name), (MOST_LOST, "n127"));
        assert_eq!(shown[0].silent, Duration::from_secs(21));
        nodes.note(start, lost(500, "n100"));
        let shown = nodes.show(start);
        assert_eq!((shown.len(), &*shown[0].id), (MOST_LOST, "500"), "the name is there once");
        assert!(nodes.show(start + REMEMBERED).is_empty());
    }
}
