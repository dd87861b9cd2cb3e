//! Texts that were cut in the middle of a surrogate pair, as browsers cut and send them: legal JSON that no UTF-8 can
//! hold. The texts are delivered unchanged (WS-104, WS-164).

use serde_json::Value;

use crate::support::APP;
use crate::support::receiver::Receiver;
use crate::support::server::TestServer;
use crate::support::setup::Setup;

/// A JSON string that ends in half a character.
const CUT: &str = r#""cut \ud83d""#;
const PRIVATE: &str = "private-a";

#[test]
fn ws_164_a_client_event_reaches_the_others_as_it_came_and_webhooks_with_whole_characters() {
    let receiver = Receiver::new();
    let settings = format!("client_events = true\n{}", receiver.setting(&["client_events"]));
    let server = Setup::with_app(&settings).start();
    let (mut sender, mut listener) = (server.connect(), server.connect());
    sender.subscribe_private(APP, PRIVATE);
    listener.subscribe_private(APP, PRIVATE);
    for data in [CUT, r#""\udE00 caf\u00e9 \" \\ud83d""#] {
        sender.send(&format!(r#"{{"event":"client-e","data":{data},"channel":"private-a"}}"#));
        listener.expect_text(&format!(r#"{{"event":"client-e","data":{data},"channel":"private-a"}}"#));
    }
    sender.send(r#"{"event":"client-e","data":{"a":"\ud83d"},"channel":"private-a"}"#);
    listener.expect_text(r#"{"event":"client-e","data":"{\"a\":\"\\ud83d\"}","channel":"private-a"}"#);
    sender.expect_nothing_more();
    let told = receiver.requests(3);
    assert!(told.iter().any(|question| question.body.contains(r#""data":"cut \ufffd""#)), "{told:?}");
    assert!(told.iter().all(|question| serde_json::from_str::<Value>(&question.body).is_ok()), "{told:?}");
}

#[test]
fn ws_164_the_limit_counts_half_a_character_as_the_three_bytes_of_any_of_its_kind() {
    let server = Setup::with_app("client_events = true\nlimits.client_event_bytes = 7").start();
    let (mut sender, mut listener) = (server.connect(), server.connect());
    sender.subscribe_private(APP, PRIVATE);
    listener.subscribe_private(APP, PRIVATE);
    sender.send(&format!(r#"{{"event":"client-e","data":{CUT},"channel":"private-a"}}"#));
    listener.expect_text(&format!(r#"{{"event":"client-e","data":{CUT},"channel":"private-a"}}"#));
    sender.send(r#"{"event":"client-e","data":"cut. \ud83d","channel":"private-a"}"#);
    assert!(sender.error().1.contains('7'));
    listener.expect_nothing_more();
}

#[test]
fn ws_104_events_of_back_ends_do_too_also_kept_ones() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let event = format!(r#"{{"event":"e","data":{CUT},"channel":"news"}}"#);
    server.api().post("/events", format!(r#"{{"name":"e","channel":"news","data":{CUT}}}"#)).expect("{}");
    socket.expect_text(&event);
    let batch = format!(r#"{{"batch":[{{"name":"e","channel":"news","data":{CUT}}}]}}"#);
    server.api().post("/batch_events", batch).expect("{}");
    socket.expect_text(&event);

    server.api().post("/events", format!(r#"{{"name":"e","channel":"cache-a","data":{CUT}}}"#)).expect("{}");
    socket.subscribe("cache-a");
    socket.expect_text(&format!(r#"{{"event":"e","data":{CUT},"channel":"cache-a"}}"#));
    let kept = server.api().get("/channels/cache-a", &[("info", "cache")]).body;
    assert!(kept.contains(&format!(r#""data":{CUT}"#)), "{kept}");
}

#[test]
fn ws_122_what_a_member_says_of_itself_may_be_cut() {
    let server = TestServer::start();
    let (mut ann, mut bob) = (server.connect(), server.connect());
    let info = r#"{"name":"cut \ud83d"}"#;
    ann.join(APP, "presence-a", r#"{"user_id":"ann"}"#);
    bob.ask_signed(APP, "presence-a", Some(&format!(r#"{{"user_id":"bob","user_info":{info}}}"#)));
    let roster = bob.text();
    let inner: Value = serde_json::from_str(&roster).expect("JSON");
    assert!(inner["data"].as_str().is_some_and(|data| data.contains(info)), "{roster}");
    let added = format!(r#"{{"user_id":"bob","user_info":{info}}}"#);
    ann.expect_event("presence-a", "pusher_internal:member_added", &added);
}

#[test]
fn what_is_signed_or_names_something_is_refused_with_the_reason() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let expected = |name| {
        format!("Expected parameter {name} to be a string of whole characters, not half a surrogate pair")
    };
    socket.send(
        r#"{"event":"pusher:subscribe","data":{"channel":"presence-a","auth":"k:s","channel_data":"\ud83d"}}"#,
    );
    assert_eq!(socket.error().1, expected("data.channel_data"));
    socket.send(r#"{"event":"pusher:subscribe","data":{"channel":"a\ud83d"}}"#);
    assert_eq!(socket.error().1, expected("data.channel"));
}

#[test]
fn members_that_nobody_asks_for_may_have_cut_names() {
    let server = Setup::with_app("client_events = true").start();
    let (mut sender, mut listener) = (server.connect(), server.connect());
    let subscribe = r#""event":"pusher:subscribe","data":{"k\ud83d":1,"channel":"news"}"#;
    listener.send(&format!(r#"{{"k\ud83d":1,{subscribe}}}"#));
    listener.expect_event("news", "pusher_internal:subscription_succeeded", "{}");
    let event = r#""name":"e","channel":"news","data":"d","k\ud83d":{"\udE00":1}"#;
    for (path, body) in [
        ("/events", format!("{{{event}}}")),
        ("/batch_events", format!(r#"{{"\udE00":1,"batch":[{{{event}}}]}}"#)),
    ] {
        server.api().post(path, body).expect("{}");
        listener.expect_event("news", "e", "d");
    }
    sender.subscribe_private(APP, PRIVATE);
    listener.subscribe_private(APP, PRIVATE);
    sender.send(r#"{"event":"client-e","k\ud83d":1,"data":"d","channel":"private-a"}"#);
    listener.expect_event(PRIVATE, "client-e", "d");
    sender.expect_nothing_more();
}
