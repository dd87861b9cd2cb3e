//! How many subscriptions each node has of a channel, read from the rows that each node keeps in Redis.

use std::collections::BTreeMap;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;
use redis::{Value, cmd};

use super::known_nodes::{nodes, text};
use super::links::{BusAway, Links};
use crate::partition::Partition;
use crate::scripts::row;

/// The subscriptions of each channel by the node's name, or by its id where two nodes have one name; nodes without any are
/// left out.
pub(super) async fn counts_by_node(
    links: &Links,
    app: &AppId,
    channels: &[ChannelName],
) -> Result<Vec<BTreeMap<String, usize>>, BusAway> {
    let named = named(links).await?;
    let mut by_partition: BTreeMap<Partition, Vec<usize>> = BTreeMap::new();
    for (at, channel) in channels.iter().enumerate() {
        by_partition.entry(links.topic(app, channel).partition).or_default().push(at);
    }
    let mut found = vec![BTreeMap::new(); channels.len()];
    for (partition, places) in by_partition {
        let rows: Vec<String> =
            places.iter().filter_map(|at| channels.get(*at)).map(|channel| row(app, channel, None)).collect();
        let rows_of = |(id, _): &(String, String)| {
            let mut command = cmd("HMGET");
            command.arg(links.shared.layout.key(partition, &format!("own:{id}"))).arg(&rows);
            command
        };
        let commands = named.iter().map(rows_of).collect();
        let values = links.command(partition, Some(app.clone()), commands).await?;
        for ((_, name), value) in named.iter().zip(&values) {
            let Value::Array(counts) = value else { return Err(BusAway) };
            for (at, count) in places.iter().zip(counts) {
                if let (Some(place), Some(count)) = (found.get_mut(*at), count_in(count)?) {
                    place.insert(name.clone(), count);
                }
            }
        }
    }
    Ok(found)
}

/// The ids of the nodes with what people call them.
async fn named(links: &Links) -> Result<Vec<(String, String)>, BusAway> {
    let known = nodes(links).await?;
    let mut named: Vec<(String, String)> = Vec::with_capacity(known.len());
    for node in known {
        let name = node.says.map(|says| says.name).unwrap_or_else(|| node.id.clone());
        let is_taken = named.iter().any(|(_, taken)| *taken == name);
        named.push((node.id.clone(), if is_taken { node.id } else { name }));
    }
    Ok(named)
}

/// The number in a row, which is written behind the generation of the node's lease.
fn count_in(row: &Value) -> Result<Option<usize>, BusAway> {
    if *row == Value::Nil {
        return Ok(None);
    }
    let row = text(row)?;
    let (_, count) = row.rsplit_once(':').ok_or(BusAway)?;
    count.parse().map(Some).map_err(|_| BusAway)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_042_a_row_says_a_generation_and_a_number() {
        let row = |text: &str| count_in(&Value::BulkString(text.as_bytes().to_vec()));
        assert_eq!(row("3:17"), Ok(Some(17)));
        assert_eq!(count_in(&Value::Nil), Ok(None));
        assert_eq!((row("17"), row("3:x")), (Err(BusAway), Err(BusAway)));
    }
}
