//! Answers to whoever asks where an event went: what other nodes have of its channels, and why nobody got it (CON-042).
//!
//! What is found out is kept with the trace, and does not change afterwards (CON-043).
//!
//! Bounded work: few channels get a hint, among so many open channels, and no lock is held while names are compared.

mod of_nodes;

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
use crate::tenants::Tenant;
use crate::trace::hint::{Nearest, TraceHint, about_event};
use crate::trace::{ChannelTrace, EventTrace, KeptTrace, Known, NumberedTrace};

pub(crate) use self::of_nodes::told_to_others;
pub use self::of_nodes::{TraceOfNode, TracePlace, TracesOfNodes, TracesWanted, last_of_nodes};

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
    let others: Vec<NumberedTrace> =
        tenant.last_traces().into_iter().filter(|other| other.trace.id != id).collect();
    for trace in traces {
        put_hint_about_event(trace, &others);
        if is_known && let Some(number) = trace.number {
            trace.known = Known::Cluster;
            tenant.traces.lock().know(number, trace);
        }
    }
}

/// The last traces of an app that keeps some: of those that are wanted the first in the order of `wanted`, so many at most. Hints
/// that have not been looked for are those that hold now.
async fn last<Place: Ord>(
    node: &Node,
    app: &AppId,
    most: usize,
    wanted: impl Fn(&NumberedTrace) -> Option<Place>,
) -> Vec<EventTrace> {
    let Some(tenant) = node.tenants.find(app) else { return Vec::new() };
    let all = tenant.last_traces();
    let placed = all.iter().enumerate().filter_map(|(at, kept)| Some((wanted(kept)?, at)));
    let mut placed: Vec<(Place, usize)> = placed.collect();
    placed.sort_unstable();
    placed.truncate(most);
    let chosen: Vec<usize> = placed.into_iter().map(|(_, at)| at).collect();
    let (mut hinted, _) = find_hints(node, &tenant, &all, &chosen).await;
    let finished = |at: usize| {
        let mut trace = hinted.remove(&at).unwrap_or_else(|| all[at].event_trace());
        if trace.known != Known::Cluster {
            for channel in &mut trace.channels {
                channel.nodes = BTreeMap::from([(node.name().to_owned(), channel.reach.subscribers)]);
            }
        }
        trace
    };
    chosen.into_iter().map(finished).collect()
}

/// Looks for the hints of the traces since the last call, as long as what was open about then is open.
pub(crate) async fn hint_fresh(node: &Node) {
    for app in node.fresh_traces.take() {
        let Some(tenant) = node.tenants.find(&app) else { continue };
        let all = {
            let mut traces = tenant.traces.lock();
            traces.forget_note();
            traces.newest()
        };
        let each: Vec<usize> = (0..all.len()).collect();
        let (_, is_some_left) = find_hints(node, &tenant, &all, &each).await;
        if is_some_left {
            node.fresh_traces.add(&app);
        }
    }
}

/// Looks for the hints of these traces that have none yet, of so many at most, and keeps what is found; returns the traces with hints by
/// their places, and whether hints of some are left to be looked for. Of traces without hints nothing is copied.
async fn find_hints(
    node: &Node,
    tenant: &Tenant,
    all: &[NumberedTrace],
    chosen: &[usize],
) -> (HashMap<usize, EventTrace>, bool) {
    let fresh = || chosen.iter().copied().filter(|at| all[*at].known == Known::Publish);
    let mut names: HashSet<&str> = HashSet::new();
    let mut left = 0;
    let mut now: Vec<usize> = Vec::new();
    for at in fresh() {
        let mut of: Vec<&str> = Vec::new();
        for name in nobody_on(&all[at].trace) {
            if of.len() < MOST_HINTED && !of.contains(&name) {
                of.push(name);
            }
        }
        if names.len() + of.len() <= MOST_HINTED {
            names.extend(of);
            now.push(at);
        } else {
            left += 1;
        }
    }
    let wanted: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let hints = hints_of(node, &tenant.app, &wanted).await;
    let (mut hinted, mut without) = (HashMap::new(), Vec::new());
    for at in now {
        yield_now().await;
        let NumberedTrace { number, trace, .. } = &all[at];
        let is_known = hints.is_some() || nobody_on(trace).next().is_none();
        if !has_hint(trace, hints.as_ref(), &all[at + 1..]) {
            if is_known {
                without.push(*number);
            }
            continue;
        }
        let mut shown = all[at].event_trace();
        put_hints_about_names(&mut shown.channels, hints.as_ref());
        put_hint_about_event(&mut shown, &all[at + 1..]);
        if is_known {
            shown.known = Known::Hints;
            tenant.traces.lock().know(*number, &shown);
        }
        hinted.insert(at, shown);
    }
    tenant.traces.lock().know_without_hints(&without);
    (hinted, left > 0)
}

/// The channels that nobody is subscribed to.
fn nobody_on(trace: &KeptTrace) -> impl Iterator<Item = &str> {
    trace.channels().filter(|(_, subscribers)| *subscribers == 0).map(|(name, _)| name)
}

/// Whether a channel of the trace gets a hint; `older` are the traces before.
fn has_hint(trace: &KeptTrace, hints: Option<&HashMap<String, TraceHint>>, older: &[NumberedTrace]) -> bool {
    trace.channels().any(|(name, subscribers)| match subscribers {
        0 => hints.is_some_and(|hints| hints.contains_key(name)),
        _ => about_event(name, subscribers, trace.event(), events_on(name, older)).is_some(),
    })
}

/// The names of the events of these traces that went to a channel, in their order.
fn events_on<'a>(channel: &str, traces: &'a [NumberedTrace]) -> impl Iterator<Item = &'a str> + Clone {
    let was_on = move |other: &&NumberedTrace| other.trace.channels().any(|(on, _)| on == channel);
    traces.iter().filter(was_on).map(|other| other.trace.event())
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
    let hints = hints_of(node, app, &wanted).await;
    for trace in traces {
        put_hints_about_names(&mut trace.channels, hints.as_ref());
    }
    hints.is_some()
}

fn put_hints_about_names(channels: &mut [ChannelTrace], hints: Option<&HashMap<String, TraceHint>>) {
    for channel in channels.iter_mut().filter(|channel| channel.reach.subscribers == 0) {
        channel.hint = hints.and_then(|hints| hints.get(channel.channel.as_str())).cloned();
    }
}

/// Compares the event's name with those of other events of its channels, the newest first.
fn put_hint_about_event(trace: &mut EventTrace, others: &[NumberedTrace]) {
    for channel in trace.channels.iter_mut().filter(|channel| channel.reach.subscribers > 0) {
        let names = events_on(channel.channel.as_str(), others);
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
    use std::cmp::Reverse;

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
        last(node, &app.id, 1, |kept| Some(Reverse(kept.number))).await[0].channels[0]
            .hint
            .as_ref()
            .unwrap()
            .kind
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
