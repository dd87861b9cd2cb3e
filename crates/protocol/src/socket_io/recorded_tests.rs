//! Exchanges as they were recorded between stock clients and their servers, byte for byte.

use super::{SocketIoMessage, connected, event, presence_joining};
use crate::app::Limits;
use crate::channel::ChannelName;
use crate::engine_io::{
    EngineVersion, OpenPacket, Packet, PollAnswer, noop, packets, ping, pong, pong_to_probe,
};
use crate::frame::Frame;
use crate::ids::SocketId;
use crate::presence::Identity;
use crate::server::QuotedEvent;

const OPEN: OpenPacket<'_> = OpenPacket {
    sid: "tz9xK3vQm1sB0aAAAAAB",
    may_upgrade: true,
    ping_interval: 4000,
    ping_timeout: 3000,
    max_payload: 1_000_000,
};

fn poll(version: EngineVersion, frames: &[Frame]) -> String {
    let mut answer = PollAnswer::new(version);
    for frame in frames {
        answer.push(frame);
    }
    String::from_utf8(answer.into_body()).expect("UTF-8")
}

fn text(frame: &Frame) -> &str {
    std::str::from_utf8(frame.payload()).expect("UTF-8")
}

fn published(data: &str) -> Frame {
    let news = ChannelName::parse("news", 164).expect("a name");
    event(&QuotedEvent::new("e", data).on(&news)).expect("an event")
}

/// The only packet of a POST.
fn posted(version: EngineVersion, body: &str) -> Packet<'_> {
    let mut packets = packets(version, body, 10_000);
    let packet = packets.next().expect("a packet").expect("of Engine.IO");
    assert_eq!(packets.next(), None);
    packet
}

fn subscribes_to(packet: Packet<'_>, channel: &str) {
    let Packet::Message(content) = packet else { panic!("{packet:?}") };
    match SocketIoMessage::parse(content) {
        Ok(SocketIoMessage::Subscribe(subscribe)) => {
            assert_eq!((&*subscribe.channel, subscribe.headers().len()), (channel, 0));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn sio_013_the_recorded_exchange_of_version_3() {
    let three = EngineVersion::Three;
    let id = SocketId::from_bits(7);
    assert_eq!(
        poll(three, &[OPEN.frame(three), connected(three, id)]),
        r#"95:0{"sid":"tz9xK3vQm1sB0aAAAAAB","upgrades":["websocket"],"pingInterval":4000,"pingTimeout":3000}2:40"#
    );
    let subscribe = r#"56:42["subscribe",{"channel":"news","auth":{"headers":{}}}]"#;
    subscribes_to(posted(three, subscribe), "news");
    assert_eq!(
        poll(three, &[published(r#"{"text":"é😀"}"#), published(r#"{"n":2}"#)]),
        r#"29:42["e","news",{"text":"é😀"}]22:42["e","news",{"n":2}]"#
    );
    assert_eq!(posted(three, "1:2"), Packet::Ping(""));
    assert_eq!(poll(three, &[pong()]), "1:3");
    assert_eq!(poll(three, &[noop()]), "1:6");
    assert_eq!(Packet::parse("2probe"), Ok(Packet::Ping("probe")));
    assert_eq!(text(&pong_to_probe()), "3probe");
    assert_eq!(Packet::parse("5"), Ok(Packet::Upgrade));
    assert_eq!(text(&published(r#"{"n":3}"#)), r#"42["e","news",{"n":3}]"#);
}

#[test]
fn sio_013_the_recorded_exchange_of_version_4() {
    let four = EngineVersion::Four;
    assert_eq!(
        poll(four, &[OPEN.frame(four)]),
        r#"0{"sid":"tz9xK3vQm1sB0aAAAAAB","upgrades":["websocket"],"pingInterval":4000,"pingTimeout":3000,"maxPayload":1000000}"#
    );
    assert_eq!(posted(four, "40"), Packet::Message("0"));
    assert_eq!(SocketIoMessage::parse("0"), Ok(SocketIoMessage::Connect));
    let id = SocketId::from_bits(7);
    assert_eq!(poll(four, &[connected(four, id)]), r#"40{"sid":"0.7"}"#);
    subscribes_to(posted(four, r#"42["subscribe",{"channel":"news","auth":{"headers":{}}}]"#), "news");
    assert_eq!(
        poll(four, &[published(r#"{"text":"é😀"}"#), published(r#"{"n":2}"#)]),
        "42[\"e\",\"news\",{\"text\":\"é😀\"}]\u{1e}42[\"e\",\"news\",{\"n\":2}]"
    );
    assert_eq!(poll(four, &[ping()]), "2");
    assert_eq!(posted(four, "3"), Packet::Pong(""));
}

#[test]
fn sio_012_a_members_info_is_counted_in_units_as_well() {
    let room = ChannelName::parse("presence-room", 164).expect("a name");
    let ann = Identity::parse(r#"{"user_id":1,"user_info":"😀"}"#, "presence-room", &Limits::default());
    let ann = ann.expect("an identity");
    let frame = presence_joining(&room, &ann.user_id, &ann.user_info);
    let body = poll(EngineVersion::Three, &[frame]);
    assert_eq!(body, r#"71:42["presence:joining","presence-room",{"user_id":"1","user_info":"😀"}]"#);
    assert!(matches!(posted(EngineVersion::Three, &body), Packet::Message(_)));
}
