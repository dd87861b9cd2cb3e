//! Handshakes that are refused for good: completed, so that the page reads why and does not knock for ever (SIO-035).
//!
//! Nothing is kept of a refused client: the `sid` that it gets holds the reason.

use bytes::Bytes;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::engine_io::{EngineVersion, OpenPacket, PollAnswer};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::socket_io;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The beginning of a refused client's `sid`.
const MARK: &str = "refused-";

/// Longest reason in bytes: a close frame has no longer ones.
const MOST: usize = 123;

/// The `sid` of a refused client.
pub(super) fn sid_for(reason: &CloseReason) -> String {
    format!("{MARK}{}", utf8_percent_encode(&reason.to_string(), NON_ALPHANUMERIC))
}

/// The reason in a refused client's `sid`.
pub(super) fn reason_in(sid: &str) -> Option<String> {
    let encoded = sid.strip_prefix(MARK).filter(|encoded| encoded.len() <= 3 * MOST)?;
    percent_decode_str(encoded).decode_utf8().ok().map(String::from)
}

/// The error, and that the client is not to come back (SIO-034).
fn words(version: EngineVersion, text: &str) -> [Frame; 2] {
    [socket_io::refused(version, text), socket_io::disconnect()]
}

/// The answer to a poll of a refused client.
pub(super) fn poll(version: EngineVersion, text: &str) -> Vec<u8> {
    let mut answer = PollAnswer::new(version);
    words(version, text).iter().for_each(|frame| answer.push(frame));
    answer.into_body()
}

/// The answer to a refused handshake over polling: clients of version 4 are told at their first poll.
pub(super) fn handshake(version: EngineVersion, open: OpenPacket<'_>, text: &str) -> Vec<u8> {
    let mut answer = PollAnswer::new(version);
    answer.push(&OpenPacket { may_upgrade: false, ..open }.frame(version));
    if version == EngineVersion::Three {
        words(version, text).iter().for_each(|frame| answer.push(frame));
    }
    answer.into_body()
}

/// What a refused client's WebSocket is sent first.
pub(super) fn websocket(version: EngineVersion, open: OpenPacket<'_>, text: &str) -> Vec<Bytes> {
    let open = OpenPacket { may_upgrade: false, ..open }.frame(version);
    [open, socket_io::refused(version, text)].iter().map(|frame| frame.bytes().clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sio_035_the_sid_of_a_refused_client_holds_the_reason() {
        for reason in [CloseReason::AppDisabled, CloseReason::UnknownKey("é\"\u{1}".repeat(50))] {
            let sid = sid_for(&reason);
            assert!(sid.is_ascii());
            assert_eq!(reason_in(&sid), Some(reason.to_string()));
        }
        for other in ["", "1.2", "refused", &format!("{MARK}{}", "a".repeat(3 * MOST + 1)), "refused-%ff"] {
            assert_eq!(reason_in(other), None, "{other}");
        }
    }
}
