//! What a connection does, as operators see it in a live list (CON-028).
//!
//! Where nobody looks, nothing is made for them.

use fanfare_hub::{Footing, SubscribeError};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::Identity;

use super::Session;
use crate::taps::{LiveFact, LiveKind};
use crate::tenants::Tenant;

/// Why subscriptions end with their connection.
const CLOSED: &str = "the connection has ended";

impl Session {
    /// Shows what this connection does.
    pub(super) fn show<'s>(&'s self, fact: impl FnOnce(&'s Self) -> LiveFact<'s>) {
        self.tenant.taps.tell(|| LiveFact { socket: Some(self.socket_id()), ..fact(self) });
    }

    pub(super) fn show_connected(&self) {
        self.show(|session| {
            let visitor = &session.subscriptions.conn().visitor;
            LiveFact {
                address: Some(visitor.address),
                transport: Some(visitor.transport.label()),
                ..LiveFact::of(LiveKind::Connected)
            }
        });
    }

    /// The subscription itself; the caller has checked everything.
    pub(super) fn enter(
        &mut self,
        channel: ChannelName,
        identity: Option<Identity>,
    ) -> Result<(), SubscribeError> {
        let now = self.node.milliseconds();
        if !self.tenant.taps.are_open() {
            return self.subscriptions.subscribe(channel, identity, now);
        }
        let footing = self.subscriptions.subscribe_seen(channel.clone(), identity, now)?;
        let user = self.subscriptions.signed_in().map(|signed_in| signed_in.id.clone());
        let seen = Seen { tenant: &self.tenant, socket: self.socket_id(), user: user.as_ref() };
        seen.came(&channel, &footing);
        Ok(())
    }

    /// Ends a subscription; false if there is none.
    pub(super) fn unsubscribe(&mut self, channel: &str) -> bool {
        if !self.tenant.taps.are_open() {
            return self.subscriptions.unsubscribe(channel);
        }
        let Some(footing) = self.subscriptions.unsubscribe_seen(channel) else { return false };
        let user = self.subscriptions.signed_in().map(|signed_in| signed_in.id.clone());
        let seen = Seen { tenant: &self.tenant, socket: self.socket_id(), user: user.as_ref() };
        seen.went(&ChannelName::trusted(channel), &footing, None);
        true
    }

    /// Leaves every channel because the connection ends, which has lasted so many milliseconds.
    pub fn end(mut self, reason: &CloseReason, lasted: u64) {
        if !self.tenant.taps.are_open() {
            return;
        }
        let user = self.subscriptions.signed_in().map(|signed_in| signed_in.id.clone());
        let seen = Seen { tenant: &self.tenant, socket: self.socket_id(), user: user.as_ref() };
        self.subscriptions.leave_all_seen(|channel, footing| seen.went(channel, footing, Some(CLOSED)));
        let why = reason.to_string();
        let visitor = &self.subscriptions.conn().visitor;
        seen.show(|| LiveFact {
            code: reason.code(),
            why: Some(if why.is_empty() { reason.label() } else { &why }),
            address: Some(visitor.address),
            transport: Some(visitor.transport.label()),
            milliseconds: Some(lasted),
            ..LiveFact::of(LiveKind::Closed)
        });
    }
}

/// A connection whose subscriptions are shown.
struct Seen<'a> {
    tenant: &'a Tenant,
    socket: SocketId,
    /// The user that the connection is signed in as.
    user: Option<&'a UserId>,
}

impl Seen<'_> {
    /// Shows a fact of this connection, and of its user where the fact names none.
    fn show<'f>(&'f self, fact: impl FnOnce() -> LiveFact<'f>) {
        self.tenant.taps.tell(|| {
            let fact = fact();
            let user = fact.user.or_else(|| self.user.map(UserId::as_str));
            LiveFact { socket: Some(self.socket), user, ..fact }
        });
    }

    /// Shows a subscription that has begun.
    fn came(&self, channel: &ChannelName, footing: &Footing) {
        let of = |kind| about(kind, channel, footing);
        if footing.is_alone {
            self.show(|| LiveFact { user: None, ..of(LiveKind::Occupied) });
        }
        self.show(|| of(LiveKind::Subscribed));
        if footing.is_users_only {
            self.show(|| of(LiveKind::MemberAdded));
        }
    }

    /// Shows a subscription that has ended.
    fn went(&self, channel: &ChannelName, footing: &Footing, why: Option<&'static str>) {
        let of = |kind| about(kind, channel, footing);
        self.show(|| LiveFact { why, ..of(LiveKind::Unsubscribed) });
        if footing.is_users_only {
            self.show(|| of(LiveKind::MemberRemoved));
        }
        if footing.is_alone {
            self.show(|| of(LiveKind::Vacated));
        }
    }
}

fn about<'a>(kind: LiveKind, channel: &'a ChannelName, footing: &'a Footing) -> LiveFact<'a> {
    let user = footing.user.as_ref().map(UserId::as_str);
    LiveFact { channel: Some(channel.as_str()), user, ..LiveFact::of(kind) }
}
