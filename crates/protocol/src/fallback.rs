//! Pusher's HTTP fallback: frames of a receive request, bodies of `xhr_send`, and the names of sessions (FALLBACK-010 …
//! FALLBACK-019).
//!
//! Values and total functions only. Sessions, their requests and their time-outs are the caller's.

mod sent;
mod session_name;

use crate::frame::Frame;
use crate::json::push_string;

pub use self::sent::{XhrSendFault, sent_texts};
pub use self::session_name::SessionName;

/// The first frame of a session; a second one says that the session was lost (FALLBACK-015, FALLBACK-016).
pub const OPEN: &[u8] = b"o\n";

/// Keeps a stream open; the client answers with an empty `xhr_send` (FALLBACK-020).
pub const HEARTBEAT: &[u8] = b"h\n";

/// The answer to the client's own heartbeat; nothing else must be (FALLBACK-019).
pub const NO_MESSAGES: &[u8] = b"a[]\n";

/// UTF-16 units of a stream after which a client of pusher-js asks for another stream, and further frames are held
/// (FALLBACK-018).
pub const STREAM_UNITS: usize = 256 * 1024;

/// Appends one frame with all these messages, `a["…","…"]` and a line break (FALLBACK-014). Frames that are no texts are
/// for WebSockets alone, and are left out; without a text nothing is appended.
pub fn push_messages<'a>(out: &mut Vec<u8>, frames: impl IntoIterator<Item = &'a Frame>) {
    let begins = out.len();
    for frame in frames.into_iter().filter(|frame| frame.is_text()) {
        let opening: &[u8] = if out.len() == begins { b"a[" } else { b"," };
        out.extend_from_slice(opening);
        push_string(out, &String::from_utf8_lossy(frame.payload()));
    }
    if out.len() > begins {
        out.extend_from_slice(b"]\n");
    }
}

/// The frame `c[CODE,"REASON"]` and a line break, which ends the session; the codes are those of a WebSocket's close frame
/// (FALLBACK-014, FALLBACK-022).
#[must_use]
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut frame = format!("c[{code},").into_bytes();
    push_string(&mut frame, reason);
    frame.extend_from_slice(b"]\n");
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::utf16::units;

    fn texts(texts: &[&str]) -> Vec<Frame> {
        let frame = |text: &&str| Frame::text(text.len(), |out| out.extend_from_slice(text.as_bytes()));
        texts.iter().map(frame).collect()
    }

    fn messages(frames: &[Frame]) -> String {
        let mut out = b"before\n".to_vec();
        push_messages(&mut out, frames);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn fallback_014_messages_are_an_array_of_strings() {
        let frames = texts(&[r#"{"event":"pusher:pong","data":"{}"}"#, "é\n"]);
        assert_eq!(
            messages(&frames),
            "before\na[\"{\\\"event\\\":\\\"pusher:pong\\\",\\\"data\\\":\\\"{}\\\"}\",\"é\\n\"]\n"
        );
    }

    #[test]
    fn fallback_014_what_is_no_text_is_left_out() {
        assert_eq!(messages(&[]), "before\n");
        assert_eq!(messages(&[Frame::ping(), Frame::close(Some(4100), "x")]), "before\n");
        let mixed = [vec![Frame::ping()], texts(&["1"]), vec![Frame::pong(b"x")], texts(&["2"])].concat();
        assert_eq!(messages(&mixed), "before\na[\"1\",\"2\"]\n");
    }

    #[test]
    fn fallback_014_a_close_has_a_code_and_a_reason() {
        assert_eq!(close(4001, "no \"such\" key"), b"c[4001,\"no \\\"such\\\" key\"]\n");
    }

    #[test]
    fn fallback_018_units_are_those_of_the_client() {
        let mut out = OPEN.to_vec();
        push_messages(&mut out, &texts(&["é😀"]));
        assert_eq!(units(&out), "o\na[\"é😀\"]\n".encode_utf16().count());
        assert!(units(&out) < out.len());
    }

    proptest! {
        #[test]
        fn fallback_014_a_frame_is_one_line_with_the_messages(
            sent in proptest::collection::vec(any::<String>(), 1..5),
        ) {
            let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
            let mut out = Vec::new();
            push_messages(&mut out, &texts(&sent));
            let line = std::str::from_utf8(&out).expect("UTF-8").strip_suffix('\n').expect("a line");
            prop_assert!(!line.contains('\n'));
            let read: Vec<String> = serde_json::from_str(line.strip_prefix('a').expect("messages")).expect("JSON");
            prop_assert_eq!(read, sent);
        }
    }
}
