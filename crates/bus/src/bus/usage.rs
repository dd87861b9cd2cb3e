//! Messages of apps, added up over all nodes (CL-063, CL-064).

use std::collections::BTreeMap;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;
use redis::{Cmd, Value, cmd};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Bus, BusAway, PATIENCE};
use crate::partition::{Partition, Topic};

/// What this node says of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageReport {
    /// The app.
    pub app: AppId,
    /// The day, as days since 1970 (UTC).
    pub day: u64,
    /// Messages that this node has accepted on that day since its start.
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

impl Bus {
    /// Says what apps have used, and hears the sums of all nodes, in the same order. A repeat does no harm.
    ///
    /// # Errors
    /// There is no answer within a second; the sums of some apps may have been stored.
    pub async fn usage(&self, reports: &[UsageReport]) -> Result<Vec<UsageTotal>, BusAway> {
        timeout(PATIENCE, self.add_up(reports)).await.unwrap_or(Err(BusAway))
    }

    async fn add_up(&self, reports: &[UsageReport]) -> Result<Vec<UsageTotal>, BusAway> {
        let mut by_partition: BTreeMap<Partition, (Vec<usize>, Vec<Cmd>)> = BTreeMap::new();
        for (at, report) in reports.iter().enumerate() {
            let topic = self.topic(&report.app, &ChannelName::connections());
            let (places, commands) = by_partition.entry(topic.partition).or_default();
            places.push(at);
            commands.push(self.add_up_one(&topic, report)?);
        }
        let mut asked = JoinSet::new();
        for (partition, (places, commands)) in by_partition {
            let bus = self.clone();
            asked.spawn(async move { Ok((places, bus.command(partition, None, commands).await?)) });
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

    fn add_up_one(&self, topic: &Topic, report: &UsageReport) -> Result<Cmd, BusAway> {
        let digest = self.board(topic.partition).ok_or(BusAway)?.usage_digest();
        let key = self.shared.layout.app_key(topic, "use");
        let mut command = cmd("EVALSHA");
        command.arg(digest).arg(2).arg(format!("{key}:{}", report.day)).arg(format!("{key}:rate")).arg(0);
        command.arg(&*self.shared.key).arg(report.messages_of_day).arg(report.messages_of_second);
        Ok(command)
    }
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
