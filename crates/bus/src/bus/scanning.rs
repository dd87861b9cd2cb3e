//! Reading large tables of Redis in parts, of all partitions at once.

use fanfare_protocol::ids::AppId;
use redis::{Value, cmd};
use tokio::task::JoinSet;

use super::known_nodes::text;
use super::links::{BusAway, Links};
use crate::partition::Topic;

/// Fields in one part.
const PART: usize = 1000;

/// Asks each partition at the same time.
pub(super) async fn in_each_partition<Found: Send + 'static, Asking>(
    links: &Links,
    app: &AppId,
    ask: impl Fn(Links, Topic) -> Asking,
) -> Result<Vec<Found>, BusAway>
where
    Asking: Future<Output = Result<Found, BusAway>> + Send + 'static,
{
    let topics = (0..links.shared.layout.partitions()).map(|partition| Topic { partition, app: app.clone() });
    let mut asked: JoinSet<_> = topics.map(|topic| ask(links.clone(), topic)).collect();
    let mut found = Vec::new();
    while let Some(part) = asked.join_next().await {
        found.push(part.map_err(|_| BusAway)??);
    }
    Ok(found)
}

/// All fields of a hash, in parts; what this node has of the app goes before.
pub(super) async fn scan(links: &Links, topic: &Topic, key: &str) -> Result<Vec<(String, String)>, BusAway> {
    let mut found = Vec::new();
    let take = |field, value| {
        found.push((field, value));
        true
    };
    scan_while(links, topic, key, take).await?;
    Ok(found)
}

/// As [`scan`], a field at a time; no further part is read after a field of which `take` returns false.
pub(super) async fn scan_while(
    links: &Links,
    topic: &Topic,
    key: &str,
    mut take: impl FnMut(String, String) -> bool,
) -> Result<(), BusAway> {
    let mut cursor = "0".to_owned();
    let mut behind = Some(topic.app.clone());
    loop {
        let mut command = cmd("HSCAN");
        command.arg(key).arg(&cursor).arg("COUNT").arg(PART);
        let values = links.command(topic.partition, behind.take(), vec![command]).await?;
        let [Value::Array(parts)] = &*values else { return Err(BusAway) };
        let [next, Value::Array(pairs)] = &**parts else { return Err(BusAway) };
        cursor = text(next)?;
        let mut goes_on = true;
        for pair in pairs.chunks_exact(2) {
            let [field, value] = pair else { return Err(BusAway) };
            goes_on = take(text(field)?, text(value)?);
        }
        if cursor == "0" || !goes_on {
            return Ok(());
        }
    }
}
