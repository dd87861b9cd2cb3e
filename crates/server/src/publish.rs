//! The one way in for new events.
//!
//! Encodes once per channel and hands the same bytes to every subscriber; never waits.

use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::server;

use crate::state::State;

/// An event that has passed every check.
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

/// Publishes an event of `app` to the subscribers on this node.
pub fn publish(state: &State, app: &App, event: &Event<'_>) {
    state.metrics.event_published(&app.id);
    let Some(hub) = state.hubs.get(&app.id) else { return };
    let quoted = server::Event::new(event.name, event.data);
    for channel in event.channels {
        hub.deliver(channel, &quoted.on(channel), event.except);
    }
}
