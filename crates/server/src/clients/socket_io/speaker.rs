//! Packets of a client, and the answers of applications: what each does to the session.
//!
//! Knows no transport: a packet is a text, and every answer goes into the outbox. Whatever a packet holds, it ends at most
//! its own session (SIO-045).

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use fanfare_hub::Conn;
use fanfare_laravel::authorize::{AuthorizationRequest, Yes};
use fanfare_node::Node;
use fanfare_node::session::{Leave, Session, SubscribeWish};
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::engine_io::{self, EngineVersion, Packet};
use fanfare_protocol::error::ProtocolError;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::socket_io::{self, SocketIoMessage, SocketIoSubscribe};
use serde::Deserialize;

use super::known::Known;
use super::pings::Rhythm;
use super::questions::{Questions, Verdict};
use crate::authorize::{Application, Asker, Refusal};
use crate::clients::connection::Signs;

/// The status of a channel that no client of Echo can read, or that nobody may join.
const FORBIDDEN: u16 = 403;

/// One session, for what its client sends.
pub(super) struct Speaker<'a> {
    pub node: Arc<Node>,
    pub conn: Arc<Conn>,
    pub session: &'a mut Session,
    pub signs: &'a Signs,
    pub version: EngineVersion,
    pub known: &'a Known,
    pub questions: &'a mut Questions,
    pub rhythm: &'a Rhythm,
}

impl Speaker<'_> {
    /// Reads and handles a packet; breaks when the session is to end.
    pub fn on_text(&mut self, packet: &str) -> ControlFlow<CloseReason> {
        match Packet::parse(packet) {
            Ok(packet) => self.on_packet(packet),
            Err(_) => ControlFlow::Break(CloseReason::BadPacket),
        }
    }

    /// Handles a packet; breaks when the session is to end.
    pub fn on_packet(&mut self, packet: Packet<'_>) -> ControlFlow<CloseReason> {
        match packet {
            Packet::Message(content) => self.on_message(content),
            Packet::Ping(_) => self.send(&engine_io::pong()),
            Packet::Close => ControlFlow::Break(CloseReason::ByClient(None)),
            Packet::Pong(_) | Packet::Upgrade | Packet::Ignored => ControlFlow::Continue(()),
        }
    }

    fn on_message(&mut self, content: &str) -> ControlFlow<CloseReason> {
        self.node.metrics.message_received();
        let Ok(message) = SocketIoMessage::parse(content) else {
            return ControlFlow::Break(CloseReason::BadPacket);
        };
        match message {
            SocketIoMessage::Connect => return self.on_connect(),
            SocketIoMessage::ConnectElsewhere(namespace) => {
                return self.send(&socket_io::invalid_namespace(self.version, namespace));
            }
            SocketIoMessage::Disconnect => return ControlFlow::Break(CloseReason::ByClient(None)),
            _ => {}
        }
        if !self.rhythm.is_connected.load(Ordering::Relaxed) {
            return ControlFlow::Continue(());
        }
        match message {
            SocketIoMessage::Subscribe(wanted) => return self.on_subscribe(&wanted),
            SocketIoMessage::Unsubscribe { channel } => {
                self.questions.cancel(&channel);
                self.session.leave(&channel);
            }
            SocketIoMessage::ClientEvent { event, channel, data } => {
                self.session.tell_others(&channel, &event, &data);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// Tells a client of version 4 its id; version 3 is told unasked (SIO-041, SIO-042).
    fn on_connect(&mut self) -> ControlFlow<CloseReason> {
        if self.rhythm.is_connected.swap(true, Ordering::Relaxed) {
            return ControlFlow::Continue(());
        }
        self.send(&socket_io::connected(self.version, self.conn.id))
    }

    fn on_subscribe(&mut self, wanted: &SocketIoSubscribe<'_>) -> ControlFlow<CloseReason> {
        let name = &*wanted.channel;
        if self.questions.are_about(name) {
            return ControlFlow::Continue(());
        }
        match self.session.subscribe_unsigned(name) {
            Ok(SubscribeWish::Granted) => ControlFlow::Continue(()),
            Ok(SubscribeWish::Again(channel)) => {
                self.session.acknowledge_again(&channel);
                ControlFlow::Continue(())
            }
            Ok(SubscribeWish::Ask(channel)) => match self.ask(&channel, wanted) {
                Ok(()) => ControlFlow::Continue(()),
                Err(refusal) => {
                    self.note(&channel, &refusal);
                    self.tell_status(name, refusal.status().as_u16())
                }
            },
            Err(error) => self.refuse(name, &error),
        }
    }

    /// Asks the application.
    fn ask(&mut self, channel: &ChannelName, wanted: &SocketIoSubscribe<'_>) -> Result<(), Refusal> {
        let (app, tenant) = (self.session.app(), Arc::clone(self.session.tenant()));
        if channel.kind() == ChannelKind::Encrypted {
            return Err(Refusal::Unreadable);
        }
        let url = app.authorization.url.clone().ok_or(Refusal::NotConfigured("authorization.url"))?;
        Application { node: &self.node, app: &app, tenant: &tenant }.check(channel)?;
        if self.questions.are_many() {
            return Err(Refusal::Busy);
        }
        let socket = self.conn.id;
        let headers = self.known.shown(wanted.headers(), &app.authorization.headers, socket);
        let missing = self.known.missing(&headers);
        let (node, asked, client) = (Arc::clone(&self.node), channel.clone(), self.known.address());
        let question = AuthorizationRequest { url, channel: Some(channel.clone()), socket, headers };
        self.questions.ask(channel.clone(), async move {
            let application = Application { node: &node, app: &app, tenant: &tenant };
            let verdict = application.ask(question, client).await;
            let asker = Asker { channel: asked.as_str(), socket: &socket.to_string(), address: client };
            application.note(asker, verdict.as_ref().err(), missing.as_deref());
            verdict
        });
        Ok(())
    }

    /// Hears the applications' answers; ready when the session is to end.
    pub fn poll_answers(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        while let Poll::Ready((channel, verdict)) = self.questions.poll(cx) {
            if let ControlFlow::Break(reason) = self.on_verdict(&channel, &verdict) {
                return Poll::Ready(reason);
            }
        }
        Poll::Pending
    }

    fn on_verdict(&mut self, channel: &ChannelName, verdict: &Verdict) -> ControlFlow<CloseReason> {
        let yes = match verdict {
            Ok(yes) => yes,
            Err(refusal) => return self.tell_status(channel.as_str(), refusal.status().as_u16()),
        };
        let signed;
        let leave = match yes {
            Yes::Unsigned(member) => Leave::Unsigned { member: member.as_deref() },
            Yes::Signed(json) => {
                signed = serde_json::from_slice::<Signed>(json).unwrap_or_default();
                Leave::Signed { auth: &signed.auth, channel_data: signed.channel_data.as_deref() }
            }
        };
        match self.session.subscribe_with_leave(channel, leave, &self.signs.authorized) {
            Ok(flow) => flow,
            Err(error) => self.refuse(channel.as_str(), &error),
        }
    }

    /// Tells the client that a subscription has failed; too many failures end the session (WS-214).
    fn refuse(&mut self, channel: &str, error: &ProtocolError) -> ControlFlow<CloseReason> {
        self.tell_status(channel, status_of(error))?;
        self.session.bear_fault(Some(channel), error)
    }

    fn tell_status(&self, channel: &str, status: u16) -> ControlFlow<CloseReason> {
        self.send(&socket_io::subscription_error(channel, status))
    }

    fn note(&self, channel: &ChannelName, refusal: &Refusal) {
        let (app, tenant) = (self.session.app(), self.session.tenant());
        let application = Application { node: &self.node, app: &app, tenant };
        let (socket, address) = (self.conn.id.to_string(), self.known.address());
        application.note(Asker { channel: channel.as_str(), socket: &socket, address }, Some(refusal), None);
    }

    /// Never breaks: an outbox that is full ends the session by itself.
    fn send(&self, frame: &Frame) -> ControlFlow<CloseReason> {
        self.conn.outbox.push(frame);
        ControlFlow::Continue(())
    }
}

/// An answer of an application that signs.
#[derive(Debug, Default, Deserialize)]
struct Signed {
    auth: String,
    #[serde(default)]
    channel_data: Option<String>,
}

/// The number that Echo's `error` gets (SIO-059, SIO-064, SIO-103).
const fn status_of(error: &ProtocolError) -> u16 {
    match error {
        ProtocolError::InvalidChannelName { .. } => 422,
        ProtocolError::TooManyChannels { .. } | ProtocolError::TooManySubscriptions { .. } => 429,
        ProtocolError::ChannelFull { .. }
        | ProtocolError::MemberTooBig { .. }
        | ProtocolError::UserIdTooLong { .. } => 413,
        _ => FORBIDDEN,
    }
}
