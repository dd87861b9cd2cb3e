//! The only entry for new events, from back ends and from clients.
//!
//! Encodes once per channel and hands the same bytes to every subscriber; never waits. An app that is over a
//! quota is refused here, before encoding; usage is counted once per event.

use std::sync::Arc;

use fanfare_hub::{AppHub, FedEvent};
use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::data::Data;
use fanfare_protocol::error::OverQuota;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{AppId, SocketId};
use fanfare_protocol::{server, webhook};

use crate::node::Node;
use crate::tenants::{EventCounts, Source, Tenant};

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

/// Which nodes a publisher's event goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// All nodes.
    Cluster,
    /// This node: every node has heard of the event by itself, and one of them counts and keeps it (CL-068).
    Node,
}

/// Publishes events of `app` to the subscribers on all nodes; cache channels keep the last event (WS-170).
///
/// # Errors
/// The quota that all events together would exceed; no event is published then.
pub fn publish(
    node: &Node,
    app: &Arc<App>,
    events: &[BackEndEvent<'_>],
    spread: Spread,
) -> Result<(), OverQuota> {
    let tenant = node.tenants.of(&app.id);
    let is_counted_elsewhere = spread == Spread::Node && node.bus().is_some_and(|bus| !bus.is_first());
    if !is_counted_elsewhere {
        let messages = events.iter().map(|event| event.channels.len()).sum();
        tenant.admit(app, messages, node.moment())?;
    }
    let is_kept = events.iter().flat_map(|event| event.channels).any(ChannelName::is_cached);
    let hub = if is_kept {
        // Cached also while no client is connected (API-019).
        Some(node.hubs.open(app))
    } else {
        node.hubs.get(&app.id)
    };
    if hub.is_none() && (spread == Spread::Node || node.bus().is_none()) {
        // Nobody is here, and nobody else is told.
        for event in events.iter().filter(|_| !is_counted_elsewhere) {
            let messages = event.channels.len() as u64;
            tenant.count_event(Source::BackEnd, EventCounts { messages, ..EventCounts::default() });
        }
        return Ok(());
    }
    let way = Way { node, app, hub: hub.as_deref(), spread, is_counted_elsewhere };
    for event in events {
        let counts = way.deliver(event);
        if is_counted_elsewhere {
            tenant.count_deliveries(counts);
        } else {
            tenant.count_event(Source::BackEnd, counts);
        }
    }
    Ok(())
}

/// The way of one publisher's events.
struct Way<'a> {
    node: &'a Node,
    app: &'a App,
    /// The app's hub here, if there is one.
    hub: Option<&'a AppHub>,
    spread: Spread,
    is_counted_elsewhere: bool,
}

impl Way<'_> {
    fn deliver(&self, event: &BackEndEvent<'_>) -> EventCounts {
        let mut counts = EventCounts { messages: event.channels.len() as u64, ..EventCounts::default() };
        let quoted = server::QuotedEvent::new(event.name, event.data);
        for channel in event.channels {
            let frame = quoted.on(channel);
            let took = self.hub.map_or(0, |hub| self.deliver_on(hub, channel, &frame, event.except));
            if self.spread == Spread::Cluster && !channel.is_cached() {
                tell_others(self.node, &self.app.id, channel, event.except, &frame);
            }
            counts.add_deliveries(took, &frame);
        }
        counts
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
        match self.spread {
            Spread::Cluster => hub.deliver_and_keep(channel, frame, except, until),
            Spread::Node => {
                let is_told = !self.is_counted_elsewhere;
                hub.deliver_fed(channel, FedEvent { frame, except, until, is_told })
            }
        }
    }
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
    tenant.admit(&hub.app(), 1, node.moment())?;
    let user = hub.user_of(event.channel, event.sender);
    let quoted = server::QuotedEvent::new(event.name, event.data);
    let frame = quoted.from_client(event.channel, user.as_ref());
    let took = hub.deliver(event.channel, &frame, Some(event.sender));
    tell_others(node, &hub.app().id, event.channel, Some(event.sender), &frame);
    let mut counts = EventCounts { messages: 1, ..EventCounts::default() };
    counts.add_deliveries(took, &frame);
    tenant.count_event(Source::Client, counts);
    hub.tell_client_event(event.channel, || webhook::SentEvent {
        channel: event.channel.clone(),
        name: event.name.to_owned(),
        data: event.data.clone().into_owned(),
        sender: event.sender,
        user,
    });
    Ok(())
}
