//! Which webhooks are told of a channel.

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::webhook::{Kind, Kinds};

/// Whether webhooks that want these kinds are told of the channel itself, and of its members. Of a user's hidden channel its
/// one member, of other hidden channels and of users' own nothing (HOOK-019).
pub(super) fn wanted_of(kinds: Kinds, channel: &ChannelName) -> (bool, bool) {
    if channel.online_user().is_some() {
        (false, kinds.contains(Kind::Users))
    } else if channel.is_shown() {
        (kinds.contains(Kind::ChannelExistence), kinds.contains(Kind::Presence))
    } else {
        (false, false)
    }
}
