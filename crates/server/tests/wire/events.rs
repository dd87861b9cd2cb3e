//! Publishing over HTTP: receivers of an event, byte for byte (WS-104, API-010 … API-019).

use serde_json::json;

use crate::support::api::Request;
use crate::support::server::TestServer;
use crate::support::{APP, quoted};

#[test]
fn api_012_an_event_is_answered_with_an_empty_object_and_delivered() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let body = r#"{"name":"hello","channels":["news"],"data":"{\"a\":1}"}"#;
    server.api().post("/events", body).expect("{}");
    socket.expect_text(r#"{"event":"hello","data":"{\"a\":1}","channel":"news"}"#);
    socket.expect_nothing_more();
}

#[test]
fn ws_104_data_is_passed_byte_for_byte() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let mut api = server.api();
    let everything: String = (0..=0x7f_u8).map(char::from).collect();
    for data in [
        "",
        " ",
        "not JSON at all",
        r#"{ "spaces" : 1 ,"order":[ ],  "a":2}"#,
        r#"{"escaped":"\u00e9\/\"\\"}"#,
        "é ü € 漢字 🎺 \u{2028}\u{2029}\u{feff}\u{fffd}\u{10ffff}",
        "line\r\nbreak\ttab",
        r"\u0041 \n \\",
        "null",
        &everything,
    ] {
        api.publish("news", "e", data);
        let frame = socket.json();
        assert_eq!(frame, json!({"event": "e", "channel": "news", "data": data}));
    }
}

#[test]
fn ws_104_escapes_in_the_body_are_those_of_json_and_no_more() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("a");
    // Worked example 8: raw UTF-8 beside an escape.
    let body = r#"{"name":"é-event","data":"\u00e9 & = ü \ud83c\udfba \/","channels":["a","b"],"socket_id":"1234.1234"}"#;
    server.api().post("/events", body).expect("{}");
    let frame = socket.json();
    assert_eq!(frame, json!({"event": "é-event", "channel": "a", "data": "é & = ü 🎺 /"}));
}

#[test]
fn lim_010_data_of_exactly_10240_bytes_is_delivered() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let mut api = server.api();
    for data in ["x".repeat(10_240), "é".repeat(5_120), "\u{1}".repeat(10_240)] {
        api.publish("news", "big", &data);
        assert_eq!(socket.json()["data"], data);
    }
}

#[test]
fn lim_004_event_names_may_hold_anything_up_to_200_characters() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let mut api = server.api();
    for name in ["App\\Events\\OrderShipped", ".message", "a b", "\"", "é", "client-x", &"é".repeat(200)] {
        api.publish("news", name, "{}");
        socket.expect_event("news", name, "{}");
    }
}

#[test]
fn api_010_channel_and_channels_are_joined() {
    let server = TestServer::start();
    let mut socket = server.connect();
    for channel in ["a", "b", "c"] {
        socket.subscribe(channel);
    }
    let body = r#"{"name":"e","data":"d","channel":"c","channels":["a","b"]}"#;
    server.api().post("/events", body).expect("{}");
    let mut got: Vec<String> = (0..3).map(|_| socket.json()["channel"].to_string()).collect();
    got.sort();
    assert_eq!(got, [r#""a""#, r#""b""#, r#""c""#]);
    socket.expect_nothing_more();
}

#[test]
fn api_011_a_single_channel_may_be_named_by_channel() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("a");
    server.api().post("/events", r#"{"channel":"a","data":"d","name":"e"}"#).expect("{}");
    socket.expect_event("a", "e", "d");
}

#[test]
fn api_014_the_excluded_connection_alone_does_not_get_the_event() {
    let server = TestServer::start();
    let (mut sender, mut listener) = (server.connect(), server.connect());
    sender.subscribe("news");
    listener.subscribe("news");
    let mut api = server.api();
    let id = &sender.id;
    let body = format!(r#"{{"name":"e","channels":["news"],"data":"secret","socket_id":"{id}"}}"#);
    api.post("/events", body).expect("{}");
    listener.expect_event("news", "e", "secret");
    api.publish("news", "e", "for all");
    sender.expect_event("news", "e", "for all");
    listener.expect_event("news", "e", "for all");
}

#[test]
fn api_014_other_connections_of_the_same_user_do_get_it() {
    let server = TestServer::start();
    let (mut first, mut second) = (server.connect(), server.connect());
    for socket in [&mut first, &mut second] {
        socket.join(APP, "presence-a", r#"{"user_id":"u1"}"#);
    }
    let id = &first.id;
    let body = format!(r#"{{"name":"e","channels":["presence-a"],"data":"d","socket_id":"{id}"}}"#);
    server.api().post("/events", body).expect("{}");
    second.expect_event("presence-a", "e", "d");
    first.expect_nothing_more();
}

#[test]
fn api_014_unknown_socket_ids_exclude_nobody() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    for id in ["1.1", "8910.66062685", "99999999999.99999999999", "9007199254740991.9007199254740991"] {
        let body = format!(r#"{{"name":"e","channels":["news"],"data":"d","socket_id":"{id}"}}"#);
        server.api().post("/events", body).expect("{}");
        socket.expect_event("news", "e", "d");
    }
}

#[test]
fn api_015_a_channel_named_twice_delivers_once() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("a");
    let body = r#"{"name":"e","data":"d","channel":"a","channels":["a","b","a"]}"#;
    server.api().post("/events", body).expect("{}");
    socket.expect_event("a", "e", "d");
    socket.expect_nothing_more();
}

#[test]
fn api_018_data_that_is_no_string_becomes_compact_json() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let mut api = server.api();
    for (data, delivered) in [
        (r#"{"a": 1}"#, r#"{"a":1}"#),
        ("[1, 2,\n3]", "[1,2,3]"),
        ("5", "5"),
        ("true", "true"),
        (r#"{ "a" : { "b" : [ ] } }"#, r#"{"a":{"b":[]}}"#),
    ] {
        api.post("/events", format!(r#"{{"name":"e","channels":["news"],"data":{data}}}"#)).expect("{}");
        socket.expect_event("news", "e", delivered);
    }
}

#[test]
fn api_019_publishing_to_nobody_succeeds() {
    let server = TestServer::start();
    let mut api = server.api();
    for channel in ["empty", "private-empty", "presence-empty", "private-encrypted-empty", "cache-empty"] {
        api.publish(channel, "e", "d");
    }
    api.get("/channels", &[]).expect(r#"{"channels":{}}"#);
}

#[test]
fn ws_192_publishing_to_a_user_succeeds() {
    let server = TestServer::start();
    let body = r##"{"name":"hello","data":"{\"a\":1}","channels":["#server-to-user-12345"]}"##;
    server.api().post("/events", body).expect("{}");
}

#[test]
fn api_013_info_counts_each_channel_once() {
    let server = TestServer::start();
    let mut sockets = [server.connect(), server.connect(), server.connect()];
    for (at, socket) in sockets.iter_mut().enumerate() {
        socket.subscribe("b");
        socket.join(APP, "presence-a", &format!(r#"{{"user_id":"u{}"}}"#, at / 2));
    }
    let body = |info: &str, channels: &str| {
        format!(r#"{{"name":"e","data":"d","channels":{channels},"info":"{info}"}}"#)
    };
    let mut api = server.api();
    api.post("/events", body("subscription_count", r#"["b","b","nobody"]"#)).expect_json(
        &json!({"channels": {"b": {"subscription_count": 3}, "nobody": {"subscription_count": 0}}}),
    );
    api.post("/events", body("user_count", r#"["presence-a","b"]"#))
        .expect_json(&json!({"channels": {"presence-a": {"user_count": 2}, "b": {}}}));
    api.post("/events", body("user_count,subscription_count", r#"["b"]"#))
        .expect_json(&json!({"channels": {"b": {"subscription_count": 3}}}));
    api.post("/events", body("user_count,subscription_count", r#"["presence-a","presence-nobody"]"#))
        .expect_json(&json!({"channels": {
            "presence-a": {"user_count": 2, "subscription_count": 3},
            "presence-nobody": {"user_count": 0, "subscription_count": 0}
        }}));
}

#[test]
fn api_013_info_that_names_nothing_known_still_lists_the_channels() {
    let server = TestServer::start();
    let body = r#"{"name":"e","data":"d","channels":["b"],"info":"unheard_of"}"#;
    server.api().post("/events", body).expect(r#"{"channels":{"b":{}}}"#);
}

#[test]
fn api_002_parameters_may_be_in_the_query_with_an_empty_body() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("a");
    socket.subscribe("b");
    let request = Request::post("/apps/3/events", "")
        .param("name", "e")
        .param("data", r#"{"x":"ü & = +"}"#)
        .param("channels[]", "a")
        .param("channels[]", "b");
    server.api().send(&request).expect("{}");
    let mut got = [socket.text(), socket.text()];
    got.sort();
    let data = quoted(r#"{"x":"ü & = +"}"#);
    let event = |channel| format!(r#"{{"event":"e","data":{data},"channel":"{channel}"}}"#);
    assert_eq!(got, [event("a"), event("b")]);
}

#[test]
fn api_002_a_body_is_read_as_json_whatever_its_type_is_said_to_be() {
    let server = TestServer::start();
    let mut api = server.api();
    for kind in ["application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded", ""] {
        let request = Request::post("/apps/3/events", r#"{"name":"e","channel":"a","data":"d"}"#);
        api.send(&request.header("Content-Type", kind)).expect("{}");
    }
}

#[test]
fn api_010_unknown_fields_are_ignored() {
    let server = TestServer::start();
    let body =
        r#"{"name":"e","data":"d","channels":["a"],"socket_id":null,"info":null,"tags":{"x":1},"extra":[]}"#;
    server.api().post("/events", body).expect("{}");
}

#[test]
fn ws_106_events_of_one_publisher_keep_their_order() {
    let server = TestServer::start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let mut api = server.api();
    for number in 0..200 {
        api.publish("news", "e", &number.to_string());
    }
    for number in 0..200 {
        socket.expect_event("news", "e", &number.to_string());
    }
}

#[test]
fn ws_106_all_subscribers_see_several_publishers_in_the_same_order() {
    let server = TestServer::start();
    let mut sockets = [server.connect(), server.connect()];
    for socket in &mut sockets {
        socket.subscribe("news");
    }
    std::thread::scope(|scope| {
        for publisher in 0..3 {
            let server = &server;
            scope.spawn(move || {
                let mut api = server.api();
                for number in 0..50 {
                    api.publish("news", "e", &format!("{publisher}-{number}"));
                }
            });
        }
    });
    let seen = sockets.map(|mut socket| (0..150).map(|_| socket.text()).collect::<Vec<_>>());
    assert_eq!(seen[0], seen[1]);
}
