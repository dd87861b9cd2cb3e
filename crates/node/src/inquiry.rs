//! Answers to whoever asks where an event went: what other nodes have of its channels, and why nobody got it (CON-042).
//!
//! Bounded work: few channels get a hint, among so many open channels, and no lock is held while names are compared.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, SocketId};
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::census;
use crate::node::Node;
use crate::trace::EventTrace;
use crate::trace::hint::{Nearest, TraceHint, about_event};

/// Most channels of one question that get a hint about their name.
const MOST_HINTED: usize = 16;

/// Most open channels that are looked at for hints.
const MOST_LOOKED_AT: usize = 100_000;

/// How long other nodes are waited for, of all channels together.
const PATIENCE: Duration = Duration::from_secs(1);

/// Open channels that are looked at before the task yields.
const TURN: usize = 500;

/// Fills in what a fresh publish has reached on other nodes, and hints; `traces` are of one publish.
///
/// While the other nodes cannot be asked, the traces are those of this node, without hints about names.
pub async fn complete(node: &Node, app: &Arc<App>, except: Option<SocketId>, traces: &mut [EventTrace]) {
    let channels: Vec<ChannelName> =
        channels_of(traces).cloned().collect::<HashSet<_>>().into_iter().collect();
    let found = census::subscribers_by_node(node, &app.id, &channels).await;
    let is_known = found.is_ok();
    let by_channel: HashMap<ChannelName, BTreeMap<String, usize>> =
        channels.into_iter().zip(found.unwrap_or_default()).collect();
    let mut others = Vec::new();
    for channel in traces.iter_mut().flat_map(|trace| &mut trace.channels) {
        channel.nodes = match by_channel.get(&channel.channel) {
            Some(nodes) => nodes.clone(),
            None => BTreeMap::from([(node.name().to_owned(), channel.reach.subscribers)]),
        };
        others.push(channel.nodes.len().saturating_sub(usize::from(channel.reach.subscribers > 0)));
        // Also those who have come since: they are told apart from nobody alone.
        let everywhere = channel.nodes.values().sum();
        channel.reach.subscribers = channel.reach.subscribers.max(everywhere);
    }
    if let Some(bus) = node.bus().filter(|_| is_known) {
        let channels = traces.iter_mut().flat_map(|trace| &mut trace.channels).zip(others);
        let until = Instant::now() + PATIENCE;
        for (channel, nodes) in channels.filter(|(_, nodes)| *nodes > 0) {
            if Instant::now() >= until {
                break;
            }
            let there = bus.reach(&app.id, &channel.channel, except, (nodes, until)).await;
            channel.reach.took += there.took;
            channel.reach.excluded += there.excluded;
            channel.reach.slow += there.slow;
        }
    }
    if is_known {
        put_hints(node, &app.id, traces).await;
    }
    let id = traces.first().and_then(|trace| trace.id);
    let others = node.tenants.of(&app.id).last_traces();
    let others: Vec<EventTrace> =
        others.into_iter().map(|(_, trace)| trace).filter(|trace| trace.id != id).collect();
    for trace in traces {
        put_hint_about_event(trace, &others);
    }
}

/// The last traces of an app that keeps some, each with its number and with hints that hold now: of those that are wanted the
/// newest, so many at most, the newest first.
pub async fn last(
    node: &Node,
    app: &AppId,
    most: usize,
    is_wanted: impl Fn(u64, &EventTrace) -> bool,
) -> Vec<(u64, EventTrace)> {
    let (numbers, all): (Vec<u64>, Vec<EventTrace>) = node.tenants.of(app).last_traces().into_iter().unzip();
    let is_chosen = |at: &usize| is_wanted(numbers[*at], &all[*at]);
    let chosen: Vec<usize> = (0..all.len()).filter(is_chosen).take(most).collect();
    let mut traces: Vec<EventTrace> = chosen.iter().map(|at| all[*at].clone()).collect();
    put_hints(node, app, &mut traces).await;
    for (trace, at) in traces.iter_mut().zip(&chosen) {
        trace.number = Some(numbers[*at]);
        put_hint_about_event(trace, &all[at + 1..]);
        for channel in &mut trace.channels {
            channel.nodes = BTreeMap::from([(node.name().to_owned(), channel.reach.subscribers)]);
        }
    }
    chosen.into_iter().map(|at| numbers[at]).zip(traces).collect()
}

fn channels_of(traces: &[EventTrace]) -> impl Iterator<Item = &ChannelName> {
    traces.iter().flat_map(|trace| &trace.channels).map(|channel| &channel.channel)
}

/// The first channels that nobody is subscribed to, each once.
fn unreached(traces: &[EventTrace]) -> impl Iterator<Item = &ChannelName> {
    let mut seen = HashSet::new();
    let channels = traces.iter().flat_map(|trace| &trace.channels);
    let nobody = channels.filter(|channel| channel.reach.subscribers == 0).map(|channel| &channel.channel);
    nobody.filter(move |channel| seen.insert(*channel)).take(MOST_HINTED)
}

/// Puts hints to the first channels that nobody is subscribed to.
async fn put_hints(node: &Node, app: &AppId, traces: &mut [EventTrace]) {
    let wanted: Vec<String> = unreached(traces).map(|channel| channel.as_str().to_owned()).collect();
    let hints = hints_of(node, app, &wanted).await;
    for channel in traces.iter_mut().flat_map(|trace| &mut trace.channels) {
        if channel.reach.subscribers == 0 {
            channel.hint = hints.get(channel.channel.as_str()).cloned();
        }
    }
}

/// Compares the event's name with those of other events of its channels, the newest first.
fn put_hint_about_event(trace: &mut EventTrace, others: &[EventTrace]) {
    for channel in trace.channels.iter_mut().filter(|channel| channel.reach.subscribers > 0) {
        let was_on = |other: &&EventTrace| other.channels.iter().any(|on| on.channel == channel.channel);
        let names = others.iter().filter(was_on).map(|other| &*other.event);
        channel.hint = about_event(channel.channel.as_str(), channel.reach.subscribers, &trace.event, names);
    }
}

/// A hint for each of these channels but those that somebody is subscribed to; none while the cluster does not answer.
async fn hints_of(node: &Node, app: &AppId, wanted: &[String]) -> HashMap<String, TraceHint> {
    if wanted.is_empty() {
        return HashMap::new();
    }
    let mut nearest: Vec<Nearest<'_>> = wanted.iter().map(|wanted| Nearest::to(wanted)).collect();
    let Ok(list) = census::channels(node, app, ("", false)).await else { return HashMap::new() };
    let open = list.channels.iter().map(|(channel, counts)| (channel.as_str(), counts.subscriptions));
    look(&mut nearest, open, MOST_LOOKED_AT).await;
    let hints = wanted.iter().zip(nearest);
    hints.filter_map(|(wanted, nearest)| Some((wanted.clone(), nearest.hint()?))).collect()
}

/// Looks at open channels, at so many at most, in turns.
async fn look<'a>(nearest: &mut [Nearest<'_>], open: impl Iterator<Item = (&'a str, usize)>, most: usize) {
    for (at, (channel, subscribers)) in open.take(most).enumerate() {
        if at % TURN == TURN - 1 {
            yield_now().await;
        }
        nearest.iter_mut().for_each(|nearest| nearest.look(channel, subscribers));
    }
}

#[cfg(test)]
mod tests {
    use fanfare_hub::EventReach;
    use fanfare_protocol::event_id::EventId;

    use super::*;
    use crate::trace::ChannelTrace;

    #[tokio::test]
    async fn con_042_so_many_open_channels_are_looked_at_and_no_more() {
        for (most, is_found) in [(2, false), (3, true)] {
            let mut nearest = [Nearest::to("orders")];
            look(&mut nearest, [("a", 1), ("b", 1), ("private-orders", 1)].into_iter(), most).await;
            let hint = nearest.into_iter().next().and_then(Nearest::hint).unwrap();
            assert_eq!(hint.channel.is_some(), is_found, "{most}");
        }
    }

    #[test]
    fn con_042_the_first_channels_that_nobody_is_subscribed_to_get_hints_each_once() {
        let mut trace = EventTrace::new(EventId::new(1, 1), "e", "console".to_owned(), 1);
        let channel = |at: usize, subscribers| {
            let name = ChannelName::parse(&format!("c{at}"), 164).unwrap();
            ChannelTrace::new(name, EventReach { subscribers, ..EventReach::default() })
        };
        trace.channels = (0..4 * MOST_HINTED).map(|at| channel(at, at % 2)).chain([channel(0, 0)]).collect();
        let traces = [trace.clone(), trace];
        let names: Vec<&str> = unreached(&traces).map(ChannelName::as_str).collect();
        let wanted: Vec<String> = (0..MOST_HINTED).map(|at| format!("c{}", 2 * at)).collect();
        assert_eq!(names, wanted);
    }
}
