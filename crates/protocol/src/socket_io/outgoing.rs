//! Frames for a client of Echo's Socket.IO connector, besides the events of channels.

use crate::channel::ChannelName;
use crate::close::shortened;
use crate::engine_io::EngineVersion;
use crate::frame::Frame;
use crate::ids::{SocketId, UserId};
use crate::json::push_string;
use crate::presence::{UserInfo, info_json};

/// The status of a presence channel that has as many users as it may (SIO-103).
pub const CHANNEL_FULL: u16 = 413;

/// Bytes of a frame besides its texts.
const AROUND: usize = 48;

/// Longest namespace that is sent back, in bytes.
const MOST_OF_A_NAMESPACE: usize = 200;

/// `40`: the client is connected. Version 4 is told the socket id; for version 3 the session's `sid` is the id (SIO-041,
/// SIO-042).
#[must_use]
pub fn connected(version: EngineVersion, socket: SocketId) -> Frame {
    let packet = match version {
        EngineVersion::Three => "40".to_owned(),
        EngineVersion::Four => format!(r#"40{{"sid":"{socket}"}}"#),
    };
    Frame::text(packet.len(), |out| out.extend_from_slice(packet.as_bytes()))
}

/// `41`: the client is not to come back (SIO-034).
#[must_use]
pub fn disconnect() -> Frame {
    Frame::text(2, |out| out.extend_from_slice(b"41"))
}

/// `44`: the client is refused for good; the page sees the text (SIO-035).
#[must_use]
pub fn refused(version: EngineVersion, text: &str) -> Frame {
    error(version, "", text)
}

/// The answer to a client that connects to any namespace but `/` (SIO-043).
#[must_use]
pub fn invalid_namespace(version: EngineVersion, namespace: &str) -> Frame {
    error(version, &format!("{},", shortened(namespace, MOST_OF_A_NAMESPACE)), "Invalid namespace")
}

fn error(version: EngineVersion, namespace: &str, text: &str) -> Frame {
    Frame::text(namespace.len() + text.len() + AROUND, |out| {
        out.extend_from_slice(b"44");
        out.extend_from_slice(namespace.as_bytes());
        match version {
            EngineVersion::Three => push_string(out, text),
            EngineVersion::Four => {
                out.extend_from_slice(br#"{"message":"#);
                push_string(out, text);
                out.push(b'}');
            }
        }
    })
}

/// `subscription_error`: who is refused, with the status that the endpoint for authorization would answer (SIO-059).
#[must_use]
pub fn subscription_error(channel: &str, status: u16) -> Frame {
    Frame::text(channel.len() + AROUND, |out| {
        out.extend_from_slice(br#"42["subscription_error","#);
        push_string(out, channel);
        out.extend_from_slice(format!(",{status}]").as_bytes());
    })
}

/// `presence:subscribed`: the acknowledgement of a presence channel, with every user (SIO-057).
#[must_use]
pub fn presence_subscribed<'a>(
    channel: &ChannelName,
    users: impl Iterator<Item = (&'a UserId, &'a UserInfo)>,
) -> Frame {
    let mut members = Vec::new();
    for (user, info) in users {
        if !members.is_empty() {
            members.push(b',');
        }
        push_member(&mut members, user, info);
    }
    on_presence("presence:subscribed", channel, members.len(), |out| {
        out.push(b'[');
        out.extend_from_slice(&members);
        out.push(b']');
    })
}

/// `presence:joining`: a user's first connection has come (SIO-057).
#[must_use]
pub fn presence_joining(channel: &ChannelName, user: &UserId, info: &UserInfo) -> Frame {
    member_event("presence:joining", channel, user, info)
}

/// `presence:leaving`: a user's last connection has gone (SIO-057).
#[must_use]
pub fn presence_leaving(channel: &ChannelName, user: &UserId, info: &UserInfo) -> Frame {
    member_event("presence:leaving", channel, user, info)
}

fn member_event(name: &str, channel: &ChannelName, user: &UserId, info: &UserInfo) -> Frame {
    let expected = user.as_str().len() + info_json(info).len() + AROUND;
    on_presence(name, channel, expected, |out| push_member(out, user, info))
}

fn on_presence(
    name: &str,
    channel: &ChannelName,
    expected: usize,
    write: impl FnOnce(&mut Vec<u8>),
) -> Frame {
    Frame::text(expected + name.len() + channel.as_str().len() + AROUND, |out| {
        out.extend_from_slice(b"42[");
        push_string(out, name);
        out.push(b',');
        push_string(out, channel.as_str());
        out.push(b',');
        write(out);
        out.push(b']');
    })
}

/// A member, as Echo gets one; no `socketId`, which is secret in version 3 (SIO-058).
fn push_member(out: &mut Vec<u8>, user: &UserId, info: &UserInfo) {
    out.extend_from_slice(br#"{"user_id":"#);
    push_string(out, user.as_str());
    out.extend_from_slice(br#","user_info":"#);
    out.extend_from_slice(info_json(info).as_bytes());
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Limits;
    use crate::presence::Identity;

    fn text(frame: &Frame) -> &str {
        std::str::from_utf8(frame.payload()).expect("UTF-8")
    }

    fn room() -> ChannelName {
        ChannelName::parse("presence-room", 164).expect("a name")
    }

    fn identity(data: &str) -> Identity {
        Identity::parse(data, "presence-room", &Limits::default()).expect("an identity")
    }

    #[test]
    fn sio_041_and_042_only_version_4_is_told_the_socket_id() {
        let socket = SocketId::from_bits(123 << 32 | 456);
        assert_eq!(text(&connected(EngineVersion::Three, socket)), "40");
        assert_eq!(text(&connected(EngineVersion::Four, socket)), r#"40{"sid":"123.456"}"#);
    }

    #[test]
    fn sio_043_an_invalid_namespace_is_named() {
        assert_eq!(text(&invalid_namespace(EngineVersion::Three, "/x")), r#"44/x,"Invalid namespace""#);
        assert_eq!(
            text(&invalid_namespace(EngineVersion::Four, "/x")),
            r#"44/x,{"message":"Invalid namespace"}"#
        );
        let long = "/é".repeat(400);
        assert!(text(&invalid_namespace(EngineVersion::Four, &long)).len() < 300);
    }

    #[test]
    fn sio_034_and_035_a_refusal_has_a_text_and_a_disconnect_has_none() {
        assert_eq!(text(&disconnect()), "41");
        assert_eq!(text(&refused(EngineVersion::Three, "no \"app\"")), r#"44"no \"app\"""#);
        assert_eq!(text(&refused(EngineVersion::Four, "no")), r#"44{"message":"no"}"#);
    }

    #[test]
    fn sio_059_the_status_is_a_number() {
        assert_eq!(
            text(&subscription_error("private-\"é", 403)),
            r#"42["subscription_error","private-\"é",403]"#
        );
    }

    #[test]
    fn sio_057_and_058_members_are_as_the_application_gave_them() {
        let ann = identity(r#"{"user_id":1,"user_info":{"name" : "Änn"}}"#);
        let bob = identity(r#"{"user_id":"b\"","user_info":null}"#);
        let none = identity(r#"{"user_id":"c"}"#);
        let all = [&ann, &bob, &none].map(|identity| (&identity.user_id, &identity.user_info));
        assert_eq!(
            text(&presence_subscribed(&room(), all.into_iter())),
            r#"42["presence:subscribed","presence-room",[{"user_id":"1","user_info":{"name" : "Änn"}},{"user_id":"b\"","user_info":{}},{"user_id":"c","user_info":{}}]]"#
        );
        assert_eq!(
            text(&presence_joining(&room(), &ann.user_id, &ann.user_info)),
            r#"42["presence:joining","presence-room",{"user_id":"1","user_info":{"name" : "Änn"}}]"#
        );
        assert_eq!(
            text(&presence_leaving(&room(), &ann.user_id, &ann.user_info)),
            r#"42["presence:leaving","presence-room",{"user_id":"1","user_info":{"name" : "Änn"}}]"#
        );
        assert_eq!(
            text(&presence_subscribed(&room(), std::iter::empty())),
            r#"42["presence:subscribed","presence-room",[]]"#
        );
    }
}
