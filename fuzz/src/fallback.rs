//! Any bytes as a body of `xhr_send`: the messages are the JSON's, within the bounds, and come back when sent.
//!
//! Owns the comparison; what a message means is the concern of `client_message`.

use fanfare_protocol::fallback::{SessionName, XhrSendFault, close, push_messages, sent_texts};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::utf16::units;

/// Messages of a body at most.
const MOST: usize = 5;

/// Bytes of a message at most.
const MOST_BYTES: usize = 60;

/// Reads the bytes as a body, as a reason, and as a session's name.
pub fn fallback(data: &[u8]) {
    let expected: Option<Vec<String>> = serde_json::from_slice(data).ok();
    match (sent_texts(data, MOST, MOST_BYTES), expected) {
        (Ok(texts), Some(expected)) => {
            assert_eq!(texts, expected);
            assert!(texts.len() <= MOST && texts.iter().all(|text| text.len() <= MOST_BYTES));
            come_back(&expected);
        }
        (Err(XhrSendFault::Malformed), None) => {}
        // A bound may be exceeded before a fault is reached.
        (Err(XhrSendFault::TooMany { limit }), expected) => {
            assert_eq!(limit, MOST);
            assert!(expected.is_none_or(|texts| texts.len() > MOST));
        }
        (Err(XhrSendFault::TooLong { limit }), expected) => {
            assert_eq!(limit, MOST_BYTES);
            assert!(expected.is_none_or(|texts| texts.iter().any(|text| text.len() > MOST_BYTES)));
        }
        (read, expected) => panic!("{read:?}, and not {expected:?}"),
    }
    let text = String::from_utf8_lossy(data);
    let frame = String::from_utf8(close(4001, &text)).expect("a frame is text");
    let read = serde_json::from_str(frame.strip_prefix('c').expect("a close"));
    assert_eq!(read.ok(), Some((4001_u16, text.to_string())));
    is_a_name(&text);
}

/// Panics unless one line has all messages, and is as long as a browser says.
fn come_back(texts: &[String]) {
    let frames =
        texts.iter().map(|text| Frame::text(text.len(), |out| out.extend_from_slice(text.as_bytes())));
    let frames: Vec<Frame> = frames.collect();
    let mut line = Vec::new();
    push_messages(&mut line, &frames);
    let line = String::from_utf8(line).expect("a frame is text");
    assert_eq!(units(line.as_bytes()), line.encode_utf16().count());
    if texts.is_empty() {
        assert_eq!(line, "");
        return;
    }
    assert_eq!(line.find('\n'), Some(line.len() - 1));
    let read: Vec<String> = serde_json::from_str(line.strip_prefix('a').expect("messages")).expect("JSON");
    assert_eq!(read, texts);
}

/// Panics unless a name that is read is written the same.
fn is_a_name(text: &str) {
    let Some((number, letters)) = text.split_once('/') else { return };
    if let Some(name) = SessionName::parse(number, letters) {
        assert_eq!(name.to_string(), text);
        assert!(number.parse::<u16>().is_ok_and(|number| number < 1000));
    }
}
