//! `client-…`: an event from one subscriber to the others (WS-160 … WS-169).

use fanfare_protocol::data::Data;
use fanfare_protocol::error::ClientEventFault;

use super::Session;
use crate::publish::{ClientEvent, publish_client_event};

impl Session {
    /// Checks a client event, and publishes the event; `data` is the text for other clients.
    pub(super) fn client_event(
        &mut self,
        name: &str,
        channel: &str,
        data: &Data<'_>,
    ) -> Result<(), ClientEventFault> {
        let app = self.subscriptions.hub().app();
        if !app.client_events {
            return Err(ClientEventFault::Off);
        }
        let Some(channel) = self.subscriptions.get(channel).cloned() else {
            return Err(ClientEventFault::NotSubscribed(channel.to_owned()));
        };
        if !channel.kind().is_guarded() {
            return Err(ClientEventFault::Unguarded(channel.to_string()));
        }
        let (limit, length) = (app.limits.event_name, name.chars().count());
        if length > limit {
            return Err(ClientEventFault::NameTooLong { limit, length });
        }
        let (limit, size) = (app.limits.client_event_bytes, data.len());
        if size > limit {
            return Err(ClientEventFault::TooBig { limit, size });
        }
        let limit = app.limits.client_events_per_second;
        if !self.client_events.take(self.node.milliseconds(), limit, limit) {
            return Err(ClientEventFault::TooMany { limit });
        }
        let event = ClientEvent { name, data, channel: &channel, sender: self.socket_id() };
        publish_client_event(&self.node, self.subscriptions.hub(), &self.tenant, &event)
            .map_err(ClientEventFault::OverQuota)
    }
}
