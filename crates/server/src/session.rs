//! What a connected client may do: one function for each message that it can send.
//!
//! Never waits: whatever takes time is queued. A failed command answers with one `pusher:error` and
//! changes nothing (WS-130).

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fanfare_hub::{Place, SubscribeError, Subscriptions};
use fanfare_protocol::app::App;
use fanfare_protocol::auth::verify_channel;
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::client::{ClientMessage, Subscribe};
use fanfare_protocol::close::{CloseReason, shortened};
use fanfare_protocol::error::ProtocolError;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::server;

use crate::state::State;

/// Faulty commands that may come at once (WS-214).
const FAULTS_AT_ONCE: u64 = 100;

/// Milliseconds after which another faulty command is forgiven.
const FAULT_FORGIVEN_MS: u64 = 100;

/// The state of one connection; owned by its task.
pub struct Session {
    state: Arc<State>,
    subscriptions: Subscriptions,
    /// The place in the app's quota, once there is one (WS-062).
    place: Option<Place>,
    /// The moment, in milliseconds since the start, when all faults will be forgiven.
    faults_forgiven_at: u64,
}

impl Session {
    /// The session of a connection without subscriptions.
    #[must_use]
    pub const fn new(state: Arc<State>, subscriptions: Subscriptions, place: Option<Place>) -> Self {
        Self { state, subscriptions, place, faults_forgiven_at: 0 }
    }

    /// A text message; breaks when the connection is to end. `authorized` is set when it may stay.
    pub fn on_text(&mut self, text: &str, authorized: &AtomicBool) -> ControlFlow<CloseReason> {
        self.state.metrics.message_received();
        let done = match ClientMessage::parse(text) {
            Ok(ClientMessage::Ping) => {
                self.send(&server::pong());
                Ok(())
            }
            Ok(ClientMessage::Pong) => Ok(()),
            Ok(ClientMessage::Subscribe(wanted)) => return self.on_subscribe(&wanted, authorized),
            Ok(ClientMessage::Unsubscribe { channel }) => {
                if self.subscriptions.unsubscribe(&channel) {
                    Ok(())
                } else {
                    Err(ProtocolError::NoSubscription(channel.into_owned()))
                }
            }
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => self.on_fault(&error),
        }
    }

    /// A binary message: not part of the protocol (WS-021).
    pub fn on_binary(&mut self) -> ControlFlow<CloseReason> {
        self.state.metrics.message_received();
        self.on_fault(&ProtocolError::BinaryMessage)
    }

    /// A Ping frame: answered at any time (WS-042).
    pub fn on_ping(&self, payload: &[u8]) {
        self.send(&Frame::pong(payload));
    }

    fn on_subscribe(&mut self, wanted: &Subscribe<'_>, authorized: &AtomicBool) -> ControlFlow<CloseReason> {
        let app = self.subscriptions.hub().app();
        match self.subscribe(&app, wanted) {
            Ok(kind) if kind.is_guarded() && self.place.is_none() => {
                // An unauthorized connection does not count; from here on it does (WS-062).
                self.place = self.subscriptions.hub().take_place();
                if self.place.is_none() {
                    return ControlFlow::Break(CloseReason::OverQuota);
                }
                authorized.store(true, Ordering::Relaxed);
                ControlFlow::Continue(())
            }
            Ok(_) => ControlFlow::Continue(()),
            Err(error) => {
                let flow = self.on_fault(&error);
                if app.subscription_error_event {
                    self.send_subscription_error(&wanted.channel, &error);
                }
                flow
            }
        }
    }

    /// Every check of a subscription, in order, then the subscription itself.
    fn subscribe(&mut self, app: &App, wanted: &Subscribe<'_>) -> Result<ChannelKind, ProtocolError> {
        let channel = ChannelName::parse(&wanted.channel, app.limits.channel_name)
            .map_err(|_| ProtocolError::InvalidChannelName(wanted.channel.to_string()))?;
        let name = || channel.as_str().to_owned();
        if self.subscriptions.contains(channel.as_str()) {
            return Err(ProtocolError::ExistingSubscription(name()));
        }
        let limit = self.state.config.limits.channels_per_connection;
        if self.subscriptions.len() >= limit {
            return Err(ProtocolError::TooManyChannels { limit });
        }
        let kind = channel.kind();
        let channel_data = wanted.channel_data.as_deref();
        if kind == ChannelKind::ServerToUser {
            return Err(ProtocolError::NotSignedIn(name()));
        }
        if kind.is_guarded() {
            let auth = wanted.auth.as_deref();
            verify_channel(app, self.socket_id(), channel.as_str(), auth, channel_data)?;
        }
        let identity = match (kind, channel_data) {
            (ChannelKind::Presence, Some(data)) => {
                Some(Identity::parse(data, channel.as_str(), app.limits.member_bytes)?)
            }
            (ChannelKind::Presence, None) => return Err(ProtocolError::ChannelDataMissing(name())),
            _ => None,
        };
        match self.subscriptions.subscribe(channel.clone(), identity) {
            Ok(()) => Ok(kind),
            Err(SubscribeError::Existing) => Err(ProtocolError::ExistingSubscription(name())),
            Err(SubscribeError::Full) => {
                Err(ProtocolError::ChannelFull { channel: name(), limit: app.limits.members })
            }
        }
    }

    /// Answers a failed command; too many of them end the connection (WS-130, WS-214).
    fn on_fault(&mut self, error: &ProtocolError) -> ControlFlow<CloseReason> {
        tracing::debug!(
            target: "fanfare::connection",
            app = self.app_id(),
            socket = %self.socket_id(),
            error = error.label(),
            "command refused"
        );
        self.send(&server::error(error.code(), &error.message()));
        let now = self.state.milliseconds();
        self.faults_forgiven_at = self.faults_forgiven_at.max(now) + FAULT_FORGIVEN_MS;
        if self.faults_forgiven_at - now > FAULTS_AT_ONCE * FAULT_FORGIVEN_MS {
            return ControlFlow::Break(CloseReason::TooManyErrors);
        }
        ControlFlow::Continue(())
    }

    /// soketi's form of a failed subscription, beside Pusher's (WS-133).
    fn send_subscription_error(&self, channel: &str, error: &ProtocolError) {
        if let Some((kind, status)) = error.subscription_error_status() {
            let channel = shortened(channel, 200);
            self.send(&server::subscription_error(&channel, kind, &error.message(), status));
        }
    }

    fn send(&self, frame: &Frame) {
        self.subscriptions.conn().outbox.push(frame);
    }

    /// The connection's id.
    #[must_use]
    pub fn socket_id(&self) -> SocketId {
        self.subscriptions.conn().id
    }

    /// The id of the app that it connected to.
    #[must_use]
    pub fn app_id(&self) -> String {
        self.subscriptions.hub().app().id.to_string()
    }

    /// How many channels it is subscribed to.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.subscriptions.len()
    }
}
