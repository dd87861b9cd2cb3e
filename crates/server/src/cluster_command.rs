//! `fanfare cluster`: the nodes of a cluster, as Redis knows them.

use std::fmt::Write as _;

use fanfare_bus::partition::Layout;
use fanfare_bus::{KnownNode, NotObserved, Observed, observe};
use fanfare_config::Config;

use crate::node_list;

/// What is printed, and whether all is well.
pub struct ClusterReport {
    /// The text for standard output.
    pub text: String,
    /// A line for standard error for each Redis that cannot be asked.
    pub away: Vec<String>,
    /// There are nodes, all their links are up, and each Redis answers.
    pub is_well: bool,
}

/// Asks each Redis of the configuration for the nodes.
///
/// # Errors
/// The configuration names no Redis, or none answers.
pub async fn run(config: &Config, wants_json: bool) -> Result<ClusterReport, NotObserved> {
    let bus = &config.bus;
    let layout = Layout::new(&bus.prefix, bus.partitions);
    let Observed { mut nodes, away } = observe(&bus.urls, &bus.trust, &layout).await?;
    let name = |node: &KnownNode| node.says.as_ref().map(|says| says.name.clone());
    nodes.sort_by_key(|node| (name(node).is_none(), name(node), node.id.clone()));
    let are_up =
        |node: &KnownNode| node.says.as_ref().is_some_and(|says| says.links.iter().all(|link| link.up));
    let is_well = !nodes.is_empty() && away.is_empty() && nodes.iter().all(are_up);
    let text = if wants_json {
        node_list::as_json_text(&nodes, bus.lease)
    } else if nodes.is_empty() {
        format!("No node is there, under the prefix {}.\n", bus.prefix)
    } else {
        let mut text = node_list::as_table(&nodes);
        for link in nodes.iter().flat_map(node_list::links_away) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{link}");
        }
        text
    };
    let away = away.iter().map(ToString::to_string).collect();
    Ok(ClusterReport { text, away, is_well })
}
