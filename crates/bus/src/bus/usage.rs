//! Messages of apps, added up over all nodes (CL-063, CL-064).

use std::collections::BTreeMap;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;
use redis::{Cmd, Value, cmd};
use tokio::task::JoinSet;

use super::links::{BusAway, Links};
use crate::partition::{Partition, Topic};

/// What this node says of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageReport {
    /// The app.
    pub app: AppId,
    /// The day, as days since 1970 (UTC).
    pub day: u64,
    /// Messages that this node has accepted on that day, as far as it knows; see [`crate::NodeAbout::counted_as`].
    pub messages_of_day: u64,
    /// Messages that this node was asked to accept in the last second.
    pub messages_of_second: u64,
}

/// What all nodes have said of an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageTotal {
    /// Messages of the day.
    pub day: u64,
    /// Messages of the last second.
    pub second: u64,
}

/// Says what apps have used, and hears the sums; the caller has the bound.
pub(super) async fn add_up(links: &Links, reports: &[UsageReport]) -> Result<Vec<UsageTotal>, BusAway> {
    let mut by_partition: BTreeMap<Partition, (Vec<usize>, Vec<Cmd>)> = BTreeMap::new();
    for (at, report) in reports.iter().enumerate() {
        let topic = links.topic(&report.app, &ChannelName::connections());
        let (places, commands) = by_partition.entry(topic.partition).or_default();
        places.push(at);
        commands.push(add_up_one(links, &topic, report)?);
    }
    let mut asked = JoinSet::new();
    for (partition, (places, commands)) in by_partition {
        let links = links.clone();
        asked.spawn(async move { Ok((places, links.command(partition, None, commands).await?)) });
    }
    let mut totals = vec![UsageTotal::default(); reports.len()];
    while let Some(answer) = asked.join_next().await {
        let (places, values) = answer.map_err(|_| BusAway)??;
        for (at, value) in places.into_iter().zip(&values) {
            let found = total(value)?;
            if let Some(place) = totals.get_mut(at) {
                *place = found;
            }
        }
    }
    Ok(totals)
}

fn add_up_one(links: &Links, topic: &Topic, report: &UsageReport) -> Result<Cmd, BusAway> {
    let digest = links.board(topic.partition).ok_or(BusAway)?.usage_digest();
    let key = links.shared.layout.app_key(topic, "use");
    let mut command = cmd("EVALSHA");
    command.arg(digest).arg(2).arg(format!("{key}:{}", report.day)).arg(format!("{key}:rate")).arg(0);
    command.arg(&*links.shared.key).arg(report.messages_of_day).arg(report.messages_of_second);
    command.arg(links.shared.node.counted_as.as_deref().unwrap_or(&links.shared.key));
    Ok(command)
}

fn total(value: &Value) -> Result<UsageTotal, BusAway> {
    let Value::Array(numbers) = value else { return Err(BusAway) };
    match &**numbers {
        [Value::Int(day), Value::Int(second)] => {
            Ok(UsageTotal { day: day.unsigned_abs(), second: second.unsigned_abs() })
        }
        _ => Err(BusAway),
    }
}
