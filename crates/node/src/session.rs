//! The commands of a connected client: one function for each message from the client, in a file of its own
//! where the command is long.
//!
//! Never waits: slow work is queued. A failed command answers with one `pusher:error` and
//! changes nothing (WS-130).

mod allowance;
mod client_event;
mod resume;
mod seen;
mod sign_in;
mod subscribe;
mod unsigned;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fanfare_hub::{AppHub, Conn, Slot, Subscriptions};
use fanfare_protocol::app::App;
use fanfare_protocol::client::ClientMessage;
use fanfare_protocol::close::{CloseReason, shortened};
use fanfare_protocol::error::ProtocolError;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::server;

use crate::node::Node;
use crate::refusals::{NotedRefusal, RefusalKind};
use crate::tenants::Tenant;
use allowance::Allowance;

pub use unsigned::{Leave, SubscribeWish};

/// Faulty commands allowed at once, and the number forgiven per second (WS-214).
const FAULTS_AT_ONCE: usize = 100;
const FAULTS_PER_SECOND: usize = 10;

/// Burst of subscriptions, as the seconds of the rate limit allowed at once.
const SECONDS_AT_ONCE: usize = 10;

/// Longest logged part of a channel's name, in bytes.
const MOST_LOGGED: usize = 200;

/// The state of one connection; owned by its task.
pub struct Session {
    node: Arc<Node>,
    subscriptions: Subscriptions,
    /// The app's numbers, looked up once.
    tenant: Arc<Tenant>,
    /// The slot in the app's quota, once taken (WS-062).
    place: Option<Slot>,
    faults: Allowance,
    client_events: Allowance,
    /// The rate limit of subscriptions and sign-ins, which many other clients may hear of.
    changes: Allowance,
}

impl Session {
    /// The session of a connection without subscriptions.
    #[must_use]
    pub fn new(node: Arc<Node>, subscriptions: Subscriptions, place: Option<Slot>) -> Self {
        let hub = subscriptions.hub();
        let tenant = node.tenants.of(&hub.app().id);
        tenant.saw_connections(hub.connections());
        let [faults, client_events, changes] = [(); 3].map(|()| Allowance::full());
        let session = Self { node, subscriptions, tenant, place, faults, client_events, changes };
        session.show_connected();
        session
    }

    /// Handles a message from the client; breaks when the connection is to end. Sets `authorized` when the connection
    /// may stay.
    pub fn on_text(&mut self, text: &str, authorized: &AtomicBool) -> ControlFlow<CloseReason> {
        self.node.metrics.message_received();
        match ClientMessage::parse(text) {
            Ok(ClientMessage::Ping) => {
                self.send(&server::pong());
                ControlFlow::Continue(())
            }
            Ok(ClientMessage::Pong) => ControlFlow::Continue(()),
            Ok(ClientMessage::Subscribe(wanted)) => self.on_subscribe(&wanted, authorized),
            Ok(ClientMessage::SignIn { auth, user_data }) => self.on_sign_in(&auth, &user_data, authorized),
            Ok(ClientMessage::ClientEvent { event, channel, data }) => {
                match self.client_event(&event, &channel, &data) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(fault) => self.on_fault_at(Some(&channel), &ProtocolError::ClientEvent(fault)),
                }
            }
            Ok(ClientMessage::Resume(request)) => {
                self.on_resume(request);
                ControlFlow::Continue(())
            }
            Ok(ClientMessage::Unsubscribe { channel }) => {
                if self.unsubscribe(&channel) {
                    return ControlFlow::Continue(());
                }
                let error = ProtocolError::NoSubscription(channel.clone().into_owned());
                self.on_fault_at(Some(&channel), &error)
            }
            Err(error) => self.on_fault(&error),
        }
    }

    /// Handles a binary message: not part of the protocol (WS-021). Breaks when the connection is to end.
    pub fn on_binary(&mut self) -> ControlFlow<CloseReason> {
        self.node.metrics.message_received();
        self.on_fault(&ProtocolError::BinaryMessage)
    }

    /// Takes a quota slot: an unauthorized connection does not count in the quota (WS-062).
    fn authorize(&mut self, authorized: &AtomicBool) -> ControlFlow<CloseReason> {
        if self.place.is_none() {
            let hub = self.subscriptions.hub();
            self.place = hub.take_slot();
            if self.place.is_none() {
                let limit = hub.app().max_connections.unwrap_or_default();
                return ControlFlow::Break(CloseReason::OverQuota { limit });
            }
            authorized.store(true, Ordering::Relaxed);
        }
        ControlFlow::Continue(())
    }

    /// Takes one of the subscriptions and sign-ins that the rate limit allows; bursts are allowed, because pages begin
    /// with one.
    fn take_change(&mut self) -> Result<(), ProtocolError> {
        let config = self.node.config();
        let limits = &config.limits;
        let limit = limits.subscriptions_per_second;
        let at_once = (2 * limits.channels_per_connection).max(limit.saturating_mul(SECONDS_AT_ONCE));
        let taken = self.changes.take(self.node.milliseconds(), at_once, limit);
        if taken { Ok(()) } else { Err(ProtocolError::TooManySubscriptions { limit }) }
    }

    /// Answers a failed command without a channel.
    fn on_fault(&mut self, error: &ProtocolError) -> ControlFlow<CloseReason> {
        self.on_fault_at(None, error)
    }

    /// Answers a failed command; too many failures end the connection (WS-130, WS-214).
    fn on_fault_at(&mut self, channel: Option<&str>, error: &ProtocolError) -> ControlFlow<CloseReason> {
        self.send(&server::error(error.code(), &error.to_string()));
        self.bear_fault(channel, error)
    }

    /// Notes a failed command, which the caller answers; too many failures end the connection (WS-214).
    pub fn bear_fault(&mut self, channel: Option<&str>, error: &ProtocolError) -> ControlFlow<CloseReason> {
        self.note_fault(channel, error);
        let now = self.node.milliseconds();
        if error.is_harmless() || self.faults.take(now, FAULTS_AT_ONCE, FAULTS_PER_SECOND) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(CloseReason::TooManyErrors)
        }
    }

    /// Logs and counts a failed command.
    fn note_fault(&self, channel: Option<&str>, error: &ProtocolError) {
        self.node.metrics.command_refused(error);
        note_refused(&self.node, self.subscriptions.hub(), self.subscriptions.conn(), (channel, error));
    }

    fn send(&self, frame: &Frame) {
        self.subscriptions.conn().outbox.push(frame);
    }

    /// The connection's id.
    #[must_use]
    pub fn socket_id(&self) -> SocketId {
        self.subscriptions.conn().id
    }

    /// The settings of the connection's app, now.
    #[must_use]
    pub fn app(&self) -> Arc<App> {
        self.subscriptions.hub().app()
    }

    /// The numbers of the connection's app.
    #[must_use]
    pub const fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    /// The id of the connection's app.
    #[must_use]
    pub fn app_id(&self) -> String {
        self.subscriptions.hub().app().id.to_string()
    }

    /// Whether the app is enabled.
    #[must_use]
    pub fn app_is_enabled(&self) -> bool {
        self.subscriptions.hub().app().enabled
    }

    /// Number of subscribed channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.subscriptions.len()
    }
}

/// Makes a command known that was refused, at once or by the cluster.
pub(crate) fn note_refused(
    node: &Node,
    hub: &AppHub,
    conn: &Conn,
    (channel, error): (Option<&str>, &ProtocolError),
) {
    let app = &hub.app().id;
    let kind = if error.is_over_quota() { RefusalKind::Quota } else { RefusalKind::Message };
    let (told, signed) = (error.told(), error.signed());
    let refusal = NotedRefusal {
        socket: Some(conn.id),
        channel,
        address: Some(conn.visitor.address),
        signed: signed.as_deref(),
        ..NotedRefusal::new(kind, error.code(), error.label(), &told)
    };
    node.note_refusal(Some(app), &refusal);
    tracing::debug!(
        target: "fanfare::connection",
        app = app.as_str(),
        socket = %conn.id,
        channel = channel.map(|name| shortened(name, MOST_LOGGED)).as_deref(),
        error = error.label(),
        "command refused"
    );
}
