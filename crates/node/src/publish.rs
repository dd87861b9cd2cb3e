//! The only entry for new events, from back ends and from clients.
//!
//! Encodes once per channel and hands the same bytes to every subscriber; never waits. An app that is over a
//! quota is refused here, before encoding; usage is counted once per event.

use std::fmt;
use std::sync::Arc;

use fanfare_hub::{AppHub, FedEvent};
use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::data::Data;
use fanfare_protocol::error::OverQuota;
use fanfare_protocol::event_id::EventId;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{AppId, SocketId, UserId};
use fanfare_protocol::server::QuotedEvent;
use fanfare_protocol::webhook;
use fanfare_spans::{Span, Work};

use crate::clock::unix_milliseconds;
use crate::node::Node;
use crate::taps::{LiveBy, LiveFact, LiveKind};
use crate::tenants::{EventCounts, Source, Tenant};
use crate::trace::{ChannelTrace, EventTrace};

/// A checked event from a back end.
#[derive(Debug)]
pub struct BackEndEvent<'a> {
    /// The event's name.
    pub name: &'a str,
    /// The event's data, passed on byte for byte (WS-104).
    pub data: &'a Data<'a>,
    /// Distinct channels (API-015).
    pub channels: &'a [ChannelName],
    /// The connection that does not get the event (API-014).
    pub except: Option<SocketId>,
}

/// A checked event from a client.
#[derive(Debug)]
pub struct ClientEvent<'a> {
    /// The event's name.
    pub name: &'a str,
    /// The event's data, as other clients get it (WS-164).
    pub data: &'a Data<'a>,
    /// The event's only channel.
    pub channel: &'a ChannelName,
    /// The sender, who does not get the event.
    pub sender: SocketId,
}

/// Who publishes for an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publisher<'a> {
    /// A back end, with this key.
    Key(&'a str),
    /// An operator, through the administration API.
    Console,
    /// A Redis that every node listens to: each node delivers to its own subscribers, and one counts and keeps the event
    /// (CL-068).
    Feed,
}

impl Publisher<'_> {
    /// Whether every node has heard of the event by itself.
    fn is_heard_everywhere(self) -> bool {
        self == Self::Feed
    }
}

impl<'a> Publisher<'a> {
    /// As operators see it.
    const fn seen(self) -> LiveBy<'a> {
        match self {
            Self::Key(key) => LiveBy::Key(key),
            Self::Console => LiveBy::Console,
            Self::Feed => LiveBy::Feed,
        }
    }
}

impl fmt::Display for Publisher<'_> {
    /// As traces say it: of a key the first four characters (CON-082).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.seen().fmt(f)
    }
}

/// Publishes events of `app` to the subscribers on all nodes; cache channels keep the last event (WS-170). Returns the id
/// of all of them together (CON-043).
///
/// # Errors
/// The quota that all events together would exceed; no event is published then.
pub fn publish(
    node: &Node,
    app: &Arc<App>,
    events: &[BackEndEvent<'_>],
    by: Publisher<'_>,
) -> Result<EventId, OverQuota> {
    if app.trace {
        return publish_traced(node, app, events, by).map(|(id, _)| id);
    }
    accept(node, app, events, by, None)
}

/// As [`publish`], and says where each event went on this node; [`complete`](crate::inquiry::complete) adds the rest.
///
/// # Errors
/// As [`publish`].
pub fn publish_traced(
    node: &Node,
    app: &Arc<App>,
    events: &[BackEndEvent<'_>],
    by: Publisher<'_>,
) -> Result<(EventId, Vec<EventTrace>), OverQuota> {
    let mut traces = Vec::new();
    let id = accept(node, app, events, by, Some(&mut traces))?;
    if app.trace {
        let tenant = node.tenants.of(&app.id);
        for trace in &mut traces {
            let (number, is_first) = tenant.keep_trace(trace);
            trace.number = Some(number);
            if is_first && !node.fresh_traces.add(&app.id) {
                tenant.traces.lock().forget_note();
            }
        }
    }
    Ok((id, traces))
}

/// Keeps the refusal of a publish, for an app that traces: the event's name as far as there is one, the status of the answer if
/// there is one, and the reason (CON-043).
pub fn note_refused(node: &Node, app: &App, event: &str, by: Publisher<'_>, refused: (Option<u16>, &str)) {
    if app.trace {
        let trace = EventTrace::refused(unix_milliseconds(), event, by.to_string(), refused);
        node.tenants.of(&app.id).keep_trace(&trace);
    }
}

/// Publishes, and traces where somebody wants that.
fn accept(
    node: &Node,
    app: &Arc<App>,
    events: &[BackEndEvent<'_>],
    by: Publisher<'_>,
    mut traces: Option<&mut Vec<EventTrace>>,
) -> Result<EventId, OverQuota> {
    let tenant = node.tenants.of(&app.id);
    let is_counted_elsewhere = by.is_heard_everywhere() && node.bus().is_some_and(|bus| !bus.is_first());
    if !is_counted_elsewhere {
        let messages = events.iter().map(|event| event.channels.len()).sum();
        tenant.admit(app, messages, node.moment())?;
    }
    let mut span = Span::within(Work::Publish);
    let _timer = node.timings.publish(node.hubs.budget());
    let id = node.event_ids.next();
    let is_kept = events.iter().flat_map(|event| event.channels).any(ChannelName::is_cached);
    let is_in_order = resumes_elsewhere(node, app);
    let hub = if is_kept || is_in_order {
        // Cached also while no client is connected (API-019); for the hub's order of events, whoever connects meanwhile.
        Some(node.hubs.open(app))
    } else {
        node.hubs.get(&app.id)
    };
    // Otherwise nobody is here, and nobody else is told.
    let is_watched = tenant.taps.are_open() && !is_counted_elsewhere;
    let is_for_somebody = hub.is_some() || is_watched || !by.is_heard_everywhere() && node.bus().is_some();
    let watched = is_watched.then_some(&*tenant);
    let way = Way { node, app, hub: hub.as_deref(), by, is_counted_elsewhere, is_in_order, watched };
    let mut deliveries = 0;
    for event in events {
        if let Some(traces) = &mut traces {
            traces.push(way.trace(event, id));
        }
        let counts = if is_for_somebody {
            way.deliver(event, traces.as_mut().and_then(|traces| traces.last_mut()))
        } else {
            EventCounts { messages: event.channels.len() as u64, ..EventCounts::default() }
        };
        deliveries += counts.deliveries;
        if is_counted_elsewhere {
            tenant.count_deliveries(counts);
        } else {
            tenant.count_event(Source::BackEnd, counts);
        }
    }
    span.text("fanfare.app", || app.id.as_str());
    span.number("fanfare.events", || events.len() as u64);
    span.number("fanfare.deliveries", || deliveries);
    Ok(id)
}

/// The way of one publisher's events.
struct Way<'a> {
    node: &'a Node,
    app: &'a App,
    /// The app's hub here, if there is one.
    hub: Option<&'a AppHub>,
    by: Publisher<'a>,
    is_counted_elsewhere: bool,
    /// Other nodes have to hear the events of a channel in the order of this node.
    is_in_order: bool,
    /// The app's numbers, where operators look at what happens.
    watched: Option<&'a Tenant>,
}

impl Way<'_> {
    /// What is known before the event is delivered: whom the event is going to reach here.
    fn trace(&self, event: &BackEndEvent<'_>, id: EventId) -> EventTrace {
        let mut trace = EventTrace::new(id, event.name, self.by.to_string(), event.data.len());
        let reach =
            |channel: &ChannelName| self.hub.map(|hub| hub.reach(channel, event.except)).unwrap_or_default();
        let traced = |channel: &ChannelName| ChannelTrace::new(channel.clone(), reach(channel));
        trace.channels = event.channels.iter().map(traced).collect();
        trace
    }

    fn deliver(&self, event: &BackEndEvent<'_>, mut trace: Option<&mut EventTrace>) -> EventCounts {
        let mut counts = EventCounts { messages: event.channels.len() as u64, ..EventCounts::default() };
        let quoted = quoted(self.node, event.name, event.data);
        for (at, channel) in event.channels.iter().enumerate() {
            let frame = quoted.on(channel);
            let is_told = !self.by.is_heard_everywhere() && !channel.is_cached();
            let tell = || tell_others(self.node, &self.app.id, channel, event.except, &frame);
            let took = match self.hub {
                Some(hub) if is_told && self.is_in_order => {
                    hub.deliver_and_tell(channel, &frame, event.except, tell)
                }
                hub => {
                    let took = hub.map_or(0, |hub| self.deliver_on(hub, channel, &frame, event.except));
                    if is_told {
                        tell();
                    }
                    took
                }
            };
            counts.add_deliveries(took, &frame);
            if let Some(tenant) = self.watched {
                self.show(tenant, event, (channel, took, &frame));
            }
            if let Some(traced) = trace.as_mut().and_then(|trace| trace.channels.get_mut(at)) {
                traced.took(took);
            }
        }
        counts
    }

    /// Shows operators an event that so many connections took here.
    fn show(
        &self,
        tenant: &Tenant,
        event: &BackEndEvent<'_>,
        (channel, took, frame): (&ChannelName, usize, &Frame),
    ) {
        // An event of a cache channel may still be on its way through Redis to those that are going to take it.
        let hub = self.hub.filter(|_| channel.is_cached() && self.node.bus().is_some());
        let reach = hub.map(|hub| hub.reach(channel, event.except).took).unwrap_or_default();
        let is_fed = self.by.is_heard_everywhere();
        tenant.taps.tell(|| LiveFact {
            channel: Some(channel.as_str()),
            event: Some(event.name),
            bytes: Some(event.data.len()),
            receivers: Some(took.max(reach)),
            by: Some(self.by.seen()),
            user: channel.user(),
            frame: Some(frame),
            ..LiveFact::of(if is_fed { LiveKind::RedisEvent } else { LiveKind::Event })
        });
    }

    /// Events of cache channels go to other nodes by way of the hub, which keeps their order.
    fn deliver_on(
        &self,
        hub: &AppHub,
        channel: &ChannelName,
        frame: &Frame,
        except: Option<SocketId>,
    ) -> usize {
        if !channel.is_cached() {
            return hub.deliver(channel, frame, except);
        }
        let until = self.node.milliseconds() + 1000 * self.app.limits.cache_seconds as u64;
        if self.by.is_heard_everywhere() {
            let is_told = !self.is_counted_elsewhere;
            hub.deliver_fed(channel, FedEvent { frame, except, until, is_told })
        } else {
            hub.deliver_and_keep(channel, frame, except, until)
        }
    }
}

/// Whether clients of the app may come from one node to another and get there what they missed: then each node tells the
/// events of a channel in the order of its own (RES-014).
fn resumes_elsewhere(node: &Node, app: &App) -> bool {
    app.resume_seconds > 0 && node.bus().is_some()
}

/// Tells the other nodes of an event; never waits (CL-003).
fn tell_others(node: &Node, app: &AppId, channel: &ChannelName, except: Option<SocketId>, frame: &Frame) {
    if let Some(bus) = node.bus() {
        bus.publish(app, channel, except, frame.payload());
    }
}

/// Publishes an event of a client to the other subscribers on this node; client events are never cached (WS-167).
///
/// # Errors
/// The app's quota that is exceeded; nothing is published then.
pub fn publish_client_event(
    node: &Node,
    hub: &AppHub,
    tenant: &Tenant,
    event: &ClientEvent<'_>,
) -> Result<(), OverQuota> {
    let app = hub.app();
    tenant.admit(&app, 1, node.moment())?;
    let timer = node.timings.publish(node.hubs.budget());
    let user = hub.user_of(event.channel, event.sender);
    let quoted = quoted(node, event.name, event.data);
    let frame = quoted.from_client(event.channel, user.as_ref());
    let tell = || tell_others(node, &app.id, event.channel, Some(event.sender), &frame);
    let took = if resumes_elsewhere(node, &app) {
        hub.deliver_and_tell(event.channel, &frame, Some(event.sender), tell)
    } else {
        let took = hub.deliver(event.channel, &frame, Some(event.sender));
        tell();
        took
    };
    drop(timer);
    let mut counts = EventCounts { messages: 1, ..EventCounts::default() };
    counts.add_deliveries(took, &frame);
    tenant.count_event(Source::Client, counts);
    tenant.taps.tell(|| LiveFact {
        channel: Some(event.channel.as_str()),
        event: Some(event.name),
        socket: Some(event.sender),
        user: user.as_ref().map(UserId::as_str),
        bytes: Some(event.data.len()),
        receivers: Some(took),
        by: Some(LiveBy::Socket),
        frame: Some(&frame),
        ..LiveFact::of(LiveKind::ClientEvent)
    });
    hub.tell_client_event(event.channel, || webhook::SentEvent {
        channel: event.channel.clone(),
        name: event.name.to_owned(),
        data: event.data.clone().into_owned(),
        sender: event.sender,
        user,
    });
    Ok(())
}

/// Name and data, quoted once; with the mark that Socket.IO needs only where such clients may be (SIO-055).
fn quoted(node: &Node, name: &str, data: &Data<'_>) -> QuotedEvent {
    if node.config().socketio.enabled {
        QuotedEvent::for_both_dialects(name, data)
    } else {
        QuotedEvent::new(name, data)
    }
}
