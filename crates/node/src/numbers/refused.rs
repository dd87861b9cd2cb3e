//! The refusals of several nodes as one list: equal ones are one row (CON-044). Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::told::RefusalTold;
use crate::asking::NodeSays;

/// Equal refusals of all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalOfNodes {
    /// The refusals, with the example of the latest, and with the number of the row of the node that refused first.
    pub row: RefusalTold,
    /// The id of that node; empty for a node that stands alone.
    pub first_node: String,
    /// The name of the node of the example.
    pub node: String,
    /// How many refusals by the node's name.
    pub nodes: BTreeMap<String, u64>,
}

impl RefusalOfNodes {
    /// Where the row stands in the list, behind all that are greater.
    #[must_use]
    pub fn place(&self) -> (u64, u64, &str) {
        (self.row.last_at, self.row.number, &self.first_node)
    }

    /// Adds what another node has of the refusals.
    fn join(&mut self, other: Self) {
        let Self { row, first_node, node, nodes } = other;
        for (name, count) in nodes {
            // Long texts are cut: a node may have two rows of one text.
            *self.nodes.entry(name).or_default() += count;
        }
        let count = self.row.count + row.count;
        let first_at = self.row.first_at.min(row.first_at);
        let is_of_several = self.row.is_of_several || row.is_of_several;
        if (row.first_at, &first_node) < (self.row.first_at, &self.first_node) {
            self.row.number = row.number;
            self.first_node = first_node;
        }
        let number = self.row.number;
        if row.last_at > self.row.last_at {
            (self.row, self.node) = (row, node);
        }
        self.row = RefusalTold { number, count, first_at, is_of_several, ..self.row.clone() };
    }
}

/// The rows of all nodes, the newest first.
pub(super) fn merged(told: Vec<NodeSays<Vec<RefusalTold>>>) -> Vec<RefusalOfNodes> {
    let mut found: BTreeMap<(String, Option<u16>, String, Box<str>), RefusalOfNodes> = BTreeMap::new();
    for NodeSays { id, name, said } in told {
        for row in said {
            let key = (row.kind.clone(), row.code, row.cause.clone(), row.text.clone());
            let nodes = BTreeMap::from([(name.clone(), row.count)]);
            let first_node = id.clone().unwrap_or_default();
            let new = RefusalOfNodes { row, first_node, node: name.clone(), nodes };
            match found.entry(key) {
                Entry::Vacant(place) => drop(place.insert(new)),
                Entry::Occupied(mut known) => known.get_mut().join(new),
            }
        }
    }
    let mut rows: Vec<RefusalOfNodes> = found.into_values().collect();
    rows.sort_by(|one, other| Reverse(one.place()).cmp(&Reverse(other.place())));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u64, text: &str, (count, first_at, last_at): (u64, u64, u64)) -> RefusalTold {
        let example = Some(format!("of {number}").into_boxed_str());
        RefusalTold {
            number,
            kind: "http".to_owned(),
            code: Some(401),
            cause: "signature_mismatch".to_owned(),
            text: text.into(),
            is_of_several: false,
            count,
            first_at,
            last_at,
            socket: None,
            address: None,
            channel: example,
            signed: None,
        }
    }

    fn said(id: &str, rows: Vec<RefusalTold>) -> NodeSays<Vec<RefusalTold>> {
        NodeSays { id: Some(id.to_owned()), name: format!("node {id}"), said: rows }
    }

    #[test]
    fn con_044_equal_refusals_of_two_nodes_are_one_row_with_the_latest_example() {
        let a = || said("a", vec![row(1, "x", (3, 100, 200)), row(2, "y", (1, 150, 150))]);
        let b = || said("b", vec![row(7, "x", (4, 50, 300)), row(8, "z", (1, 400, 400))]);
        for told in [vec![a(), b()], vec![b(), a()]] {
            let rows = merged(told);
            let texts: Vec<&str> = rows.iter().map(|of| &*of.row.text).collect();
            assert_eq!(texts, ["z", "x", "y"], "the newest first, whichever node is asked");
            let both = &rows[1];
            let (count, first, last) = (both.row.count, both.row.first_at, both.row.last_at);
            assert_eq!((count, first, last, &*both.node), (7, 50, 300, "node b"));
            assert_eq!((both.row.number, &*both.first_node), (7, "b"), "the row keeps its name");
            assert_eq!(both.row.channel.as_deref(), Some("of 7"));
            assert_eq!(both.nodes, BTreeMap::from([("node a".to_owned(), 3), ("node b".to_owned(), 4)]));
        }
    }

    #[test]
    fn con_044_two_nodes_that_were_refused_at_the_same_moment_give_the_same_row_in_any_order() {
        let a = || said("a", vec![row(1, "x", (1, 100, 100))]);
        let b = || said("b", vec![row(9, "x", (1, 100, 100))]);
        let [one, other] = [merged(vec![a(), b()]), merged(vec![b(), a()])];
        assert_eq!((one[0].place(), one[0].row.count), (other[0].place(), 2));
    }
}
