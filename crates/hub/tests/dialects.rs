//! Clients of Pusher and of Socket.IO on the same channels of a node that is alone.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_hub::{AppHub, Budget, Conn, Dialect, SubscribeError, Subscriptions, Taken};
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::data::Data;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::server::QuotedEvent;

const NOW: u64 = 1_000;
const ROOM: &str = "presence-room";

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name, 164).expect("a legal name")
}

fn hub() -> Arc<AppHub> {
    let limits = Limits { members: 4, ..Limits::default() };
    Arc::new(AppHub::new(Arc::new(App {
        limits,
        subscription_counts: true,
        ..App::new("1".into(), Vec::new())
    })))
}

fn connect(hub: &Arc<AppHub>, dialect: Dialect, id: u64) -> Subscriptions {
    let conn = Conn::speaking(dialect, SocketId::from_bits(id), Budget::of_each(1 << 30));
    Subscriptions::new(Arc::clone(hub), Arc::new(conn))
}

fn echo(hub: &Arc<AppHub>, id: u64) -> Subscriptions {
    connect(hub, Dialect::SocketIo, id)
}

fn pusher(hub: &Arc<AppHub>, id: u64) -> Subscriptions {
    connect(hub, Dialect::Pusher, id)
}

fn listen(client: &mut Subscriptions, name: &str) {
    client.subscribe(channel(name), None, NOW).expect("a first subscription");
}

fn join(client: &mut Subscriptions, user: &str, info: &str) -> Result<(), SubscribeError> {
    let data = format!(r#"{{"user_id":"{user}","user_info":{info}}}"#);
    let limits = Limits { member_bytes: 1 << 20, ..Limits::default() };
    let identity = Identity::parse(&data, ROOM, &limits).expect("an identity");
    client.subscribe(channel(ROOM), Some(identity), NOW)
}

fn frames(client: &Subscriptions) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Taken::Frames) = client.conn().outbox.poll_take(&cx, &mut frames, 64) {}
    frames
}

fn received(client: &Subscriptions) -> Vec<String> {
    let text = |frame: &Frame| String::from_utf8(frame.payload().to_vec()).expect("UTF-8");
    frames(client).iter().map(text).collect()
}

fn publish(hub: &AppHub, name: &str, data: &str, except: Option<SocketId>) -> usize {
    let name = channel(name);
    hub.deliver(&name, &QuotedEvent::new("e", data).on(&name), except)
}

#[test]
fn sio_050_and_054_a_public_channel_is_joined_without_an_answer_and_each_hears_its_own_form() {
    let hub = hub();
    let [mut ann, mut bob] = [echo(&hub, 1), pusher(&hub, 2)];
    listen(&mut ann, "news");
    listen(&mut bob, "news");
    assert_eq!(received(&ann), [""; 0]);
    received(&bob);
    assert_eq!(publish(&hub, "news", r#"{"text":"é"}"#, None), 2);
    assert_eq!(received(&ann), [r#"42["e","news",{"text":"é"}]"#]);
    assert_eq!(received(&bob), [r#"{"event":"e","data":"{\"text\":\"é\"}","channel":"news"}"#]);
    ann.unsubscribe("news");
    assert_eq!((publish(&hub, "news", "1", None), received(&ann).len()), (1, 0));
}

#[test]
fn sio_101_an_event_is_encoded_once_for_all_clients_of_socket_io() {
    let hub = hub();
    let mut clients: Vec<Subscriptions> = (0..5).map(|id| echo(&hub, id)).collect();
    for client in &mut clients {
        listen(client, "news");
    }
    publish(&hub, "news", "1", None);
    let sent: Vec<_> = clients.iter().map(|client| frames(client)[0].bytes().as_ptr()).collect();
    assert!(sent.iter().all(|at| *at == sent[0]), "one piece of memory");
}

#[test]
fn sio_057_and_103_presence_is_one_table_in_two_forms() {
    let hub = hub();
    let [mut ann, mut bob, mut cid] = [echo(&hub, 1), pusher(&hub, 2), echo(&hub, 3)];
    join(&mut ann, "ann", r#"{"n":1}"#).expect("room");
    assert_eq!(
        received(&ann),
        [r#"42["presence:subscribed","presence-room",[{"user_id":"ann","user_info":{"n":1}}]]"#]
    );
    join(&mut bob, "bob", "2").expect("room");
    assert_eq!(received(&ann), [r#"42["presence:joining","presence-room",{"user_id":"bob","user_info":2}]"#]);
    assert!(received(&bob)[0].contains(r#"\"count\":2"#));
    join(&mut cid, "ann", r#"{"n":1}"#).expect("room");
    assert!(received(&cid)[0].starts_with(r#"42["presence:subscribed","presence-room",["#));
    assert_eq!(received(&ann).len() + received(&bob).len(), 0, "a second tab");
    drop(ann);
    assert_eq!(received(&bob).len(), 0);
    drop(cid);
    assert_eq!(
        received(&bob),
        [
            r#"{"event":"pusher_internal:member_removed","data":"{\"user_id\":\"ann\"}","channel":"presence-room"}"#
        ]
    );
    let mut dan = echo(&hub, 4);
    join(&mut dan, "dan", "4").expect("room");
    received(&dan);
    bob.unsubscribe(ROOM);
    assert_eq!(received(&dan), [r#"42["presence:leaving","presence-room",{"user_id":"bob","user_info":2}]"#]);
}

#[test]
fn sio_103_a_full_channel_is_full_for_both() {
    let hub = hub();
    let [mut ann, mut bob, mut cid] = [echo(&hub, 1), pusher(&hub, 2), echo(&hub, 3)];
    for (client, user) in [(&mut ann, "ann"), (&mut bob, "bob"), (&mut cid, "cid")] {
        join(client, user, "{}").expect("room");
    }
    let mut dan = pusher(&hub, 4);
    join(&mut dan, "dan", "{}").expect("room");
    for dialect in [Dialect::Pusher, Dialect::SocketIo] {
        let mut eve = connect(&hub, dialect, 5);
        assert_eq!(join(&mut eve, "eve", "{}"), Err(SubscribeError::Full));
        assert_eq!(received(&eve), [""; 0]);
    }
}

#[test]
fn sio_051_a_repeated_subscribe_is_answered_with_the_roster_and_makes_no_second_member() {
    let hub = hub();
    let [mut ann, mut bob] = [echo(&hub, 1), pusher(&hub, 2)];
    join(&mut ann, "ann", "1").expect("room");
    join(&mut bob, "bob", "2").expect("room");
    listen(&mut ann, "news");
    received(&ann);
    received(&bob);
    assert_eq!(join(&mut ann, "ann", "1"), Err(SubscribeError::Existing));
    assert!(ann.acknowledge_again(ROOM));
    let again = received(&ann);
    assert_eq!(again.len(), 1);
    assert!(again[0].starts_with(r#"42["presence:subscribed","#), "{again:?}");
    for user in ["ann", "bob"] {
        assert!(again[0].contains(user));
    }
    assert!(ann.acknowledge_again("news") && !ann.acknowledge_again("other"));
    assert_eq!(received(&ann).len() + received(&bob).len(), 0);
    drop(ann);
    assert!(received(&bob)[0].contains("member_removed"), "she was one member");
}

#[test]
fn sio_104_a_client_event_goes_to_the_others_in_their_form() {
    let hub = hub();
    let [mut ann, mut bob, mut cid] = [echo(&hub, 1), pusher(&hub, 2), echo(&hub, 3)];
    for (client, user) in [(&mut ann, "ann"), (&mut bob, "bob"), (&mut cid, "cid")] {
        join(client, user, "{}").expect("room");
    }
    for client in [&ann, &bob, &cid] {
        received(client);
    }
    let name = channel(ROOM);
    let data = Data::of_value(r#""5""#).expect("JSON");
    let event =
        QuotedEvent::for_both_dialects("client-typing", &data).from_client(&name, Some(&"ann".into()));
    assert_eq!(hub.deliver(&name, &event, Some(ann.conn().id)), 2);
    assert_eq!(received(&ann), [""; 0]);
    assert_eq!(
        received(&bob),
        [r#"{"event":"client-typing","data": "5","channel":"presence-room","user_id":"ann"}"#]
    );
    assert_eq!(received(&cid), [r#"42["client-typing","presence-room","5"]"#]);
}

#[test]
fn sio_105_counts_and_cache_misses_are_pushers() {
    let hub = hub();
    let [mut ann, mut bob] = [echo(&hub, 1), pusher(&hub, 2)];
    listen(&mut bob, "cache-rates");
    received(&bob);
    listen(&mut ann, "cache-rates");
    assert_eq!(received(&ann), [""; 0], "no count, and no miss");
    assert!(received(&bob)[0].contains("subscription_count"));
    let mut crowd: Vec<Subscriptions> = (10..150).map(|id| echo(&hub, id)).collect();
    for client in &mut crowd {
        listen(client, "cache-rates");
    }
    hub.tell_counts();
    hub.tell_changes();
    assert!(crowd.iter().all(|client| received(client).is_empty()));
    assert!(received(&bob).last().is_some_and(|last| last.contains(r#"\"subscription_count\":142"#)));
}

#[test]
fn sio_105_a_newcomer_gets_the_kept_event_once_as_an_ordinary_one() {
    let hub = hub();
    let name = channel("cache-rates");
    let event = QuotedEvent::new("e", r#"{"rate":1}"#).on(&name);
    hub.deliver_and_keep(&name, &event, None, NOW + 100);
    let mut clients: Vec<Subscriptions> = (0..3).map(|id| echo(&hub, id)).collect();
    let mut sent = Vec::new();
    for client in &mut clients {
        listen(client, "cache-rates");
        let frames = frames(client);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].payload(), br#"42["e","cache-rates",{"rate":1}]"#);
        sent.push(frames[0].bytes().as_ptr());
    }
    assert!(sent.iter().all(|at| *at == sent[0]), "one piece of memory");
    drop(clients);
    assert_eq!(hub.parked_bytes(), event.bytes().len() + name.as_str().len() + 256);
    let mut late = echo(&hub, 9);
    late.subscribe(name, None, NOW + 100).expect("a first subscription");
    assert_eq!(received(&late), [""; 0], "expired");
}

/// A room under a storm of joins and leaves: every further change waits.
fn pressed(hub: &Arc<AppHub>) {
    let mut comer = pusher(hub, 1_000);
    let info = format!("\"{}\"", "x".repeat(100_000));
    for _ in 0..6 {
        join(&mut comer, "comer", &info).expect("room");
        comer.unsubscribe(ROOM);
        received(&comer);
    }
    publish(hub, ROOM, "0", None);
}

#[test]
fn sio_057_changes_that_wait_are_told_merged_in_both_forms_and_before_the_next_event() {
    let hub = hub();
    let [mut ann, mut bob, mut cid] = [echo(&hub, 1), pusher(&hub, 2), echo(&hub, 3)];
    join(&mut ann, "ann", "1").expect("room");
    join(&mut bob, "bob", "2").expect("room");
    join(&mut cid, "cid", "3").expect("room");
    pressed(&hub);
    received(&ann);
    received(&bob);
    cid.unsubscribe(ROOM);
    join(&mut cid, "cid", "4").expect("room");
    assert_eq!(received(&ann).len() + received(&bob).len(), 0, "everything waits");
    publish(&hub, ROOM, "1", None);
    assert_eq!(
        received(&ann),
        [
            r#"42["presence:leaving","presence-room",{"user_id":"cid","user_info":3}]"#,
            r#"42["presence:joining","presence-room",{"user_id":"cid","user_info":4}]"#,
            r#"42["e","presence-room",1]"#
        ]
    );
    assert_eq!(received(&bob).len(), 3);
    cid.unsubscribe(ROOM);
    join(&mut cid, "cid", "4").expect("room");
    hub.tell_changes();
    assert_eq!(received(&ann).len() + received(&bob).len(), 0, "back before anybody was told");
}

#[test]
fn sio_051_a_roster_that_is_sent_again_holds_the_changes_that_wait() {
    let hub = hub();
    let [mut ann, mut bob, mut cid] = [echo(&hub, 1), pusher(&hub, 2), echo(&hub, 3)];
    join(&mut ann, "ann", "1").expect("room");
    join(&mut bob, "bob", "2").expect("room");
    pressed(&hub);
    received(&ann);
    join(&mut cid, "cid", "3").expect("room");
    assert!(ann.acknowledge_again(ROOM));
    assert!(received(&ann)[0].contains("cid"));
    hub.tell_changes();
    assert_eq!(received(&ann), [""; 0], "she knows of cid");
    cid.unsubscribe(ROOM);
    hub.tell_changes();
    assert_eq!(received(&ann), [r#"42["presence:leaving","presence-room",{"user_id":"cid","user_info":3}]"#]);
}
