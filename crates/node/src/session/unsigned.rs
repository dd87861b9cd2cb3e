//! The commands of clients that have no signature to show: their app's application is asked (SIO-050 … SIO-065).
//!
//! Sends no frame: how such a client is answered is its transport's. All checks are those of every other client.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use fanfare_protocol::app::App;
use fanfare_protocol::auth::verify_channel;
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::data::Data;
use fanfare_protocol::error::ProtocolError;
use fanfare_protocol::presence::Identity;

use super::Session;

/// What a wish to subscribe comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscribeWish {
    /// The client is subscribed now.
    Granted,
    /// The client was subscribed already (SIO-051).
    Again(ChannelName),
    /// The application decides; [`Session::subscribe_with_leave`] follows its yes.
    Ask(ChannelName),
}

/// An application's leave to subscribe (SIO-061).
#[derive(Clone, Copy, Debug)]
pub enum Leave<'a> {
    /// A signature, which is verified as if the client had shown it.
    Signed {
        /// `KEY:SIGNATURE`.
        auth: &'a str,
        /// The signed text of a member.
        channel_data: Option<&'a str>,
    },
    /// A yes; on presence channels with the text of the member.
    Unsigned {
        /// As `channel_data` of a signed one.
        member: Option<&'a str>,
    },
}

impl Session {
    /// Subscribes to a public channel, or finds out that the application has to be asked.
    ///
    /// # Errors
    /// The client may not subscribe, whatever the application says.
    pub fn subscribe_unsigned(&mut self, name: &str) -> Result<SubscribeWish, ProtocolError> {
        self.take_change()?;
        if let Some(channel) = self.subscriptions.get(name) {
            return Ok(SubscribeWish::Again(channel.clone()));
        }
        let app = self.subscriptions.hub().app();
        let channel = self.admissible(&app, name)?;
        if channel.user().is_some() {
            // Such a client cannot sign in.
            return Err(ProtocolError::NotSignedIn(channel.as_str().to_owned()));
        }
        if channel.kind().is_guarded() {
            return Ok(SubscribeWish::Ask(channel));
        }
        self.join(&app, channel, None)?;
        Ok(SubscribeWish::Granted)
    }

    /// Subscribes with the application's leave; breaks when the connection is to end. Sets `authorized` when the
    /// connection may stay.
    ///
    /// # Errors
    /// The leave is not valid, or the client may not subscribe any more.
    pub fn subscribe_with_leave(
        &mut self,
        channel: &ChannelName,
        leave: Leave<'_>,
        authorized: &AtomicBool,
    ) -> Result<ControlFlow<CloseReason>, ProtocolError> {
        let app = self.subscriptions.hub().app();
        self.has_room_for(channel)?;
        let member = match leave {
            Leave::Unsigned { member } => member,
            Leave::Signed { auth, channel_data } => {
                verify_channel(&app, self.socket_id(), channel.as_str(), Some(auth), channel_data)?;
                channel_data
            }
        };
        let identity = member_of(&app, channel, member)?;
        self.join(&app, channel.clone(), identity)?;
        Ok(self.authorize(authorized))
    }

    /// Acknowledges a subscription once more (SIO-051).
    pub fn acknowledge_again(&mut self, channel: &ChannelName) {
        self.subscriptions.acknowledge_again(channel.as_str());
    }

    /// Leaves a channel, if subscribed (SIO-052).
    pub fn leave(&mut self, channel: &str) {
        self.unsubscribe(channel);
    }

    /// Passes a client event on to the other subscribers, or drops and counts it (SIO-053).
    pub fn tell_others(&mut self, channel: &str, event: &str, data: &Data<'_>) {
        if let Err(fault) = self.client_event(event, channel, data) {
            self.note_fault(Some(channel), &ProtocolError::ClientEvent(fault));
        }
    }
}

/// The identity of a member of a presence channel.
fn member_of(
    app: &App,
    channel: &ChannelName,
    member: Option<&str>,
) -> Result<Option<Identity>, ProtocolError> {
    match (channel.kind(), member) {
        (ChannelKind::Presence, Some(data)) => Identity::parse(data, channel.as_str(), &app.limits).map(Some),
        (ChannelKind::Presence, None) => Err(ProtocolError::ChannelDataMissing(channel.as_str().to_owned())),
        _ => Ok(None),
    }
}
