//! Successful subscribing and unsubscribing (WS-108 … WS-125, WS-140 … WS-143, WS-200, AUTH-020 …).

use crate::support::server::TestServer;
use crate::support::signing::channel_auth;
use crate::support::{APP, quoted};

const PRIVATE: &str = "private-a";

#[test]
fn ws_110_all_forms_of_a_public_subscribe_are_taken() {
    let server = TestServer::start();
    for command in [
        r#"{"event":"pusher:subscribe","data":{"auth":"","channel":"news"}}"#,
        r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#,
        r#"{"event":"pusher:subscribe","data":{"auth":null,"channel_data":null,"channel":"news"}}"#,
        r#"{"data":{"channel":"news"},"event":"pusher:subscribe"}"#,
        r#"{"event":"pusher:subscribe","channel":"other","data":{"x":[{}],"channel":"news"},"y":null}"#,
        "\n{ \"event\" : \"pusher:subscribe\" ,\t\"data\" : { \"channel\" : \"n\\u0065ws\" } }\n",
    ] {
        let mut socket = server.connect();
        socket.send(command);
        socket.expect_succeeded("news");
        socket.expect_nothing_more();
    }
}

#[test]
fn ws_111_a_wrong_auth_on_a_public_channel_is_ignored() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.send(r#"{"event":"pusher:subscribe","data":{"auth":"no:thing","channel":"news"}}"#);
    socket.expect_succeeded("news");
}

#[test]
fn ws_113_data_may_be_a_string_that_holds_an_object() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.send(r#"{"event":"pusher:subscribe","data":"{\"auth\":\"\",\"channel\":\"news\"}"}"#);
    socket.expect_succeeded("news");
    let auth = channel_auth(APP, &socket.id, PRIVATE, None);
    let data = quoted(&format!(r#"{{"auth":"{auth}","channel":"{PRIVATE}"}}"#));
    socket.send(&format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#));
    socket.expect_succeeded(PRIVATE);
    socket.send(r#"{"event":"pusher:unsubscribe","data":"{\"channel\":\"news\"}"}"#);
    socket.expect_nothing_more();
    server.api().get("/channels", &[]).expect(r#"{"channels":{"private-a":{}}}"#);
}

#[test]
fn ws_108_prefixes_count_only_with_their_hyphen() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for channel in
        ["privatefoo", "presencefoo", "cachefoo", "Private-foo", "my-private-foo", "private", "presence"]
    {
        socket.subscribe(channel);
    }
}

#[test]
fn ws_114_a_signed_subscribe_opens_private_and_encrypted_channels() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for channel in [PRIVATE, "private-encrypted-a", "private-encrypted", "private-App.Models.User.7"] {
        socket.subscribe_private(APP, channel);
    }
    socket.expect_nothing_more();
}

#[test]
fn ws_112_channel_data_null_is_no_channel_data() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let auth = channel_auth(APP, &socket.id, PRIVATE, None);
    socket.send(&format!(
        r#"{{"event":"pusher:subscribe","data":{{"auth":"{auth}","channel_data":null,"channel":"{PRIVATE}"}}}}"#
    ));
    socket.expect_succeeded(PRIVATE);
}

#[test]
fn auth_022_channel_data_on_a_private_channel_is_part_of_the_signature() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for (channel, data) in [
        (PRIVATE, r#"{"user_id":10,"user_info":{"name":"Mr. Channels"}}"#),
        ("private-b", r#"{"user_id": 10, "user_info": {"name": "Mr. \u00c9"}}"#),
        ("private-c", "not even JSON"),
        ("private-encrypted-d", "{}"),
    ] {
        socket.ask_signed(APP, channel, Some(data));
        socket.expect_succeeded(channel);
    }
}

#[test]
fn auth_023_an_empty_channel_data_is_signed_as_present() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.ask_signed(APP, PRIVATE, Some(""));
    socket.expect_succeeded(PRIVATE);
}

#[test]
fn auth_025_a_signature_works_again_for_the_same_socket() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for _ in 0..2 {
        socket.subscribe_private(APP, PRIVATE);
        socket.unsubscribe(PRIVATE);
    }
    socket.subscribe_private(APP, PRIVATE);
}

#[test]
fn ws_120_names_with_every_legal_character_are_given_back_as_they_came() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for channel in ["a", "A-z_0=9@,.;", "=", "-", "0"] {
        socket.subscribe(channel);
    }
}

#[test]
fn ws_106_commands_are_answered_in_their_order() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for number in 0..50 {
        socket.ask_for(&format!("c{number}"));
        socket.ask_for("c0");
    }
    socket.expect_succeeded("c0");
    socket.expect_error("Existing subscription to channel c0");
    for number in 1..50 {
        socket.expect_succeeded(&format!("c{number}"));
        socket.expect_error("Existing subscription to channel c0");
    }
}

#[test]
fn ws_125_no_event_of_a_channel_comes_before_its_acknowledgement() {
    let server = TestServer::start();
    std::thread::scope(|scope| {
        let publishing = scope.spawn(|| {
            let mut api = server.api();
            for _ in 0..150 {
                api.publish("busy", "e", "d");
            }
        });
        for _ in 0..20 {
            let mut socket = server.connect();
            socket.subscribe("busy");
            while !publishing.is_finished() && socket.is_left_alone_for(std::time::Duration::from_millis(1)) {
            }
        }
        publishing.join().expect("every event is accepted");
    });
}

#[test]
fn ws_140_unsubscribing_works_at_once_and_is_not_acknowledged() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let mut api = server.api();
    socket.subscribe("news");
    socket.subscribe("other");
    socket.unsubscribe("news");
    socket.expect_nothing_more();
    api.publish("news", "missed", "1");
    api.publish("other", "heard", "2");
    socket.expect_event("other", "heard", "2");
    api.get("/channels", &[]).expect(r#"{"channels":{"other":{}}}"#);
}

#[test]
fn ws_142_a_channel_can_be_left_and_joined_again() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for _ in 0..10 {
        socket.ask_for("news");
        socket.unsubscribe("news");
    }
    for _ in 0..10 {
        socket.expect_succeeded("news");
    }
    socket.expect_nothing_more();
}

#[test]
fn ws_200_the_payload_of_an_encrypted_channel_is_relayed_untouched() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let channel = "private-encrypted-foobar";
    socket.subscribe_private(APP, channel);
    let data = r#"{"nonce":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB","ciphertext":"sVUzTIftoMSNS/GUDrLKSb3Dp0x3ozzx+tlyWkrmPeQ="}"#;
    server.api().publish(channel, "secret", data);
    socket.expect_event(channel, "secret", data);
}

#[test]
fn ws_202_one_event_for_several_encrypted_channels_is_relayed_to_each() {
    let server = TestServer::start();
    let mut socket = server.connect();
    let channels = ["private-encrypted-a", "private-encrypted-b"];
    for channel in channels {
        socket.subscribe_private(APP, channel);
    }
    let body = r#"{"name":"e","data":"d","channels":["private-encrypted-a","private-encrypted-b"]}"#;
    server.api().post("/events", body).expect("{}");
    for channel in channels {
        socket.expect_event(channel, "e", "d");
    }
}
