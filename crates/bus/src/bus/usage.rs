//! Messages of apps, added up over all nodes (CL-063, CL-064).

use std::collections::BTreeMap;
use std::time::Duration;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;
use redis::{Cmd, Value, cmd};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::links::{BusAway, Links};
use crate::partition::{Partition, Topic};

/// Most apps in one question, so in one pipeline, because a beat may wait behind it (N14).
const MOST_AT_ONCE: usize = 100;

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

/// Says what apps have used, and hears the sums, of each app for itself: one Redis that is away or slow keeps no app of
/// another from its sum.
pub(super) async fn add_up(
    links: &Links,
    reports: &[UsageReport],
    patience: Duration,
) -> Vec<Option<UsageTotal>> {
    let mut by_partition: BTreeMap<Partition, Vec<(usize, Cmd)>> = BTreeMap::new();
    for (at, report) in reports.iter().enumerate() {
        let topic = links.topic(&report.app, &ChannelName::connections());
        if let Ok(command) = add_up_one(links, &topic, report) {
            by_partition.entry(topic.partition).or_default().push((at, command));
        }
    }
    let mut asked = JoinSet::new();
    for (partition, mut own) in by_partition {
        while !own.is_empty() {
            let rest = own.split_off(own.len().min(MOST_AT_ONCE));
            let (places, commands): (Vec<usize>, Vec<Cmd>) =
                std::mem::replace(&mut own, rest).into_iter().unzip();
            let links = links.clone();
            asked.spawn(async move {
                let answers = timeout(patience, links.command(partition, None, commands)).await;
                (places, answers.unwrap_or(Err(BusAway)).unwrap_or_default())
            });
        }
    }
    let mut totals = vec![None; reports.len()];
    while let Some(answer) = asked.join_next().await {
        let (places, values) = answer.unwrap_or_default();
        for (at, value) in places.into_iter().zip(&values) {
            if let Some(place) = totals.get_mut(at) {
                *place = total(value).ok();
            }
        }
    }
    totals
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
