//! Engine.IO 3 and 4: packets, the payloads of polls and POSTs, and refusals of requests (SIO-002 … SIO-019).
//!
//! Values and total functions only. Sessions, their transports and their time-outs are the caller's.

mod payload;

use crate::frame::Frame;
use crate::json::push_string;

pub use self::payload::{Packets, PayloadFault, PollAnswer, packets};

/// A version of Engine.IO (SIO-002).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineVersion {
    /// Version 3, of socket.io-client 2.
    Three,
    /// Version 4, of socket.io-client 3 and 4.
    Four,
}

impl EngineVersion {
    /// Reads the query parameter `EIO`: 3 unless it says 4.
    #[must_use]
    pub fn parse(parameter: Option<&str>) -> Self {
        if parameter == Some("4") { Self::Four } else { Self::Three }
    }
}

/// A packet that a client has sent (SIO-010).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `1`: the client ends the session (SIO-033).
    Close,
    /// `2` and its data: `probe` while a transport is tried (SIO-020).
    Ping(&'a str),
    /// `3` and its data.
    Pong(&'a str),
    /// `4` and a packet of Socket.IO.
    Message(&'a str),
    /// `5`: the tried transport is the session's from now on (SIO-021).
    Upgrade,
    /// What means nothing here, and is passed over: `0`, `6`, and binary packets (SIO-015).
    Ignored,
}

/// A text is no packet of Engine.IO; the session ends (SIO-014).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a packet of Engine.IO")]
pub struct NotAPacket;

impl<'a> Packet<'a> {
    /// Reads one packet: a text message of a WebSocket, or a part of a payload.
    ///
    /// # Errors
    /// The text is empty, or begins with a character that no packet begins with.
    pub fn parse(text: &'a str) -> Result<Self, NotAPacket> {
        let data = text.get(1..);
        match (text.as_bytes().first(), data) {
            (Some(b'0' | b'6' | b'b'), Some(_)) => Ok(Self::Ignored),
            (Some(b'1'), Some(_)) => Ok(Self::Close),
            (Some(b'2'), Some(data)) => Ok(Self::Ping(data)),
            (Some(b'3'), Some(data)) => Ok(Self::Pong(data)),
            (Some(b'4'), Some(data)) => Ok(Self::Message(data)),
            (Some(b'5'), Some(_)) => Ok(Self::Upgrade),
            _ => Err(NotAPacket),
        }
    }
}

/// What the first packet tells a client of its new session (SIO-011).
#[derive(Clone, Copy, Debug)]
pub struct OpenPacket<'a> {
    /// The session's name in later requests.
    pub sid: &'a str,
    /// Whether the session may change to a WebSocket: not if it is one.
    pub may_upgrade: bool,
    /// Milliseconds between two pings.
    pub ping_interval: u64,
    /// Milliseconds that a peer may be silent after a ping.
    pub ping_timeout: u64,
    /// The longest body of a POST in bytes; told to version 4 only.
    pub max_payload: usize,
}

impl OpenPacket<'_> {
    /// The packet as a WebSocket's message.
    #[must_use]
    pub fn frame(&self, version: EngineVersion) -> Frame {
        Frame::text(self.sid.len() + 128, |out| {
            out.extend_from_slice(br#"0{"sid":"#);
            push_string(out, self.sid);
            let upgrades = if self.may_upgrade { r#"["websocket"]"# } else { "[]" };
            let (interval, timeout) = (self.ping_interval, self.ping_timeout);
            let rest = format!(r#","upgrades":{upgrades},"pingInterval":{interval},"pingTimeout":{timeout}"#);
            out.extend_from_slice(rest.as_bytes());
            if version == EngineVersion::Four {
                out.extend_from_slice(format!(r#","maxPayload":{}"#, self.max_payload).as_bytes());
            }
            out.push(b'}');
        })
    }
}

/// The packet `1`: the session has ended; the client comes again (SIO-034).
#[must_use]
pub fn close() -> Frame {
    short("1")
}

/// The packet `2`: a client of version 4 answers (SIO-031).
#[must_use]
pub fn ping() -> Frame {
    short("2")
}

/// The packet `3`: the answer to a ping of version 3 (SIO-030).
#[must_use]
pub fn pong() -> Frame {
    short("3")
}

/// The packet `3probe`: the answer to `2probe` (SIO-020).
#[must_use]
pub fn pong_to_probe() -> Frame {
    short("3probe")
}

/// The packet `6`, which ends a waiting poll (SIO-020).
#[must_use]
pub fn noop() -> Frame {
    short("6")
}

fn short(packet: &str) -> Frame {
    Frame::text(packet.len(), |out| out.extend_from_slice(packet.as_bytes()))
}

/// Why a request is refused (SIO-004).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineRefusal {
    /// Neither `polling` nor `websocket`, or none.
    TransportUnknown,
    /// No session has this `sid`.
    SessionUnknown,
    /// A session begins with a GET.
    BadMethod,
    /// The session's transport is another, or a WebSocket was asked for without an upgrade.
    BadRequest,
    /// The client may come again later.
    Forbidden,
}

impl EngineRefusal {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            _ => 400,
        }
    }

    /// The body, in JSON.
    #[must_use]
    pub const fn body(self) -> &'static str {
        match self {
            Self::TransportUnknown => r#"{"code":0,"message":"Transport unknown"}"#,
            Self::SessionUnknown => r#"{"code":1,"message":"Session ID unknown"}"#,
            Self::BadMethod => r#"{"code":2,"message":"Bad handshake method"}"#,
            Self::BadRequest => r#"{"code":3,"message":"Bad request"}"#,
            Self::Forbidden => r#"{"code":4,"message":"Forbidden"}"#,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(frame: &Frame) -> &str {
        std::str::from_utf8(frame.payload()).expect("UTF-8")
    }

    #[test]
    fn sio_002_every_version_but_4_is_3() {
        assert_eq!(EngineVersion::parse(Some("4")), EngineVersion::Four);
        for other in [None, Some("3"), Some(""), Some("5"), Some("04")] {
            assert_eq!(EngineVersion::parse(other), EngineVersion::Three, "{other:?}");
        }
    }

    #[test]
    fn sio_010_a_packet_is_a_character_and_its_data() {
        for (text, packet) in [
            ("1", Packet::Close),
            ("2", Packet::Ping("")),
            ("2probe", Packet::Ping("probe")),
            ("3", Packet::Pong("")),
            ("40", Packet::Message("0")),
            ("4", Packet::Message("")),
            ("5", Packet::Upgrade),
            ("6", Packet::Ignored),
            ("0{}", Packet::Ignored),
            ("bAQID", Packet::Ignored),
            ("b4AQID", Packet::Ignored),
        ] {
            assert_eq!(Packet::parse(text), Ok(packet), "{text}");
        }
        for text in ["", "7", "a", " 2", "é", "\u{1e}", "-1"] {
            assert_eq!(Packet::parse(text), Err(NotAPacket), "{text:?}");
        }
    }

    #[test]
    fn sio_011_the_open_packet_tells_the_intervals() {
        let mut open = OpenPacket {
            sid: "123.456",
            may_upgrade: true,
            ping_interval: 25_000,
            ping_timeout: 20_000,
            max_payload: 1_000_000,
        };
        assert_eq!(
            text(&open.frame(EngineVersion::Three)),
            r#"0{"sid":"123.456","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}"#
        );
        open.may_upgrade = false;
        assert_eq!(
            text(&open.frame(EngineVersion::Four)),
            r#"0{"sid":"123.456","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
        );
    }

    #[test]
    fn sio_020_and_030_the_short_packets() {
        let packets = [close(), ping(), pong(), pong_to_probe(), noop()];
        assert_eq!(packets.each_ref().map(text), ["1", "2", "3", "3probe", "6"]);
    }

    #[test]
    fn sio_004_the_code_of_a_refusal_is_a_number() {
        let all = [
            EngineRefusal::TransportUnknown,
            EngineRefusal::SessionUnknown,
            EngineRefusal::BadMethod,
            EngineRefusal::BadRequest,
            EngineRefusal::Forbidden,
        ];
        for (code, refusal) in all.into_iter().enumerate() {
            let body: serde_json::Value = serde_json::from_str(refusal.body()).expect("JSON");
            assert_eq!(body["code"], code);
        }
        assert_eq!(all.map(EngineRefusal::status), [400, 400, 400, 400, 403]);
    }
}
