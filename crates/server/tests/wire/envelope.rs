//! The shape of all server messages (WS-033, WS-034, WS-100 … WS-105, WS-134).

use serde_json::{Value, json};

use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::socket::{FIN, Frame, Socket, TEXT, masked};
use crate::support::{APP, PONG, over_quota};

/// Every text message until the answer to a `pusher:ping`, parsed.
fn settle(socket: &mut Socket) -> Vec<Value> {
    socket.send(r#"{"event":"pusher:ping","data":{}}"#);
    let mut frames = Vec::new();
    while frames.last() != Some(&serde_json::from_str(PONG).expect("JSON")) {
        frames.push(socket.json());
    }
    frames
}

/// Two connections that have caused nearly every event there is; the messages to each.
fn everything() -> Vec<Value> {
    let server = Setup::with_app(
        "client_events = true\nsubscription_counts = true\nwatchlist_events = true\nsubscription_error_event = true",
    )
    .start();
    let (mut first, mut second) = (server.open(&pusher_js(APP)), server.connect());
    let mut heard = vec![first.json()];
    let mut first = {
        let data: Value = serde_json::from_str(heard[0]["data"].as_str().expect("WS-101")).expect("WS-030");
        data["socket_id"].as_str().expect("WS-031").clone_into(&mut first.id);
        first
    };
    for socket in [&mut first, &mut second] {
        socket.ask_to_sign_in(APP, r#"{"id":"u1","watchlist":["u1","u2"]}"#);
        socket.ask_for("#server-to-user-u1");
        socket.ask_for("cache-a");
        socket.ask_signed(APP, "private-a", None);
        socket.ask_signed(APP, "private-encrypted-cache-a", None);
        let member = format!(r#"{{"user_id":"{}","user_info":{{"n":1.0}}}}"#, socket.id);
        socket.ask_signed(APP, "presence-a", Some(&member));
        heard.extend(settle(socket));
    }
    let mut api = server.api();
    for channel in ["#server-to-user-u1", "cache-a", "private-a", "private-encrypted-cache-a", "presence-a"] {
        api.publish(channel, "any name", "");
    }
    for channel in ["private-a", "presence-a"] {
        second.client_event(channel, "client-e", r#"{"a":1}"#);
    }
    for socket in [&mut first, &mut second] {
        socket.ask_for("private-b");
        socket.ask_for("a b");
        socket.send("{");
        socket.unsubscribe("cache-a");
        socket.ask_for("cache-a");
        socket.unsubscribe("presence-a");
        heard.extend(settle(socket));
    }
    heard.extend(settle(&mut first));
    heard
}

#[test]
fn ws_101_and_ws_103_data_is_always_there_and_a_string_for_all_but_errors() {
    let heard = everything();
    for frame in &heard {
        let members = frame.as_object().expect("WS-020: an object");
        for (name, value) in members {
            assert!(["event", "data", "channel", "user_id"].contains(&name.as_str()), "{frame}");
            assert!(value.is_string() || (name == "data" && frame["event"] == "pusher:error"), "{frame}");
        }
        assert!(members.contains_key("data"), "WS-103: {frame}");
        let is_client_event = frame["event"] == "client-e";
        let has_user = members.contains_key("user_id");
        assert_eq!(has_user, is_client_event && frame["channel"] == "presence-a", "{frame}");
    }
    let about_no_channel = [
        "pusher:connection_established",
        "pusher:error",
        "pusher:pong",
        "pusher:signin_success",
        "pusher_internal:watchlist_events",
    ];
    for frame in &heard {
        let event = frame["event"].as_str().expect("a name");
        assert_eq!(frame.get("channel").is_some(), !about_no_channel.contains(&event), "{frame}");
    }
}

#[test]
fn ws_105_the_servers_own_events_are_those_of_the_catalogue_under_reserved_names() {
    let heard = everything();
    let mut names: Vec<&str> = heard.iter().filter_map(|frame| frame["event"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(
        names,
        [
            "any name",
            "client-e",
            "pusher:cache_miss",
            "pusher:connection_established",
            "pusher:error",
            "pusher:pong",
            "pusher:signin_success",
            "pusher:subscription_error",
            "pusher_internal:member_added",
            "pusher_internal:member_removed",
            "pusher_internal:subscription_count",
            "pusher_internal:subscription_succeeded",
            "pusher_internal:watchlist_events",
        ]
    );
}

#[test]
fn ws_105_clients_may_not_say_what_only_the_server_says() {
    let server = Setup::with_app("client_events = true").start();
    let (mut socket, mut listener) = (server.connect(), server.connect());
    for socket in [&mut socket, &mut listener] {
        socket.subscribe_private(APP, "private-a");
    }
    for name in [
        "pusher:connection_established",
        "pusher:error",
        "pusher:cache_miss",
        "pusher:signin_success",
        "pusher:anything",
        "pusher_internal:subscription_succeeded",
        "pusher_internal:member_added",
        "pusher_internal:anything",
    ] {
        socket.client_event("private-a", name, "{}");
        socket.expect_error(&format!("Unsupported event received on socket: {name}"));
    }
    listener.expect_nothing_more();
}

#[test]
fn ws_100_commands_name_their_channel_in_data_and_client_events_beside_it() {
    let server = Setup::with_app("client_events = true").start();
    let mut socket = server.connect();
    for command in ["pusher:subscribe", "pusher:unsubscribe"] {
        socket.send(&format!(r#"{{"event":"{command}","data":{{}},"channel":"news"}}"#));
        socket.expect_error("Missing parameter: data.channel");
    }
    socket.send(r#"{"event":"pusher:subscribe","data":{"channel":"private-a"},"channel":"news"}"#);
    socket.expect_error("Auth info required to subscribe to private-a");
    socket.send(r#"{"event":"client-e","data":{"channel":"private-a"}}"#);
    socket.expect_error("Invalid client event (must contain channel and data)");
    server.api().get("/channels", &[]).expect(r#"{"channels":{}}"#);
}

#[test]
fn ws_033_the_first_frame_is_the_greeting_or_an_error_with_a_numeric_code_or_a_close() {
    let strict = Setup::with_app("max_connections = 1").start();
    let _first = strict.connect();
    let disabled = Setup::with_app("enabled = false").start();
    let tls = Setup::with_app("force_tls = true").start();
    for (server, target, code) in [
        (&strict, "/app/nobody", 4001),
        (&strict, "/elsewhere", 4005),
        (&strict, &*format!("/app/{}", APP.key), 4004),
        (&disabled, &*format!("/app/{}", APP.key), 4003),
        (&tls, &*format!("/app/{}", APP.key), 4000),
    ] {
        let frame = { server.open(&format!("{target}?protocol=5")) }.json();
        assert_eq!((&frame["event"], &frame["data"]["code"]), (&json!("pusher:error"), &json!(code)));
        let frame = server.open(&format!("{target}?protocol=7")).frame();
        assert!(matches!(frame, Frame::Close(Some(got), _) if got == code), "{target}: {frame:?}");
    }
    let refused = strict.open(&pusher_js(APP)).frame();
    assert_eq!(refused, Frame::Close(Some(4004), over_quota(1)));
}

#[test]
fn ws_034_the_first_frame_waits_for_nothing_that_the_client_does() {
    let server = TestServer::start();
    let mut silent = server.open(&pusher_js(APP));
    // Many other clients come and talk; the silent one still gets its first frame, before all others.
    for _ in 0..20 {
        server.connect().subscribe("news");
    }
    assert_eq!(silent.json()["event"], "pusher:connection_established");
    let mut half = server.open(&pusher_js(APP));
    half.raw(&masked(FIN | TEXT, br#"{"event":"pusher:ping"}"#)[..9]);
    assert_eq!(half.json()["event"], "pusher:connection_established");
}

#[test]
fn ws_134_codes_are_null_but_for_those_that_the_reference_names() {
    let settings = "client_events = true\nwatchlist_events = true\nlimits = { client_events_per_second = 1, watchlist = 1 }";
    let server = Setup::with_app(settings).start();
    let mut socket = server.connect();
    for text in [
        "{",
        r#"{"event":"nonsense"}"#,
        r#"{"event":"pusher:subscribe","data":[]}"#,
        r#"{"event":"pusher:subscribe","data":{"channel":"private-a"}}"#,
        r#"{"event":"pusher:subscribe","data":{"channel":"private-a","auth":"x"}}"#,
        r#"{"event":"pusher:subscribe","data":{"channel":"private-a","auth":"x:y"}}"#,
        r#"{"event":"pusher:subscribe","data":{"channel":"a b"}}"#,
        r#"{"event":"pusher:unsubscribe","data":{"channel":"a"}}"#,
        r#"{"event":"client-e","data":1,"channel":"private-a"}"#,
    ] {
        socket.send(text);
        assert_eq!(socket.error().0, None, "{text}");
    }
    socket.ask_for("#server-to-user-u1");
    assert_eq!(socket.error().0, Some(4009));
    socket.ask_to_sign_in(APP, "{}");
    assert_eq!(socket.error().0, Some(4009));
    socket.sign_in(APP, r#"{"id":"u1","watchlist":["a","b"]}"#);
    assert_eq!(socket.json()["event"], "pusher_internal:watchlist_events");
    assert_eq!(socket.error().0, Some(4302));
    socket.subscribe_private(APP, "private-a");
    let code = crate::support::eventually("one client event is too many", || {
        let event = masked(FIN | TEXT, br#"{"event":"client-e","data":1,"channel":"private-a"}"#);
        socket.raw(&event.repeat(2));
        settle(&mut socket).first().filter(|frame| frame["event"] == "pusher:error").cloned()
    });
    assert_eq!(code["data"]["code"], 4301);
}
