//! The one way in for new events, from back ends and from clients.
//!
//! Encodes once per channel and hands the same bytes to every subscriber; never waits.

use std::sync::Arc;

use fanfare_hub::AppHub;
use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::server;

use crate::state::State;

/// An event from a back end that has passed every check.
#[derive(Debug)]
pub struct Event<'a> {
    /// Its name.
    pub name: &'a str,
    /// Passed on byte for byte (WS-104).
    pub data: &'a str,
    /// Distinct channels (API-015).
    pub channels: &'a [ChannelName],
    /// The connection that does not get it (API-014).
    pub except: Option<SocketId>,
}

/// An event from a client that may send it.
#[derive(Debug)]
pub struct ClientEvent<'a> {
    /// Its name.
    pub name: &'a str,
    /// As others get it (WS-164).
    pub data: &'a str,
    /// The one channel.
    pub channel: &'a ChannelName,
    /// Who sent it, and does not get it.
    pub sender: SocketId,
}

/// Publishes an event of `app` to the subscribers on this node; cache channels keep it (WS-170).
pub fn publish(state: &State, app: &Arc<App>, event: &Event<'_>) {
    state.metrics.event_published(&app.id);
    let hub = if event.channels.iter().any(ChannelName::is_cached) {
        // It is kept also if nobody is connected yet (API-019).
        Some(state.hubs.open(app))
    } else {
        state.hubs.get(&app.id)
    };
    let Some(hub) = hub else { return };
    let quoted = server::Event::new(event.name, event.data);
    for channel in event.channels {
        let frame = quoted.on(channel);
        if channel.is_cached() {
            let until = state.milliseconds() + 1000 * app.limits.cache_seconds as u64;
            hub.deliver_and_keep(channel, &frame, event.except, until);
        } else {
            hub.deliver(channel, &frame, event.except);
        }
    }
}

/// Publishes an event of a client to the other subscribers on this node; it is never kept (WS-167).
pub fn publish_client_event(state: &State, hub: &AppHub, event: &ClientEvent<'_>) {
    state.metrics.client_event_published(&hub.app().id);
    let user = hub.user_of(event.channel, event.sender);
    let quoted = server::Event::new(event.name, event.data);
    hub.deliver(event.channel, &quoted.from_client(event.channel, user.as_ref()), Some(event.sender));
}
