//! What must be so once everybody has left: nothing is left in Redis, no descriptor stays open, and all that was promised
//! has been kept.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::database;
use crate::mishap::Stage;
use crate::process::descriptors as open_descriptors;
use crate::world::{Shared, World};

/// How long the last key of Redis may take to go, once everybody has left: a lease, settling, and webhooks.
const EMPTYING: Duration = Duration::from_secs(30);

/// How long the last kept request may take: a backoff of a minute, and a lease that ends.
const DELIVERING: Duration = Duration::from_secs(150);

/// How long a node may take to end when asked.
const STOPPING: Duration = Duration::from_secs(60);

/// What may be left in Redis without clients, beside what expires by itself.
const LEFT: [&str; 5] = ["1:layout", "live", "gen", "epoch", "seq"];

/// Descriptors that a node may have beside those at its start: connections to Postgres, Redis and receivers of webhooks that
/// are kept for the next use; to a Redis Cluster alone more than thirty, which a node that has just started has not all opened.
/// Each of some hundred clients has one.
const KEPT_OPEN: u64 = 48;

/// The open descriptors of each node.
pub(crate) fn descriptors(world: &Shared) -> Vec<u64> {
    let world = world.borrow();
    world.nodes.iter().map(|node| node.process.and_then(open_descriptors).unwrap_or(0)).collect()
}

/// Checks everything; the violation in words.
pub(crate) async fn check(
    world: &Shared,
    stage: &mut Stage,
    at_start: &[u64],
) -> io::Result<Result<(), String>> {
    let left = nothing_is_left(stage).await?;
    if left.is_err() {
        return Ok(left);
    }
    let all_told = eventually(DELIVERING, || {
        let world = world.borrow();
        if world.has_database() { world.durable.has_told_all() } else { Ok(()) }
    });
    let closed = eventually(EMPTYING, || are_closed(&descriptors(world), at_start));
    for ended in [all_told.await, closed.await] {
        if ended.is_err() {
            return Ok(ended);
        }
    }
    usage_is_stored(world, stage).await
}

/// Repeats a question until it is answered well, or time is up.
async fn eventually(patience: Duration, ask: impl Fn() -> Result<(), String>) -> Result<(), String> {
    let start = Instant::now();
    loop {
        let answer = ask();
        if answer.is_ok() || start.elapsed() > patience {
            return answer;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

fn are_closed(now: &[u64], at_start: &[u64]) -> Result<(), String> {
    let grown = now.iter().zip(at_start).position(|(now, start)| *now > start + KEPT_OPEN);
    match grown {
        None => Ok(()),
        Some(node) => Err(format!(
            "node {node} has {} open descriptors without a client, and had {} at the start",
            now[node], at_start[node]
        )),
    }
}

/// With no clients, Redis holds nothing that grows.
async fn nothing_is_left(stage: &Stage) -> io::Result<Result<(), String>> {
    let start = Instant::now();
    let mut left = vec![String::new()];
    while !left.is_empty() && start.elapsed() < EMPTYING {
        sleep(Duration::from_millis(500)).await;
        let store = Arc::clone(&stage.store);
        let keys = spawn_blocking(move || store.lock().keys()).await.map_err(io::Error::other)?;
        let may_stay = |key: &String| {
            LEFT.contains(&key.as_str()) || {
                let kind = key.split(':').next().unwrap_or_default();
                LEFT.contains(&kind)
            }
        };
        left = keys.into_iter().filter(|key| !may_stay(key)).collect();
        left.dedup();
    }
    if left.is_empty() {
        return Ok(Ok(()));
    }
    let few: Vec<String> = left.iter().take(10).cloned().collect();
    Ok(Err(format!("{} keys are left in Redis without clients, such as {few:?}", left.len())))
}

/// Asks all nodes to go, which stores their usage, and compares what is stored with what was accepted.
async fn usage_is_stored(world: &Shared, stage: &mut Stage) -> io::Result<Result<(), String>> {
    let Some(database) = stage.database.clone() else { return Ok(Ok(())) };
    let start = Instant::now();
    for process in &mut stage.processes {
        process.signal(Signal::TERM)?;
    }
    while !stage.processes.iter_mut().all(|process| process.has_ended()) {
        if start.elapsed() > STOPPING {
            return Ok(Err("a node does not end when asked".to_owned()));
        }
        sleep(Duration::from_millis(50)).await;
    }
    let stored = spawn_blocking(move || database::stored_messages(&database.lock()));
    let stored = stored.await.map_err(io::Error::other)?;
    let mut world = world.borrow_mut();
    let World { usage, ledger, .. } = &mut *world;
    usage.stored = stored;
    Ok(usage.is(stored, ledger.refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_that_stay_open_are_found() {
        are_closed(&[60, 50], &[20, 40]).unwrap();
        assert!(are_closed(&[30, 140], &[20, 40]).unwrap_err().starts_with("node 1 has 140"));
    }
}
