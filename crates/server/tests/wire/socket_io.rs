//! Socket.IO: which requests are served, the first packets, events, client events and presence beside Pusher's clients.

use serde_json::{Value, json};

use crate::support::application::{Application, Reply};
use crate::support::echo::{Echo, ON, opened, speaking, target};
use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Frame;
use crate::support::upgrade::Upgrade;
use crate::support::{APP, OTHER};

/// The answer to a request without a body, with further header lines.
fn ask(server: &TestServer, method: &str, target: &str, headers: &str) -> crate::support::http::Answer {
    let mut http = Http::connect(server.addr);
    http.write(format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").as_bytes());
    http.answer()
}

/// Waits for a line of the log.
#[track_caller]
fn says(server: &TestServer, text: &str) {
    server.process.log_line(text, |line| line.contains(text).then_some(()));
}

#[track_caller]
fn refused(server: &TestServer, method: &str, query: &str, code: u64) {
    let answer = ask(server, method, &format!("/socket.io/?{query}"), "Origin: https://a.test\r\n");
    assert_eq!(answer.head.status, 400, "{query}: {answer:?}");
    assert_eq!(answer.head.header("content-type"), Some("application/json"));
    assert_eq!(answer.head.header("access-control-allow-origin"), Some("https://a.test"));
    let body: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(body["code"], code, "{query}");
}

#[test]
fn sio_081_socket_io_is_off_unless_switched_on() {
    let server = TestServer::start();
    let at = |path: &str| server.public(path).head.status;
    assert_eq!(at("/socket.io/?EIO=3&transport=polling"), 404);
    assert_eq!(at("/socket.io/socket.io.js"), 404);
    assert_eq!(at(&format!("/app/{}/socket.io/?EIO=4&transport=polling", APP.key)), 404);
    let (_, mut socket) = Upgrade::to(&target("/socket.io/", 3)).open(server.addr);
    assert!(matches!(socket.frame(), Frame::Close(Some(4005), _)));
}

#[test]
fn sio_001_and_sio_003_and_sio_004_what_is_no_request_of_a_session_is_refused_with_a_number() {
    let server = speaking("").start();
    refused(&server, "GET", "EIO=3", 0);
    refused(&server, "GET", "EIO=3&transport=flashsocket", 0);
    refused(&server, "GET", "EIO=4&transport=polling&sid=nobody", 1);
    refused(&server, "POST", "EIO=4&transport=polling&sid=1.2", 1);
    refused(&server, "GET", &format!("EIO=4&transport=polling&sid={}", "x".repeat(600)), 1);
    refused(&server, "POST", "EIO=3&transport=polling", 2);
    refused(&server, "DELETE", "EIO=3&transport=polling", 2);
    refused(&server, "GET", "EIO=3&transport=websocket", 3);
    refused(&server, "POST", "EIO=3&transport=websocket&sid=1.2", 3);
}

#[test]
fn sio_005_jsonp_is_not_served() {
    refused(&speaking("").start(), "GET", "EIO=3&transport=polling&j=0", 0);
}

#[test]
fn sio_006_and_sio_070_and_sio_072_every_origin_may_read_and_ask_before() {
    let server = speaking("").start();
    let asked = "Origin: https://a.test\r\nAccess-Control-Request-Method: POST\r\n\
                 Access-Control-Request-Headers: content-type,x-own\r\n";
    for path in ["/socket.io/?EIO=3&sid=nobody", "/socket.io/socket.io.js", "/app/any/socket.io/"] {
        let answer = ask(&server, "OPTIONS", path, asked);
        assert_eq!(answer.head.status, 204, "{path}");
        for (name, value) in [
            ("access-control-allow-origin", "https://a.test"),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "GET, POST"),
            ("access-control-allow-headers", "content-type,x-own"),
            ("vary", "Origin"),
        ] {
            assert_eq!(answer.head.header(name), Some(value), "{path} {name}");
        }
        assert!(answer.head.header("access-control-max-age").is_some());
    }
    let answer = ask(&server, "GET", "/socket.io/?transport=polling&sid=x", "");
    assert_eq!(answer.head.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.head.header("access-control-allow-credentials"), None);
    assert_eq!(answer.head.header("set-cookie"), None, "SIO-072");
    assert_eq!(answer.head.header("cache-control"), Some("no-store"), "SIO-072");
    assert_eq!(answer.head.header("x-content-type-options"), Some("nosniff"), "SIO-072");
}

#[test]
fn sio_007_the_script_of_the_client_is_served() {
    let server = speaking("").start();
    for path in ["/socket.io/socket.io.js", "/app/any/socket.io/socket.io.js"] {
        let answer = server.public(path);
        assert_eq!(answer.head.status, 200);
        assert_eq!(answer.head.header("cache-control"), Some("public, max-age=86400"));
        assert!(answer.head.header("content-type").is_some_and(|kind| kind.contains("javascript")));
        assert_eq!(answer.body.len(), 62_783);
        assert!(answer.body.contains("Socket.IO v2.5.0") && answer.body.contains("MIT License"));
    }
}

#[test]
fn sio_041_version_3_is_connected_unasked() {
    let server = speaking("").start();
    let mut socket = server.open(&target("/socket.io/", 3));
    let open = opened(&socket.text());
    assert_eq!(open["upgrades"], json!([]), "SIO-011");
    assert_eq!((&open["pingInterval"], &open["pingTimeout"]), (&json!(25_000), &json!(20_000)));
    assert_eq!(open.get("maxPayload"), None);
    let sid = open["sid"].as_str().expect("a text");
    assert!(sid.split_once('.').is_some_and(|(a, b)| a.parse::<u32>().is_ok() && b.parse::<u32>().is_ok()));
    socket.expect_text("40");
    socket.send("40");
    socket.send("2");
    socket.expect_text("3");
}

#[test]
fn sio_042_and_sio_091_version_4_connects_and_is_not_obeyed_before() {
    let server = speaking("").start();
    let mut socket = server.open(&target("/socket.io/", 4));
    let open = opened(&socket.text());
    assert!(open["maxPayload"].is_u64());
    assert_eq!(open["sid"].as_str().map(str::len), Some(32), "SIO-091");
    socket.send(r#"42["subscribe",{"channel":"news"}]"#);
    socket.send("40");
    let connected = socket.text();
    assert!(connected.starts_with(r#"40{"sid":""#), "{connected}");
    server.expect_metric("fanfare_channels{app=\"3\"}", 0.0);
    socket.send("40");
    socket.send("2");
    socket.expect_text("3");
}

#[test]
fn sio_043_and_sio_044_other_namespaces_are_refused_and_acks_not_answered() {
    let server = speaking("").start();
    for (version, refused) in
        [(3, r#"44/x,"Invalid namespace""#), (4, r#"44/x,{"message":"Invalid namespace"}"#)]
    {
        let mut echo = Echo::connect(&server, version);
        echo.send("40/x,");
        echo.expect(refused);
        echo.send(r#"420["subscribe",{"channel":"news"}]"#);
        echo.settle();
        server.api().publish("news", "e", "1");
        echo.expect_event("e", "news", "1");
    }
}

#[test]
fn sio_050_and_sio_055_a_public_channels_events_reach_both_kinds_of_clients() {
    let server = speaking("").start();
    let mut pusher = server.connect();
    pusher.subscribe("news");
    for version in [3, 4] {
        let mut echo = Echo::connect(&server, version);
        echo.join("news");
        for (data, value) in [
            (r#"{"text": "é😀"}"#, r#"{"text": "é😀"}"#),
            ("5", "5"),
            ("plain text", r#""plain text""#),
            ("", r#""""#),
            ("[1, 2]", "[1, 2]"),
        ] {
            server.api().publish("news", "App\\Events\\Shipped", data);
            pusher.expect_event("news", "App\\Events\\Shipped", data);
            echo.expect_event("App\\Events\\Shipped", "news", value);
        }
    }
}

#[test]
fn sio_056_names_that_clients_use_themselves_are_names_like_any() {
    let server = speaking("").start();
    let mut echo = Echo::connect(&server, 4);
    echo.join("news");
    for name in ["connect", "disconnect", "error", "newListener"] {
        server.api().publish("news", name, "1");
        echo.expect_event(name, "news", "1");
    }
}

#[test]
fn sio_090_an_events_sender_is_left_out_by_its_id() {
    let server = speaking("").start();
    for version in [3, 4] {
        let (mut one, mut other) = (Echo::connect(&server, version), Echo::connect(&server, version));
        one.join("news");
        other.join("news");
        let body = json!({"name": "e", "channel": "news", "data": "1", "socket_id": one.id});
        server.api().post("/events", body.to_string()).expect("{}");
        other.expect_event("e", "news", "1");
        one.settle();
    }
}

#[test]
fn sio_052_a_channel_that_is_left_sends_no_more() {
    let server = speaking("").start();
    let mut echo = Echo::connect(&server, 3);
    echo.join("news");
    echo.unsubscribe("news");
    echo.unsubscribe("never-joined");
    echo.settle();
    server.api().publish("news", "e", "1");
    echo.settle();
    server.expect_metric("fanfare_channels{app=\"3\"}", 0.0);
}

#[test]
fn sio_053_and_sio_104_client_events_go_to_the_others_of_a_private_channel() {
    let application = Application::saying(200, "true");
    let server = speaking(&format!("client_events = true\n{}", application.settings())).start();
    let (mut one, mut other) = (Echo::connect(&server, 3), Echo::connect(&server, 4));
    let mut pusher = server.connect();
    pusher.subscribe_private(APP, "private-room");
    for echo in [&mut one, &mut other] {
        echo.subscribe("private-room");
        echo.join("news");
    }
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 5.0);
    one.whisper("private-room", "client-typing", r#"{"a":[1, 2]}"#);
    other.expect_event("client-typing", "private-room", r#"{"a":[1,2]}"#);
    pusher.expect_event("private-room", "client-typing", r#"{"a":[1,2]}"#);
    one.whisper("private-room", "client-text", r#""5""#);
    other.expect_event("client-text", "private-room", r#""5""#);
    // A text that is JSON as well is marked, by a space that no reader of JSON sees.
    pusher.expect_text(r#"{"event":"client-text","data": "5","channel":"private-room"}"#);
    one.send(r#"42["client event","{\"channel\":\"private-room\",\"event\":\"client-json\",\"data\":1}"]"#);
    other.expect_event("client-json", "private-room", "1");
    pusher.expect_event("private-room", "client-json", "1");
    one.whisper("news", "client-public", "1");
    one.whisper("private-elsewhere", "client-unjoined", "1");
    one.whisper("private-room", "notclient-x", "1");
    one.whisper("private-room", "x-client-y", "1");
    pusher.client_event("private-room", "client-back", r#"{"b":2}"#);
    for echo in [&mut one, &mut other] {
        echo.expect_event("client-back", "private-room", r#"{"b":2}"#);
        echo.settle();
    }
    for error in ["client_event_on_unguarded_channel", "client_event_not_subscribed"] {
        server.expect_metric(&format!("fanfare_commands_refused_total{{error=\"{error}\"}}"), 1.0);
    }
}

#[test]
fn sio_053_client_events_are_dropped_while_the_app_has_them_off() {
    let application = Application::saying(200, "true");
    let server = speaking(&application.settings()).start();
    says(&server, "client_events of the app 3 is off");
    let (mut one, mut other) = (Echo::connect(&server, 3), Echo::connect(&server, 3));
    for echo in [&mut one, &mut other] {
        echo.subscribe("private-room");
    }
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 2.0);
    for _ in 0..200 {
        one.whisper("private-room", "client-typing", "1");
    }
    one.settle();
    other.settle();
}

/// An application that names the user of the bearer token.
fn naming() -> Application {
    Application::start(|question| {
        let token = question.header("authorization").unwrap_or_default();
        Reply::Body(
            200,
            match &*token {
                "Bearer ann" => r#"{"channel_data":{"user_id":1,"user_info":{"name": "Ann"}}}"#,
                "Bearer bob" => r#"{"channel_data":{"user_id":"b","user_info":[1, 2]}}"#,
                _ => "true",
            },
        )
    })
}

/// The members in the next packet, which acknowledges a presence channel; in any order, byte for byte.
#[track_caller]
fn members_told(echo: &mut Echo) -> Vec<String> {
    let packet = echo.socket.text();
    let list = packet.strip_prefix(r#"42["presence:subscribed","presence-room",["#);
    let list = list.and_then(|list| list.strip_suffix("]]")).unwrap_or_else(|| panic!("SIO-057: {packet}"));
    let mut members: Vec<String> = list
        .split(r#",{"user_id""#)
        .map(|part| part.trim_start_matches(r#"{"user_id""#))
        .map(str::to_owned)
        .collect();
    members.iter_mut().for_each(|member| member.insert_str(0, r#"{"user_id""#));
    members.sort();
    members
}

#[test]
fn sio_057_and_sio_058_and_sio_103_presence_is_one_table_for_both_kinds_of_clients() {
    const ROOM: &str = "presence-room";
    let application = naming();
    let server = speaking(&application.settings()).start();
    let ann = r#"{"user_id":"1","user_info":{"name": "Ann"}}"#;
    let mut first = Echo::connect(&server, 3);
    first.subscribe_with(ROOM, r#"{"Authorization":"Bearer ann"}"#);
    first.expect_event("presence:subscribed", ROOM, &format!("[{ann}]"));
    let mut pusher = server.connect();
    let members = pusher.join(APP, ROOM, r#"{"user_id":"p","user_info":{}}"#);
    assert_eq!(members["hash"], json!({"1": {"name": "Ann"}, "p": {}}));
    first.expect_event("presence:joining", ROOM, r#"{"user_id":"p","user_info":{}}"#);
    let mut second = Echo::connect(&server, 4);
    second.subscribe_with(ROOM, r#"{"Authorization":"Bearer bob"}"#);
    let everybody = [ann, r#"{"user_id":"b","user_info":[1, 2]}"#, r#"{"user_id":"p","user_info":{}}"#];
    assert_eq!(members_told(&mut second), everybody);
    first.expect_event("presence:joining", ROOM, r#"{"user_id":"b","user_info":[1, 2]}"#);
    pusher.expect_event(ROOM, "pusher_internal:member_added", r#"{"user_id":"b","user_info":[1, 2]}"#);
    // Another connection of a user who is there.
    let mut again = Echo::connect(&server, 3);
    again.subscribe_with(ROOM, r#"{"Authorization":"Bearer ann"}"#);
    assert_eq!(members_told(&mut again), everybody);
    drop(again);
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 3.0);
    pusher.close();
    first.expect_event("presence:leaving", ROOM, r#"{"user_id":"p","user_info":{}}"#);
    second.expect_event("presence:leaving", ROOM, r#"{"user_id":"p","user_info":{}}"#);
    second.unsubscribe(ROOM);
    first.expect_event("presence:leaving", ROOM, r#"{"user_id":"b","user_info":[1, 2]}"#);
    assert!(!application.questions().iter().any(|question| question.body.contains("socketId")), "SIO-058");
}

#[test]
fn sio_105_a_cache_channels_event_comes_once_behind_the_subscription() {
    let server = speaking("").start();
    server.api().publish("cache-news", "e", r#"{"n":1}"#);
    let mut echo = Echo::connect(&server, 3);
    echo.join("cache-empty");
    echo.subscribe("cache-news");
    echo.expect_event("e", "cache-news", r#"{"n":1}"#);
    echo.settle();
}

#[test]
fn sio_080_the_path_names_the_app() {
    let two = || Setup::bare().app(APP, "").app(OTHER, "");
    let server = two().config("[socketio]\nenabled = true\napp = \"44\"\n").start();
    let mut of_setting = Echo::connect(&server, 3);
    let path = format!("/app/{}/socket.io/", APP.key);
    let mut of_key = Echo::of(server.open(&target(&path, 3)), 3);
    of_setting.join("news");
    of_key.join("news");
    server.api_of(OTHER).publish("news", "e", "44");
    of_setting.expect_event("e", "news", "44");
    server.api().publish("news", "e", "3");
    of_key.expect_event("e", "news", "3");
    of_setting.settle();
    // Without a setting the only app is meant; of several, none.
    let server = two().config(ON).start();
    says(&server, "socketio.app is empty");
    let mut socket = server.open(&target("/socket.io/", 3));
    opened(&socket.text());
    let text = socket.text();
    assert!(text.starts_with(r#"44"Path not found"#), "{text}");
}

#[test]
fn sio_080_an_app_that_is_not_in_the_servers_own_database_is_told_at_the_start_and_by_the_doctor() {
    let server = Setup::bare().config("[socketio]\nenabled = true\napp = \"1001\"\n").start();
    says(&server, "socketio.app: there is no app 1001, so that /socket.io/ refuses everybody");
    let listen = server.addr.to_string();
    let told = server.command(&["doctor", "--config", "fanfare.toml", "--listen", &listen]);
    let line = told.stdout.lines().find(|line| line.starts_with("✗ Socket.IO")).unwrap_or(&told.stdout);
    assert!(
        line.ends_with("refuses its clients: Path not found: connect to /app/KEY, not /socket.io/"),
        "{line}"
    );
    let server = Setup::bare().config("[socketio]\nenabled = true\n").start();
    Echo::of(server.open(&target("/socket.io/", 3)), 3).settle();
    assert!(!server.process.stderr().contains("there is no app"), "{}", server.process.stderr());
}

#[test]
fn sio_080_a_path_prefix_stands_in_front() {
    let server = speaking("").config("[listen]\npath_prefix = \"/ws\"\n").start();
    let path = format!("/ws/app/{}/socket.io/", APP.key);
    for path in ["/ws/socket.io/", "/socket.io/", "/ws/socket.io", &path] {
        Echo::of(server.open(&target(path, 4)), 4).settle();
    }
}
