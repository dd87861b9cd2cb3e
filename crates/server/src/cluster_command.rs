//! `fanfare cluster`: the nodes of a cluster, as Redis knows them.

use fanfare_bus::partition::Layout;
use fanfare_bus::{NotObserved, observe};
use fanfare_config::Config;

use crate::node_list;

/// What is printed, and whether all is well.
pub struct ClusterReport {
    /// The text for standard output.
    pub text: String,
    /// There are nodes, and all their links are up.
    pub is_well: bool,
}

/// Asks the Redis of the configuration for the nodes.
///
/// # Errors
/// The configuration names no Redis, or it does not answer.
pub async fn run(config: &Config, wants_json: bool) -> Result<ClusterReport, NotObserved> {
    let bus = &config.bus;
    let layout = Layout::new(&bus.prefix, bus.partitions);
    let nodes = observe(&bus.urls, &bus.trust, &layout).await?;
    let are_up = |node: &fanfare_bus::KnownNode| {
        node.says.as_ref().is_some_and(|says| says.links.iter().all(|link| link.up))
    };
    let is_well = !nodes.is_empty() && nodes.iter().all(are_up);
    let text = if wants_json {
        node_list::as_json_text(&nodes)
    } else if nodes.is_empty() {
        format!("No node is there, under the prefix {}.\n", bus.prefix)
    } else {
        node_list::as_table(&nodes)
    };
    Ok(ClusterReport { text, is_well })
}
