//! The only entry for new events, from back ends and from clients.
//!
//! Encodes once per channel and hands the same bytes to every subscriber; never waits. An app that is over a
//! quota is refused here, before encoding; usage is counted once per event.

use std::sync::Arc;

use fanfare_hub::AppHub;
use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::data::Data;
use fanfare_protocol::error::OverQuota;
use fanfare_protocol::ids::SocketId;
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

/// Publishes events of `app` to the subscribers on this node; cache channels keep the last event (WS-170).
///
/// # Errors
/// The quota that all events together would exceed; no event is published then.
pub fn publish(node: &Node, app: &Arc<App>, events: &[BackEndEvent<'_>]) -> Result<(), OverQuota> {
    let tenant = node.tenants.of(&app.id);
    let messages = events.iter().map(|event| event.channels.len()).sum();
    tenant.admit(app, messages, node.moment())?;
    let is_kept = events.iter().flat_map(|event| event.channels).any(ChannelName::is_cached);
    let hub = if is_kept {
        // Cached also while no client is connected (API-019).
        Some(node.hubs.open(app))
    } else {
        node.hubs.get(&app.id)
    };
    for event in events {
        let mut counts = EventCounts { messages: event.channels.len() as u64, ..EventCounts::default() };
        if let Some(hub) = &hub {
            deliver(node, app, hub, event, &mut counts);
        }
        tenant.count_event(Source::BackEnd, counts);
    }
    Ok(())
}

fn deliver(node: &Node, app: &App, hub: &AppHub, event: &BackEndEvent<'_>, counts: &mut EventCounts) {
    let quoted = server::QuotedEvent::new(event.name, event.data);
    for channel in event.channels {
        let frame = quoted.on(channel);
        let took = if channel.is_cached() {
            let until = node.milliseconds() + 1000 * app.limits.cache_seconds as u64;
            hub.deliver_and_keep(channel, &frame, event.except, until)
        } else {
            hub.deliver(channel, &frame, event.except)
        };
        counts.add_deliveries(took, &frame);
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
