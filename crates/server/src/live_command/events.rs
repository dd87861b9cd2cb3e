//! Server-Sent Events out of the parts of an answer: names and data, nothing else.
//!
//! Bounded: a server that sends a message without an end is left.

use serde_json::Value;

/// Longest message, in bytes: an entry with 4 KiB of data, each byte of which may be escaped.
const MOST_BYTES: usize = 256 * 1024;

/// One message of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StreamEvent {
    /// The name; `None` for entries.
    pub name: Option<String>,
    pub data: Value,
}

/// What comes is not what this server sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotEvents;

/// Takes an answer apart.
#[derive(Debug, Default)]
pub(super) struct EventStream {
    /// The beginning of the next message.
    unread: Vec<u8>,
}

impl EventStream {
    /// The messages that are whole with this part of the answer. Comments are left out.
    pub fn take(&mut self, part: &[u8]) -> Result<Vec<StreamEvent>, NotEvents> {
        self.unread.extend_from_slice(part);
        let mut events = Vec::new();
        let mut begin = 0;
        while let Some(length) = self.unread[begin..].windows(2).position(|end| end == b"\n\n") {
            events.extend(event(&self.unread[begin..begin + length])?);
            begin += length + 2;
        }
        self.unread.drain(..begin);
        if self.unread.len() > MOST_BYTES { Err(NotEvents) } else { Ok(events) }
    }
}

/// A message, or none where there is no data.
fn event(block: &[u8]) -> Result<Option<StreamEvent>, NotEvents> {
    let text = std::str::from_utf8(block).map_err(|_| NotEvents)?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let Some(data) = field("data") else { return Ok(None) };
    let data = serde_json::from_str(data).map_err(|_| NotEvents)?;
    let name =
        field("event").filter(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
    Ok(Some(StreamEvent { name: name.map(str::to_owned), data }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_come_whole_however_the_answer_is_cut() {
        let text = "retry: 1000\n: listening\n\nid: 7\ndata: {\"é\":1}\n\n:\n\nid: 8\nevent: left_out\ndata: {\"count\":2}\n\n";
        let whole = EventStream::default().take(text.as_bytes()).unwrap();
        assert_eq!(
            whole,
            [
                StreamEvent { name: None, data: json!({"é": 1}) },
                StreamEvent { name: Some("left_out".to_owned()), data: json!({"count": 2}) },
            ]
        );
        for length in 1..text.len() {
            let mut stream = EventStream::default();
            let parts: Vec<StreamEvent> =
                text.as_bytes().chunks(length).flat_map(|part| stream.take(part).unwrap()).collect();
            assert_eq!(parts, whole, "{length} bytes a part");
        }
    }

    #[test]
    fn an_answer_that_is_no_list_is_left() {
        for text in ["data: <html>\n\n".to_owned(), "x".repeat(MOST_BYTES + 1)] {
            assert_eq!(EventStream::default().take(text.as_bytes()), Err(NotEvents));
        }
    }
}
