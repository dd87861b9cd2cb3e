//! Messages of the server: the only place that builds JSON for Pusher's clients.
//!
//! Key order is hosted Pusher's: `event`, `data`, `channel` (WS-022). `data` is a string in every
//! event but `pusher:error` (WS-101, WS-102).

use std::fmt::Write as _;

use serde_json::value::RawValue;

use crate::channel::ChannelName;
use crate::data::Data;
use crate::frame::Frame;
use crate::ids::{SocketId, UserId};
use crate::json::push_string;
use crate::presence::{UserInfo, info_json, roster};
use crate::resume::ResumeToken;

/// Bytes of an event's JSON besides name, data and channel.
const EVENT_FRAME: usize = 40;

/// An event on its way to one or more channels; name and data are quoted once for all of them.
#[derive(Debug)]
pub struct QuotedEvent {
    /// `{"event":NAME,"data":DATA`
    head: Vec<u8>,
}

impl QuotedEvent {
    /// `data` goes out byte for byte, as a JSON string (WS-104).
    #[must_use]
    pub fn new<'a>(name: &str, data: impl Into<Data<'a>>) -> Self {
        let data = data.into();
        Self::with(name, data.len(), |head| data.push(head))
    }

    /// As [`QuotedEvent::new`], for subscribers of whom some may speak Socket.IO (SIO-055).
    #[must_use]
    pub fn for_both_dialects(name: &str, data: &Data<'_>) -> Self {
        Self::with(name, data.len(), |head| data.push_marked(head))
    }

    fn with(name: &str, length: usize, push_data: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut head = Vec::with_capacity(EVENT_FRAME + name.len() + length + length / 4);
        head.extend_from_slice(br#"{"event":"#);
        push_string(&mut head, name);
        head.extend_from_slice(br#","data":"#);
        push_data(&mut head);
        Self { head }
    }

    /// The frame for the subscribers of one channel.
    #[must_use]
    pub fn on(&self, channel: &ChannelName) -> Frame {
        Frame::text(self.head.len() + channel.as_str().len() + EVENT_FRAME, |out| {
            self.push_head_and_channel(out, channel.as_str());
            out.push(b'}');
        })
    }

    /// The frame for the subscribers of one channel of an event from another subscriber (WS-164); `user` is
    /// the sender's user on a presence channel (WS-165).
    #[must_use]
    pub fn from_client(&self, channel: &ChannelName, user: Option<&UserId>) -> Frame {
        let Some(user) = user else {
            return self.on(channel);
        };
        let expected = self.head.len() + channel.as_str().len() + user.as_str().len() + EVENT_FRAME;
        Frame::text(expected, |out| {
            self.push_head_and_channel(out, channel.as_str());
            out.extend_from_slice(br#","user_id":"#);
            push_string(out, user.as_str());
            out.push(b'}');
        })
    }

    fn push_head_and_channel(&self, out: &mut Vec<u8>, channel: &str) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(br#","channel":"#);
        push_string(out, channel);
    }

    /// The frame for one connection, without a channel.
    fn alone(&self) -> Frame {
        Frame::text(self.head.len() + 1, |out| {
            out.extend_from_slice(&self.head);
            out.push(b'}');
        })
    }
}

/// `pusher:connection_established` (WS-030, WS-032); `activity_timeout` in seconds.
#[must_use]
pub fn connection_established(socket: SocketId, activity_timeout: u32) -> Frame {
    let data = format!(r#"{{"socket_id":"{socket}","activity_timeout":{activity_timeout}}}"#);
    QuotedEvent::new("pusher:connection_established", &data).alone()
}

/// `pusher_internal:resume`: the server can resume, and names the connection (RES-001).
#[must_use]
pub fn resume_offer(token: ResumeToken) -> Frame {
    QuotedEvent::new("pusher_internal:resume", format!(r#"{{"token":"{token}"}}"#)).alone()
}

/// `fanfare:resumed`: how much of what the client missed on the channel came before (RES-006).
#[must_use]
pub fn resumed(channel: &ChannelName, replayed: usize, is_complete: bool) -> Frame {
    let data = format!(r#"{{"replayed":{replayed},"complete":{is_complete}}}"#);
    QuotedEvent::new("fanfare:resumed", &data).on(channel)
}

/// `pusher:pong` (WS-042).
#[must_use]
pub fn pong() -> Frame {
    QuotedEvent::new("pusher:pong", "{}").alone()
}

/// `pusher:error` (WS-102, WS-130): the one event whose `data` is an object.
#[must_use]
pub fn error(code: Option<u16>, message: &str) -> Frame {
    Frame::text(message.len() + 64, |out| {
        out.extend_from_slice(br#"{"event":"pusher:error","data":{"code":"#);
        match code {
            Some(code) => out.extend_from_slice(code.to_string().as_bytes()),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(br#","message":"#);
        push_string(out, message);
        out.extend_from_slice(b"}}");
    })
}

/// soketi's `pusher:subscription_error`, for clients written for soketi (WS-133).
#[must_use]
pub fn subscription_error(channel: &str, kind: &str, message: &str, status: u16) -> Frame {
    let mut data = Vec::with_capacity(message.len() + 48);
    data.extend_from_slice(br#"{"type":"#);
    push_string(&mut data, kind);
    data.extend_from_slice(br#","error":"#);
    push_string(&mut data, message);
    let mut data = String::from_utf8_lossy(&data).into_owned();
    // Writing to a String cannot fail.
    let _ = write!(data, r#","status":{status}}}"#);
    let event = QuotedEvent::new("pusher:subscription_error", &data);
    Frame::text(event.head.len() + channel.len() + EVENT_FRAME, |out| {
        event.push_head_and_channel(out, channel);
        out.push(b'}');
    })
}

/// `pusher_internal:subscription_succeeded` of any channel but presence (WS-120).
#[must_use]
pub fn subscription_succeeded(channel: &ChannelName) -> Frame {
    QuotedEvent::new("pusher_internal:subscription_succeeded", "{}").on(channel)
}

/// `pusher_internal:subscription_succeeded` of a presence channel, with the whole roster (WS-121).
#[must_use]
pub fn presence_succeeded<'a>(
    channel: &ChannelName,
    users: impl Iterator<Item = (&'a UserId, &'a UserInfo)>,
) -> Frame {
    QuotedEvent::new("pusher_internal:subscription_succeeded", roster(users)).on(channel)
}

/// `pusher_internal:member_added` (WS-150).
#[must_use]
pub fn member_added(channel: &ChannelName, user: &UserId, info: &UserInfo) -> Frame {
    let mut data = Vec::new();
    data.extend_from_slice(br#"{"user_id":"#);
    push_string(&mut data, user.as_str());
    data.extend_from_slice(br#","user_info":"#);
    data.extend_from_slice(info_json(info).as_bytes());
    data.push(b'}');
    QuotedEvent::new("pusher_internal:member_added", &String::from_utf8_lossy(&data)).on(channel)
}

/// `pusher_internal:member_removed` (WS-151).
#[must_use]
pub fn member_removed(channel: &ChannelName, user: &UserId) -> Frame {
    let mut data = Vec::new();
    data.extend_from_slice(br#"{"user_id":"#);
    push_string(&mut data, user.as_str());
    data.push(b'}');
    QuotedEvent::new("pusher_internal:member_removed", &String::from_utf8_lossy(&data)).on(channel)
}

/// `pusher:cache_miss` (WS-172).
#[must_use]
pub fn cache_miss(channel: &ChannelName) -> Frame {
    QuotedEvent::new("pusher:cache_miss", "{}").on(channel)
}

/// `pusher_internal:subscription_count` (WS-175).
#[must_use]
pub fn subscription_count(channel: &ChannelName, count: usize) -> Frame {
    let data = format!(r#"{{"subscription_count":{count}}}"#);
    QuotedEvent::new("pusher_internal:subscription_count", &data).on(channel)
}

/// `pusher:signin_success`; `user_data` as received, quoted twice over (WS-183).
#[must_use]
pub fn signin_success(user_data: &str) -> Frame {
    let mut data = Vec::with_capacity(user_data.len() + user_data.len() / 4 + 16);
    data.extend_from_slice(br#"{"user_data":"#);
    push_string(&mut data, user_data);
    data.push(b'}');
    QuotedEvent::new("pusher:signin_success", &String::from_utf8_lossy(&data)).alone()
}

/// `pusher_internal:watchlist_events`: users online and offline; empty lists are left out (WS-195).
#[must_use]
pub fn watchlist_events(online: &[&UserId], offline: &[&UserId]) -> Frame {
    let mut data = br#"{"events":["#.to_vec();
    let mut parted = false;
    for (name, ids) in [("online", online), ("offline", offline)] {
        if ids.is_empty() {
            continue;
        }
        if std::mem::replace(&mut parted, true) {
            data.push(b',');
        }
        data.extend_from_slice(br#"{"name":"#);
        push_string(&mut data, name);
        data.extend_from_slice(br#","user_ids":["#);
        for (at, id) in ids.iter().enumerate() {
            if at > 0 {
                data.push(b',');
            }
            push_string(&mut data, id.as_str());
        }
        data.extend_from_slice(b"]}");
    }
    data.extend_from_slice(b"]}");
    QuotedEvent::new("pusher_internal:watchlist_events", &String::from_utf8_lossy(&data)).alone()
}

/// The `data` of an event as published, read from its frame as a JSON string (API-037).
#[must_use]
pub fn data_of(frame: &Frame) -> Option<Box<RawValue>> {
    #[derive(serde::Deserialize)]
    struct Sent {
        data: Box<RawValue>,
    }

    serde_json::from_slice(frame.payload()).ok().map(|Sent { data }| data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Limits;
    use crate::presence::Identity;

    fn text(frame: &Frame) -> &str {
        std::str::from_utf8(frame.payload()).expect("JSON is UTF-8")
    }

    fn channel(name: &str) -> ChannelName {
        ChannelName::parse(name, 164).expect(name)
    }

    #[test]
    fn ws_030_the_first_frame_is_hosted_pushers() {
        let socket = "8910.66062685".parse().expect("an id");
        assert_eq!(
            text(&connection_established(socket, 120)),
            r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"8910.66062685\",\"activity_timeout\":120}"}"#
        );
    }

    #[test]
    fn ws_102_the_data_of_an_error_is_an_object() {
        assert_eq!(
            text(&error(None, "Existing subscription to channel private-a")),
            r#"{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel private-a"}}"#
        );
        assert_eq!(
            text(&error(Some(4009), "a \"b\"")),
            r#"{"event":"pusher:error","data":{"code":4009,"message":"a \"b\""}}"#
        );
    }

    #[test]
    fn ws_104_event_data_is_passed_byte_for_byte() {
        for data in ["", "not json", "{\"a\": 1}", "\u{0}\u{1f}\"\\/é☃\u{1f600}\u{2028}"] {
            let frame = QuotedEvent::new("App\\Events\\OrderShipped", data).on(&channel("news"));
            let json: serde_json::Value = serde_json::from_str(text(&frame)).expect("JSON");
            assert_eq!(json["data"], data);
            assert_eq!(json["event"], "App\\Events\\OrderShipped");
            assert_eq!(json["channel"], "news");
        }
    }

    #[test]
    fn ws_022_keys_come_in_hosted_pushers_order() {
        assert_eq!(
            text(&QuotedEvent::new("hello", r#"{"a":1}"#).on(&channel("news"))),
            r#"{"event":"hello","data":"{\"a\":1}","channel":"news"}"#
        );
        assert_eq!(text(&pong()), r#"{"event":"pusher:pong","data":"{}"}"#);
        assert_eq!(
            text(&subscription_succeeded(&channel("private-a"))),
            r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"private-a"}"#
        );
    }

    #[test]
    fn ws_150_and_ws_151_member_events_name_the_user() {
        let limits = Limits::default();
        let bob =
            Identity::parse(r#"{"user_id":"u2","user_info":{"name":"Bob"}}"#, "c", &limits).expect("bob");
        let channel = channel("presence-a");
        assert_eq!(
            text(&member_added(&channel, &bob.user_id, &bob.user_info)),
            r#"{"event":"pusher_internal:member_added","data":"{\"user_id\":\"u2\",\"user_info\":{\"name\":\"Bob\"}}","channel":"presence-a"}"#
        );
        assert_eq!(
            text(&member_removed(&channel, &bob.user_id)),
            r#"{"event":"pusher_internal:member_removed","data":"{\"user_id\":\"u2\"}","channel":"presence-a"}"#
        );
    }

    #[test]
    fn ws_164_and_ws_165_a_client_event_names_its_user_on_presence_channels() {
        let event = QuotedEvent::new("client-typing", r#"{"a":1}"#);
        assert_eq!(
            text(&event.from_client(&channel("private-a"), None)),
            r#"{"event":"client-typing","data":"{\"a\":1}","channel":"private-a"}"#
        );
        assert_eq!(
            text(&event.from_client(&channel("presence-a"), Some(&"u1".into()))),
            r#"{"event":"client-typing","data":"{\"a\":1}","channel":"presence-a","user_id":"u1"}"#
        );
    }

    #[test]
    fn ws_172_and_ws_175_cache_misses_and_counts_are_events_of_the_channel() {
        assert_eq!(
            text(&cache_miss(&channel("cache-a"))),
            r#"{"event":"pusher:cache_miss","data":"{}","channel":"cache-a"}"#
        );
        assert_eq!(
            text(&subscription_count(&channel("news"), 3)),
            r#"{"event":"pusher_internal:subscription_count","data":"{\"subscription_count\":3}","channel":"news"}"#
        );
    }

    #[test]
    fn res_001_and_res_006_offers_and_answers_are_events() {
        assert_eq!(
            text(&resume_offer(ResumeToken::from_bits(0))),
            r#"{"event":"pusher_internal:resume","data":"{\"token\":\"AAAAAAAAAAAAAAAAAAAAAA\"}"}"#
        );
        assert_eq!(
            text(&resumed(&channel("private-a"), 12, true)),
            r#"{"event":"fanfare:resumed","data":"{\"replayed\":12,\"complete\":true}","channel":"private-a"}"#
        );
    }

    #[test]
    fn ws_183_user_data_is_echoed_in_three_levels_of_quoting() {
        let user_data = r#"{"id":"12345","user_info":{"name":"Ann"},"watchlist":["67890"]}"#;
        assert_eq!(
            text(&signin_success(user_data)),
            r#"{"event":"pusher:signin_success","data":"{\"user_data\":\"{\\\"id\\\":\\\"12345\\\",\\\"user_info\\\":{\\\"name\\\":\\\"Ann\\\"},\\\"watchlist\\\":[\\\"67890\\\"]}\"}"}"#
        );
    }

    #[test]
    fn ws_195_watchlist_events_leave_out_empty_lists() {
        let (a, b): (UserId, UserId) = ("67890".into(), "11".into());
        assert_eq!(
            text(&watchlist_events(&[&a], &[&b])),
            r#"{"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"online\",\"user_ids\":[\"67890\"]},{\"name\":\"offline\",\"user_ids\":[\"11\"]}]}"}"#
        );
        assert_eq!(
            text(&watchlist_events(&[], &[&a, &b])),
            r#"{"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"offline\",\"user_ids\":[\"67890\",\"11\"]}]}"}"#
        );
    }

    #[test]
    fn api_037_the_data_of_an_event_is_read_back_as_it_was() {
        for data in ["", "x", "{\"a\": \"\\u00e9 é\"}"] {
            let read = data_of(&QuotedEvent::new("e", data).on(&channel("cache-a"))).expect("its data");
            assert_eq!(crate::json::string(read.get()).as_deref(), Some(data));
        }
    }

    #[test]
    fn ws_133_soketis_error_is_a_string_that_pusher_js_decodes() {
        assert_eq!(
            text(&subscription_error("private-a", "AuthError", "no", 401)),
            r#"{"event":"pusher:subscription_error","data":"{\"type\":\"AuthError\",\"error\":\"no\",\"status\":401}","channel":"private-a"}"#
        );
    }
}
