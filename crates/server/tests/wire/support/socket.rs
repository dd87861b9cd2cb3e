//! A WebSocket client that can also misbehave.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use serde_json::Value;

use super::http::Http;
use super::signing::user_auth;
use super::stream::Stream;
use super::{APP, App, DEADLINE, PONG, quoted, signed_subscribe, succeeded};

/// First byte of a frame: the last frame of its message.
pub const FIN: u8 = 0x80;
pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG_FRAME: u8 = 0xA;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A message from the server.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    Text(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    /// The TCP connection has ended.
    End,
    /// The TCP connection has ended in the middle of a frame, or of TLS.
    Cut,
}

/// A frame as clients send it: masked.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = masked_head(first, payload.len() as u64);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The head of a masked frame that announces `length` bytes.
pub fn masked_head(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match u8::try_from(length) {
        Ok(short @ ..=125) => bytes.push(0x80 | short),
        _ => match u16::try_from(length) {
            Ok(middle) => {
                bytes.push(0x80 | 126);
                bytes.extend(middle.to_be_bytes());
            }
            Err(_) => {
                bytes.push(0x80 | 127);
                bytes.extend(length.to_be_bytes());
            }
        },
    }
    bytes.extend(MASK);
    bytes
}

/// An upgraded connection.
pub struct Socket {
    stream: Stream,
    unread: Vec<u8>,
    cut: bool,
    /// The socket id from the server; empty until [`Self::established`].
    pub id: String,
}

impl Socket {
    pub fn new(http: Http) -> Self {
        let (stream, unread) = http.into_parts();
        Self { stream, unread, cut: false, id: String::new() }
    }

    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Reads `connection_established`, byte for byte (WS-030), and keeps the socket id.
    #[track_caller]
    pub fn established(mut self, activity_timeout: u32) -> Self {
        let text = self.text();
        let start = r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\""#;
        let end = format!(r#"\",\"activity_timeout\":{activity_timeout}}}"}}"#);
        let id = text.strip_prefix(start).and_then(|rest| rest.strip_suffix(&*end));
        id.unwrap_or_else(|| panic!("WS-030: {text}")).clone_into(&mut self.id);
        self
    }

    #[track_caller]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server is reading");
    }

    /// As [`Self::raw`], to a server that may have hung up; returns whether the server accepted the bytes.
    pub fn try_raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends a text message.
    #[track_caller]
    pub fn send(&mut self, text: &str) {
        self.raw(&masked(FIN | TEXT, text.as_bytes()));
    }

    /// Sends `pusher:subscribe` for a public channel.
    #[track_caller]
    pub fn ask_for(&mut self, channel: &str) {
        self.send(&format!(r#"{{"event":"pusher:subscribe","data":{{"channel":{}}}}}"#, quoted(channel)));
    }

    /// Subscribes to a public channel, which must succeed.
    #[track_caller]
    pub fn subscribe(&mut self, channel: &str) {
        self.ask_for(channel);
        self.expect_succeeded(channel);
    }

    /// Sends `pusher:subscribe` with a right signature.
    #[track_caller]
    pub fn ask_signed(&mut self, app: App, channel: &str, channel_data: Option<&str>) {
        self.send(&signed_subscribe(app, &self.id, channel, channel_data));
    }

    /// Subscribes to a private channel, which must succeed.
    #[track_caller]
    pub fn subscribe_private(&mut self, app: App, channel: &str) {
        self.ask_signed(app, channel, None);
        self.expect_succeeded(channel);
    }

    /// Subscribes to a presence channel, which must succeed; returns `{"count":…,"ids":…,"hash":…}`.
    #[track_caller]
    pub fn join(&mut self, app: App, channel: &str, channel_data: &str) -> Value {
        self.ask_signed(app, channel, Some(channel_data));
        let mut frame = self.json();
        assert_eq!(frame["event"], "pusher_internal:subscription_succeeded", "{frame}");
        assert_eq!(frame["channel"], channel);
        let data = frame["data"].as_str().expect("WS-101: data is a string");
        frame = serde_json::from_str(data).expect("WS-121: data holds JSON");
        frame["presence"].take()
    }

    /// Subscribes to a channel of any kind, on presence channels as `u` and the socket id.
    #[track_caller]
    pub fn join_any(&mut self, channel: &str) {
        if channel.starts_with("presence-") {
            self.join(APP, channel, &format!(r#"{{"user_id":"u{}"}}"#, self.id));
        } else {
            self.subscribe_private(APP, channel);
        }
    }

    /// Sends `pusher:signin` with a right signature.
    #[track_caller]
    pub fn ask_to_sign_in(&mut self, app: App, user_data: &str) {
        let auth = user_auth(app, &self.id, user_data);
        let user_data = quoted(user_data);
        self.send(&format!(
            r#"{{"event":"pusher:signin","data":{{"auth":"{auth}","user_data":{user_data}}}}}"#
        ));
    }

    /// Signs in, which must succeed and echo `user_data` byte for byte (WS-183).
    #[track_caller]
    pub fn sign_in(&mut self, app: App, user_data: &str) {
        self.ask_to_sign_in(app, user_data);
        let data = quoted(&format!(r#"{{"user_data":{}}}"#, quoted(user_data)));
        self.expect_text(&format!(r#"{{"event":"pusher:signin_success","data":{data}}}"#));
    }

    /// Sends a client event; `data` is JSON for the frame (WS-160).
    #[track_caller]
    pub fn client_event(&mut self, channel: &str, event: &str, data: &str) {
        let (channel, event) = (quoted(channel), quoted(event));
        self.send(&format!(r#"{{"event":{event},"data":{data},"channel":{channel}}}"#));
    }

    #[track_caller]
    pub fn unsubscribe(&mut self, channel: &str) {
        self.send(&format!(r#"{{"event":"pusher:unsubscribe","data":{{"channel":{}}}}}"#, quoted(channel)));
    }

    /// Closes as browsers do and reads until the server has hung up.
    #[track_caller]
    pub fn close(mut self) {
        self.raw(&masked(FIN | CLOSE, &1000_u16.to_be_bytes()));
        while !matches!(self.frame(), Frame::End | Frame::Cut) {}
    }

    /// The next text message; nothing else may come first.
    #[track_caller]
    pub fn text(&mut self) -> String {
        match self.frame() {
            Frame::Text(text) => text,
            other => panic!("expected a text message, got {other:?}"),
        }
    }

    #[track_caller]
    pub fn json(&mut self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("WS-020: {error} in {text}"))
    }

    /// The next message is this, byte for byte.
    #[track_caller]
    pub fn expect_text(&mut self, text: &str) {
        assert_eq!(self.text(), text);
    }

    #[track_caller]
    pub fn expect_succeeded(&mut self, channel: &str) {
        self.expect_text(&succeeded(channel));
    }

    /// The next message is this event, byte for byte (WS-022).
    #[track_caller]
    pub fn expect_event(&mut self, channel: &str, event: &str, data: &str) {
        let (channel, event, data) = (quoted(channel), quoted(event), quoted(data));
        self.expect_text(&format!(r#"{{"event":{event},"data":{data},"channel":{channel}}}"#));
    }

    /// The next message is this subscription count (WS-175).
    #[track_caller]
    pub fn expect_count(&mut self, channel: &str, count: usize) {
        let data = format!(r#"{{"subscription_count":{count}}}"#);
        self.expect_event(channel, "pusher_internal:subscription_count", &data);
    }

    /// The next message is a cache miss (WS-172).
    #[track_caller]
    pub fn expect_cache_miss(&mut self, channel: &str) {
        self.expect_event(channel, "pusher:cache_miss", "{}");
    }

    /// The next message is a `pusher:error` with code null and exactly this text (WS-130).
    #[track_caller]
    pub fn expect_error(&mut self, message: &str) {
        self.expect_error_of("null", message);
    }

    /// As [`Self::expect_error`], with a code.
    #[track_caller]
    pub fn expect_error_code(&mut self, code: u16, message: &str) {
        self.expect_error_of(&code.to_string(), message);
    }

    #[track_caller]
    fn expect_error_of(&mut self, code: &str, message: &str) {
        let message = quoted(message);
        self.expect_text(&format!(
            r#"{{"event":"pusher:error","data":{{"code":{code},"message":{message}}}}}"#
        ));
    }

    /// The next message is a `pusher:error` in the shape of WS-102; returns code and text.
    #[track_caller]
    pub fn error(&mut self) -> (Option<u64>, String) {
        let frame = self.json();
        assert_eq!(frame["event"], "pusher:error", "{frame}");
        let (code, message) = (&frame["data"]["code"], &frame["data"]["message"]);
        assert!(code.is_null() || code.is_u64(), "WS-102: {frame}");
        (code.as_u64(), message.as_str().expect("WS-102: message is a string").to_owned())
    }

    /// Nothing is on its way: the answer to a `pusher:ping` comes first. Frames of one connection keep
    /// their order, so this proves an absence without waiting.
    #[track_caller]
    pub fn expect_nothing_more(&mut self) {
        self.send(r#"{"event":"pusher:ping","data":{}}"#);
        self.expect_text(PONG);
    }

    /// The server closes with this code and reason and hangs up; nothing comes before.
    #[track_caller]
    pub fn expect_close(&mut self, code: u16, reason: &str) {
        assert_eq!(self.frame(), Frame::Close(Some(code), reason.into()));
        self.expect_end();
    }

    /// As [`Self::expect_close`], with any reason.
    #[track_caller]
    pub fn expect_close_code(&mut self, code: u16) {
        match self.frame() {
            Frame::Close(Some(got), _) if got == code => self.expect_end(),
            other => panic!("expected a close with {code}, got {other:?}"),
        }
    }

    /// For protocols below 6: `pusher:error` with this code and text, then the close (WS-053).
    #[track_caller]
    pub fn expect_close_by_event(&mut self, code: u16, reason: &str) {
        self.expect_error_code(code, reason);
        self.expect_close(code, reason);
    }

    #[track_caller]
    pub fn expect_end(&mut self) {
        assert_eq!(self.frame(), Frame::End, "the server hangs up after its close");
    }

    /// Whether no byte arrives for this long; a stimulus (a silent client), not a wait.
    #[track_caller]
    pub fn is_left_alone_for(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).expect("a socket takes a timeout");
        let quiet = self.unread.is_empty() && matches!(self.fill(), Err(Timeout));
        self.stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        quiet
    }

    /// The next frame of any kind.
    #[track_caller]
    pub fn frame(&mut self) -> Frame {
        let Some((opcode, payload)) = self.whole_frame() else {
            return if self.unread.is_empty() && !self.cut { Frame::End } else { Frame::Cut };
        };
        let text = |bytes| String::from_utf8(bytes).expect("the server sends valid UTF-8");
        match opcode {
            TEXT => Frame::Text(text(payload)),
            PING => Frame::Ping(payload),
            PONG_FRAME => Frame::Pong(payload),
            CLOSE if payload.is_empty() => Frame::Close(None, String::new()),
            CLOSE => {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                assert!(payload.len() <= 125, "WS-050: a reason has at most 123 bytes");
                Frame::Close(Some(code), text(payload[2..].to_vec()))
            }
            other => panic!("the server sent a frame of kind {other}"),
        }
    }

    /// Opcode and payload; `None` if the connection has ended.
    #[track_caller]
    fn whole_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((head, length)) = announced(&self.unread)
                && self.unread.len() >= head + length
            {
                let first = self.unread[0];
                let payload = self.unread.drain(..head + length).skip(head).collect();
                return Some((first & 0x0f, payload));
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(Timeout) => panic!("nothing came within {DEADLINE:?}; so far {:?}", self.unread),
            }
        }
    }

    /// Reads some more; false when the connection has ended.
    fn fill(&mut self) -> Result<bool, Timeout> {
        let mut some = [0; 16_384];
        match self.stream.read(&mut some) {
            Ok(count) => {
                self.unread.extend_from_slice(&some[..count]);
                Ok(count > 0)
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(false),
            // TCP has ended without the close alert of TLS.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.cut = true;
                Ok(false)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(Timeout),
            Err(error) => panic!("the connection is broken: {error}"),
        }
    }
}

struct Timeout;

/// Bytes of the head and of the payload, once the head is complete.
fn announced(bytes: &[u8]) -> Option<(usize, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!(first & 0xf0, FIN, "the server sends whole messages and no reserved bits");
    assert_eq!(second & 0x80, 0, "RFC 6455 5.1: a server does not mask");
    match second {
        126 => Some((4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)))),
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            Some((10, usize::try_from(length).expect("a length that fits the machine")))
        }
        short => Some((2, usize::from(short))),
    }
}
