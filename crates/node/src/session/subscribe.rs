//! `pusher:subscribe`: who may subscribe to which channel (WS-110 … WS-137).

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use fanfare_hub::SubscribeError;
use fanfare_protocol::app::App;
use fanfare_protocol::auth::verify_channel;
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::client::Subscribe;
use fanfare_protocol::close::{CloseReason, shortened};
use fanfare_protocol::error::ProtocolError;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::{server, user};
use fanfare_spans::{Span, Work};

use super::Session;

impl Session {
    /// Subscribes, or answers why not.
    pub(super) fn on_subscribe(
        &mut self,
        wanted: &Subscribe<'_>,
        authorized: &AtomicBool,
    ) -> ControlFlow<CloseReason> {
        let app = self.subscriptions.hub().app();
        let mut span = Span::within(Work::Subscribe);
        span.text("fanfare.app", || app.id.as_str());
        let subscribed = self.subscribe(&app, wanted);
        if let Err(error) = &subscribed {
            span.failed(|| error.label());
        }
        span.end();
        match subscribed {
            Ok(kind) if kind.is_guarded() => self.authorize(authorized),
            Ok(_) => ControlFlow::Continue(()),
            Err(error) => {
                let flow = self.on_fault_at(Some(&wanted.channel), &error);
                if app.subscription_error_event {
                    self.send_subscription_error(&wanted.channel, &error);
                }
                flow
            }
        }
    }

    /// Every check of a subscription, in order, then the subscription itself.
    fn subscribe(&mut self, app: &App, wanted: &Subscribe<'_>) -> Result<ChannelKind, ProtocolError> {
        self.take_change()?;
        let channel = self.admissible(app, &wanted.channel)?;
        let name = || channel.as_str().to_owned();
        let kind = channel.kind();
        let channel_data = wanted.channel_data.as_deref();
        let signed_in = self.subscriptions.signed_in();
        if channel.user().is_some_and(|user| signed_in.is_none_or(|signed_in| signed_in.id.as_str() != user))
        {
            return Err(ProtocolError::NotSignedIn(name()));
        }
        if kind.is_guarded() {
            let auth = wanted.auth.as_deref();
            verify_channel(app, self.socket_id(), channel.as_str(), auth, channel_data)?;
        }
        let identity = match (kind, channel_data, signed_in) {
            (ChannelKind::Presence, Some(data), _) => {
                Some(Identity::parse(data, channel.as_str(), &app.limits)?)
            }
            (ChannelKind::Presence, None, Some(user)) => {
                Some(user::identity(&user.id, &user.user_info, &app.limits)?)
            }
            (ChannelKind::Presence, None, None) => return Err(ProtocolError::ChannelDataMissing(name())),
            _ => None,
        };
        self.join(app, channel, identity)?;
        Ok(kind)
    }

    /// The name of a channel that the client may subscribe to, as far as neither signature nor application decides.
    pub(super) fn admissible(&self, app: &App, name: &str) -> Result<ChannelName, ProtocolError> {
        let channel = ChannelName::parse(name, app.limits.channel_name)
            .map_err(|fault| ProtocolError::InvalidChannelName { name: name.to_owned(), fault })?;
        self.has_room_for(&channel)?;
        Ok(channel)
    }

    /// Whether the client is subscribed already, or to as many channels as it may.
    pub(super) fn has_room_for(&self, channel: &ChannelName) -> Result<(), ProtocolError> {
        if self.subscriptions.contains(channel.as_str()) {
            return Err(ProtocolError::ExistingSubscription(channel.as_str().to_owned()));
        }
        let limit = self.node.config().limits.channels_per_connection;
        if self.subscriptions.len() >= limit {
            return Err(ProtocolError::TooManyChannels { limit });
        }
        Ok(())
    }

    /// The subscription itself, after every check.
    pub(super) fn join(
        &mut self,
        app: &App,
        channel: ChannelName,
        identity: Option<Identity>,
    ) -> Result<(), ProtocolError> {
        let name = channel.clone();
        let name = || name.as_str().to_owned();
        match self.enter(channel, identity) {
            Ok(()) => Ok(()),
            Err(SubscribeError::Existing) => Err(ProtocolError::ExistingSubscription(name())),
            Err(SubscribeError::Full) => {
                Err(ProtocolError::ChannelFull { channel: name(), limit: app.limits.members })
            }
        }
    }

    /// soketi's form of a failed subscription, beside Pusher's (WS-133).
    fn send_subscription_error(&self, channel: &str, error: &ProtocolError) {
        if let Some((kind, status)) = error.subscription_error_status() {
            let channel = shortened(channel, 200);
            self.send(&server::subscription_error(&channel, kind, &error.to_string(), status));
        }
    }
}
