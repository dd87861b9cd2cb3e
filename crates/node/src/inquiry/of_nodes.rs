//! The last traces of an app on all nodes: each node is asked for those that it has itself, and they become one page (CON-026, CON-043).
//!
//! Holds a page of each node and no more.

use std::cmp::Reverse;

use fanfare_bus::NodeSubject;
use fanfare_protocol::ids::AppId;
use serde::{Deserialize, Serialize};

use super::last;
use crate::asking::{NodeQuestion, NodeSays, Reached, of_all};
use crate::node::Node;
use crate::trace::{MOST_TRACES, ShownTrace};

/// Most bytes of the traces that a node tells at once; a page that is cut goes on behind its last trace.
const MOST_BYTES: usize = 512 * 1024;

/// Which traces are wanted; what nodes ask each other. A field of a later release is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TracesWanted {
    /// Only traces behind this one.
    pub behind: Option<TracePlace>,
    /// Only those of this publish.
    pub event_id: Option<String>,
    /// Most traces.
    pub limit: usize,
}

/// Where a trace stands among those of all nodes: by the moment of the publish, by the clock of its node; of one moment by the
/// number on the node, then by the node. The greatest come first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TracePlace {
    /// The moment, in milliseconds since 1970.
    pub at: u64,
    /// The trace's number on its node.
    pub number: u64,
    /// The id of the node; empty for a node that stands alone.
    pub node: String,
}

/// A trace, and which node has it.
#[derive(Debug)]
pub struct TraceOfNode {
    /// The name of the node.
    pub node: String,
    /// Where the trace stands.
    pub place: TracePlace,
    /// The trace.
    pub trace: ShownTrace,
}

/// A page of the last traces.
#[derive(Debug)]
pub struct TracesOfNodes {
    /// The traces, the newest first.
    pub rows: Vec<TraceOfNode>,
    /// Whether there are older ones.
    pub more: bool,
    /// Of which nodes.
    pub reached: Reached,
}

impl NodeQuestion for TracesWanted {
    const SUBJECT: NodeSubject = NodeSubject::Traces;
}

/// A node's part of the page.
#[derive(Debug, Default, Serialize, Deserialize)]
struct TracesTold {
    traces: Vec<ShownTrace>,
    /// Whether the node has older ones.
    more: bool,
}

/// The last traces of an app on all nodes, the newest first.
pub async fn last_of_nodes(node: &Node, app: &AppId, wanted: &TracesWanted) -> TracesOfNodes {
    let own = traces_here(node, app, wanted).await;
    let (told, reached) = of_all(node, app, wanted, own).await;
    let (rows, more) = merged(told, wanted.limit);
    TracesOfNodes { rows, more, reached }
}

/// What this node answers to another one that asks.
pub(crate) async fn told_to_others(node: &Node, app: &AppId, about: &[u8]) -> Option<Vec<u8>> {
    let wanted: TracesWanted = serde_json::from_slice(about).ok()?;
    traces_here(node, app, &wanted).await.text()
}

async fn traces_here(node: &Node, app: &AppId, wanted: &TracesWanted) -> TracesTold {
    let id = node.bus().map_or("", |bus| bus.own_id());
    let limit = wanted.limit.min(MOST_TRACES);
    let is_asked = |id: Option<String>| wanted.event_id.is_none() || wanted.event_id == id;
    let found = last(node, app, limit + 1, |kept| {
        let (at, number) = (kept.trace.at, kept.number);
        let is_behind = wanted
            .behind
            .as_ref()
            .is_none_or(|behind| (at, number, id) < (behind.at, behind.number, &*behind.node));
        let is_wanted = is_behind && is_asked(kept.trace.id.map(|id| id.to_string()));
        is_wanted.then_some(Reverse((at, number)))
    });
    let mut traces: Vec<ShownTrace> = found.await.into_iter().map(ShownTrace::from).collect();
    let more = traces.len() > limit;
    traces.truncate(limit);
    TracesTold { traces, more }
}

impl TracesTold {
    /// The part for another node: so many traces as fit, one at least.
    fn text(mut self) -> Option<Vec<u8>> {
        let mut bytes = 0;
        let fits = |trace: &&ShownTrace| {
            bytes += serde_json::to_vec(trace).map_or(0, |text| text.len() + 1);
            bytes <= MOST_BYTES
        };
        let fitting = self.traces.iter().take_while(fits).count().max(1);
        self.more |= fitting < self.traces.len();
        self.traces.truncate(fitting);
        serde_json::to_vec(&self).ok()
    }
}

/// The newest traces of all nodes, and whether there are more.
fn merged(told: Vec<NodeSays<TracesTold>>, limit: usize) -> (Vec<TraceOfNode>, bool) {
    let (mut rows, mut end, mut more) = (Vec::new(), None, false);
    for NodeSays { id, name, said } in told {
        let id = id.unwrap_or_default();
        let row = |trace: ShownTrace| TraceOfNode {
            node: name.clone(),
            place: TracePlace { at: trace.at, number: trace.number.unwrap_or_default(), node: id.clone() },
            trace,
        };
        rows.extend(said.traces.into_iter().map(row));
        if said.more {
            // Behind its last trace the node has others, which are not told.
            end = end.max(rows.last().map(|last| last.place.clone()));
            more = true;
        }
    }
    rows.retain(|row| end.as_ref().is_none_or(|end| row.place >= *end));
    rows.sort_unstable_by(|one, other| other.place.cmp(&one.place));
    more |= rows.len() > limit;
    rows.truncate(limit);
    (rows, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(id: &str, at: &[u64], more: bool) -> NodeSays<TracesTold> {
        let trace = |at: &u64| ShownTrace { at: *at, number: Some(*at), ..ShownTrace::default() };
        let said = TracesTold { traces: at.iter().map(trace).collect(), more };
        NodeSays { id: Some(id.to_owned()), name: format!("node {id}"), said }
    }

    fn places(rows: &[TraceOfNode]) -> Vec<(u64, &str)> {
        rows.iter().map(|row| (row.place.at, &*row.node)).collect()
    }

    #[test]
    fn con_026_traces_of_several_nodes_are_one_list_and_none_is_left_out_behind_a_part_that_was_cut() {
        let all = || vec![said("a", &[9, 7], true), said("b", &[9, 8, 6, 5], false)];
        let (rows, more) = merged(all(), 10);
        assert_eq!(places(&rows), [(9, "node b"), (9, "node a"), (8, "node b"), (7, "node a")]);
        assert!(more, "node a may have one that is newer than 6");
        let (rows, more) = merged(all(), 2);
        assert_eq!((places(&rows), more), (vec![(9, "node b"), (9, "node a")], true));
        let (rows, more) = merged(vec![said("a", &[3], false), said("b", &[4], false)], 2);
        assert_eq!((places(&rows), more), (vec![(4, "node b"), (3, "node a")], false));
    }

    #[test]
    fn con_026_the_traces_that_a_node_tells_are_bounded_in_bytes_and_go_on_behind_the_last() {
        let trace = || ShownTrace { event: "x".repeat(MOST_BYTES / 3), ..ShownTrace::default() };
        let told = |traces| TracesTold { traces, more: false }.text().expect("JSON");
        let text = told((0..9).map(|_| trace()).collect());
        assert!(text.len() < MOST_BYTES + 100, "{} bytes", text.len());
        let read: TracesTold = serde_json::from_slice(&text).expect("JSON");
        assert_eq!((read.traces.len(), read.more), (2, true));
    }
}
