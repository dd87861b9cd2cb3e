//! Answers to whoever asks where an event went: what other nodes have of its channels, and why nobody got it (CON-042).
//!
//! What is found out is kept with the trace, and does not change afterwards (CON-043).
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
use crate::trace::hint::{Nearest, TraceHint, about_event};
use crate::trace::{EventTrace, Known};

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
    let is_known = is_known && put_hints(node, &app.id, traces).await;
    let id = traces.first().and_then(|trace| trace.id);
    let tenant = node.tenants.of(&app.id);
    let others = tenant.last_traces();
    let others: Vec<EventTrace> =
        others.into_iter().map(|(_, trace)| trace).filter(|trace| trace.id != id).collect();
    for trace in traces {
        put_hint_about_event(trace, &others);
        if is_known && let Some(number) = trace.number {
            trace.known = Known::Cluster;
            tenant.traces.lock().know(number, trace);
        }
    }
}

/// The last traces of an app that keeps some, each with its number: of those that are wanted the newest, so many at most, the
/// newest first. Hints that have not been looked for are those that hold now.
pub async fn last(
    node: &Node,
    app: &AppId,
    most: usize,
    is_wanted: impl Fn(u64, &EventTrace) -> bool,
) -> Vec<(u64, EventTrace)> {
    let mut all = node.tenants.of(app).last_traces();
    let wanted = all.iter().enumerate().filter(|(_, (number, trace))| is_wanted(*number, trace));
    let chosen: Vec<usize> = wanted.map(|(at, _)| at).take(most).collect();
    find_hints(node, app, &mut all, &chosen).await;
    let finished = |at: usize| {
        let (number, mut trace) = all[at].clone();
        trace.number = Some(number);
        if trace.known != Known::Cluster {
            for channel in &mut trace.channels {
                channel.nodes = BTreeMap::from([(node.name().to_owned(), channel.reach.subscribers)]);
            }
        }
        (number, trace)
    };
    chosen.into_iter().map(finished).collect()
}

/// Looks for the hints of the traces since the last call, as long as what was open about then is open.
pub(crate) async fn hint_fresh(node: &Node) {
    for app in node.fresh_traces.take() {
        let mut all = node.tenants.of(&app).last_traces();
        let each: Vec<usize> = (0..all.len()).collect();
        if find_hints(node, &app, &mut all, &each).await {
            node.fresh_traces.add(&app);
        }
    }
}

/// Looks for the hints of these traces that have none yet, of so many at most, and keeps what is found; returns whether some
/// are left.
async fn find_hints(node: &Node, app: &AppId, all: &mut [(u64, EventTrace)], chosen: &[usize]) -> bool {
    let fresh: Vec<usize> = chosen.iter().copied().filter(|at| all[*at].1.known == Known::Publish).collect();
    let mut names: HashSet<&str> = HashSet::new();
    let mut now: Vec<usize> = Vec::new();
    for at in &fresh {
        let of: Vec<&str> = unreached(std::slice::from_ref(&all[*at].1)).map(ChannelName::as_str).collect();
        if names.len() + of.len() <= MOST_HINTED {
            names.extend(of);
            now.push(*at);
        }
    }
    if now.is_empty() {
        return false;
    }
    let mut traces: Vec<EventTrace> = now.iter().map(|at| all[*at].1.clone()).collect();
    let is_known = put_hints(node, app, &mut traces).await;
    let older: Vec<EventTrace> = all.iter().map(|(_, trace)| trace.clone()).collect();
    let tenant = node.tenants.of(app);
    for (mut trace, at) in traces.into_iter().zip(&now) {
        put_hint_about_event(&mut trace, &older[at + 1..]);
        if is_known {
            trace.known = Known::Hints;
            tenant.traces.lock().know(all[*at].0, &trace);
        }
        all[*at].1 = trace;
    }
    now.len() < fresh.len()
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

/// Puts hints to the first channels that nobody is subscribed to; false while the cluster does not answer.
async fn put_hints(node: &Node, app: &AppId, traces: &mut [EventTrace]) -> bool {
    let wanted: Vec<String> = unreached(traces).map(|channel| channel.as_str().to_owned()).collect();
    let Some(hints) = hints_of(node, app, &wanted).await else { return false };
    for channel in traces.iter_mut().flat_map(|trace| &mut trace.channels) {
        if channel.reach.subscribers == 0 {
            channel.hint = hints.get(channel.channel.as_str()).cloned();
        }
    }
    true
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
async fn hints_of(node: &Node, app: &AppId, wanted: &[String]) -> Option<HashMap<String, TraceHint>> {
    if wanted.is_empty() {
        return Some(HashMap::new());
    }
    let mut nearest: Vec<Nearest<'_>> = wanted.iter().map(|wanted| Nearest::to(wanted)).collect();
    let list = census::channels(node, app, ("", false)).await.ok()?;
    let open = list.channels.iter().map(|(channel, counts)| (channel.as_str(), counts.subscriptions));
    look(&mut nearest, open, MOST_LOOKED_AT).await;
    let hints = wanted.iter().zip(nearest);
    Some(hints.filter_map(|(wanted, nearest)| Some((wanted.clone(), nearest.hint()?))).collect())
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
    use fanfare_apps::Apps;
    use fanfare_config::Config;
    use fanfare_hub::{Budget, Conn, EventReach, Subscriptions};
    use fanfare_protocol::data::Data;
    use fanfare_protocol::event_id::EventId;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::node::NodeBounds;
    use crate::publish::{BackEndEvent, Publisher, publish};
    use crate::tasks::Tasks;
    use crate::trace::ChannelTrace;
    use crate::trace::hint::HintKind;

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

    /// A node, an app that traces, and a connection that is subscribed to `orders`.
    async fn traced() -> (Node, Arc<App>, Subscriptions) {
        let config = Config::default();
        let apps = Apps::open(Vec::new(), None, config.kept()).await.unwrap();
        let node = Node::new(config, apps, Tasks::default(), NodeBounds::default(), Registry::default());
        let app = Arc::new(App { trace: true, ..App::new(AppId::from("1"), Vec::new()) });
        let conn = Arc::new(Conn::new(SocketId::from_bits(1), Budget::of_each(1 << 20)));
        let mut subscriptions = Subscriptions::new(node.hubs.open(&app), conn);
        subscriptions.subscribe(ChannelName::parse("orders", 164).unwrap(), None, 0).unwrap();
        let channels = [ChannelName::parse("Orders", 164).unwrap()];
        let data = Data::from("1");
        let event = BackEndEvent { name: "e", data: &data, channels: &channels, except: None };
        publish(&node, &app, &[event], Publisher::Console).unwrap();
        (node, app, subscriptions)
    }

    async fn kind(node: &Node, app: &App) -> HintKind {
        last(node, &app.id, 1, |_, _| true).await[0].1.channels[0].hint.as_ref().unwrap().kind
    }

    #[tokio::test]
    async fn con_043_a_hint_stays_as_it_was_found_whatever_is_open_later() {
        let (node, app, subscriptions) = traced().await;
        assert_eq!(kind(&node, &app).await, HintKind::Case);
        drop(subscriptions);
        assert_eq!(kind(&node, &app).await, HintKind::Case);
    }

    #[tokio::test]
    async fn con_043_hints_are_found_while_nobody_looks() {
        let (node, app, subscriptions) = traced().await;
        hint_fresh(&node).await;
        drop(subscriptions);
        assert_eq!(kind(&node, &app).await, HintKind::Case);
    }
}
