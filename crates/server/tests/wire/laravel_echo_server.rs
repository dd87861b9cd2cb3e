//! `serve --laravel-echo-server`: a server in the place of a laravel-echo-server.

use std::fs;

use serde_json::{Value, json};

use crate::redis_feed::{event, expect_listening};
use crate::support::App;
use crate::support::application::Application;
use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::setup::{Ended, Setup, binary, run};
use fanfare_testing::redis::Redis;

/// The app that is made.
const MADE: App = App { id: "laravel-echo-server", key: "laravel-echo-server", secret: "" };

const KEY: &str = "8e2a9d1b6e4f0c3a7d5b1e9f8a6c0b2d";

/// `fanfare serve --laravel-echo-server .`, in a folder with this file; on a free port, whatever the file says.
fn of(json: &Value) -> Setup {
    let setup = Setup::bare();
    fs::write(setup.folder().join("laravel-echo-server.json"), json.to_string()).expect("a file");
    setup.arguments(&["--laravel-echo-server", "."])
}

fn printed(server: &TestServer) -> String {
    let mut lines = Vec::new();
    while !lines.iter().any(|line: &String| line.starts_with("Socket.IO: ")) {
        lines.push(server.process.line().expect("the start says where Socket.IO is spoken"));
    }
    lines.join("\n")
}

#[test]
fn sio_082_its_redis_its_application_and_its_clients_are_taken_over() {
    let redis = Redis::start();
    let application = Application::saying(200, "true");
    let url = application.settings();
    let url = url.split('"').nth(1).expect("the setting holds a URL").to_owned();
    let host = url.strip_suffix("/broadcasting/auth").expect("the default path").to_owned();
    let port = redis.url().rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    let server = of(&json!({
        "authHost": host, "host": "127.0.0.1", "port": "6001",
        "clients": [{"appId": "4bc57ea56b4e0ac5", "key": KEY}], "database": "redis",
        "databaseConfig": {"redis": {"host": "127.0.0.1", "port": port, "keyPrefix": "shop_"}},
        "headers": {"X-A": "b"}, "socketio": {"transports": ["websocket"]},
    }))
    .start();
    expect_listening(&server);
    let text = printed(&server);
    for line in [
        "port: not used, because listen.addr is set by --listen",
        "headers: not supported: ",
        "socketio.transports: not needed: ",
        "socketio.clients: \"4bc57ea56b4e0ac5\" (clients[0])",
        "redis_feed.prefix = \"shop_\" (databaseConfig.redis.keyPrefix)",
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line} is not in\n{text}");
    }
    assert!(text.contains("/socket.io/ is the app laravel-echo-server"), "{text}");
    assert!(!text.contains(KEY) && !server.process.stderr().contains(KEY));

    let mut socket = server.connect_to(MADE);
    socket.subscribe("news");
    redis.broadcast(&["shop_news"], &event("shipped", "{\"n\":1}", "null"));
    socket.expect_event("news", "shipped", "{\"n\":1}");
    let mut http = Http::connect(server.addr);
    let body = json!({"channel": "news", "name": "e", "data": "x"}).to_string();
    let head = "POST /apps/4bc57ea56b4e0ac5/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ";
    http.write(format!("{head}{KEY}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    http.answer().expect("{\"message\":\"ok\"}");
    socket.expect_event("news", "e", "x");
    let form = "socket_id=1.1&channel_name=private-x";
    let head = "POST /app/laravel-echo-server/auth HTTP/1.1\r\nHost: localhost\r\nContent-Type: \
                application/x-www-form-urlencoded\r\n";
    http.write(format!("{head}Content-Length: {}\r\n\r\n{form}", form.len()).as_bytes());
    assert_eq!(http.answer().head.status, 200);
    application.expect_questions(1);
}

#[test]
fn its_faults_are_all_told_and_end_the_start() {
    let ended = of(&json!({"port": "none", "host": 5, "authHost": []})).run();
    assert_eq!(ended.status, 64);
    for fault in [
        "fanfare: fault: ./laravel-echo-server.json: host: must be an IP address",
        "fanfare: fault: ./laravel-echo-server.json: port: must be a port from 1 to 65535; found the text \"none\"",
        "fanfare: fault: ./laravel-echo-server.json: authHost: must be a URL",
    ] {
        assert!(ended.stderr.lines().any(|line| line.starts_with(fault)), "{fault}: {}", ended.stderr);
    }
}

#[test]
fn check_and_print_show_what_is_taken_over() {
    let setup = of(&json!({"clients": [{"appId": "1", "key": KEY}], "headers": {"a": "b"}}));
    let checked = setup.run_with(&["--check"]);
    assert_eq!(checked.status, 0);
    assert!(checked.stdout.contains("client_events of the app = true"), "{}", checked.stdout);
    assert!(checked.stderr.contains("headers: not supported"), "{}", checked.stderr);
    let (missing, harmless) =
        checked.stdout.split_once("\n# Needs nothing\n").unwrap_or((&*checked.stdout, ""));
    assert!(missing.contains("headers: not supported") && harmless.is_empty(), "{}", checked.stdout);
    let shown = setup.run_with(&["--print"]);
    let places = [
        "enabled = true # ./laravel-echo-server.json",
        "# [[socketio.clients]] # ./laravel-echo-server.json: clients[0]",
        "# authorization.url = \"http://localhost/broadcasting/auth\"",
    ];
    for line in places {
        assert!(shown.stdout.lines().any(|found| found == line), "{line} is not in\n{}", shown.stdout);
    }
    assert!(!shown.stdout.contains(KEY) && !checked.stdout.contains(KEY));
}

/// `fanfare env` and the like, of this file.
fn lines_of(json: &Value, arguments: &[&str]) -> Ended {
    let setup = of(json);
    run(binary(setup.folder()).args(arguments).args(["--laravel-echo-server", "laravel-echo-server.json"]))
}

#[test]
fn env_says_that_nothing_changes_and_what_does_if_the_address_does() {
    let clients = json!([{"appId": "1", "key": KEY}]);
    let redis = json!({"redis": {"keyPrefix": "shop_"}});
    let ended = lines_of(&json!({"port": 6005, "clients": clients, "databaseConfig": redis}), &["env"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    for line in [
        "# In place of the server of laravel-echo-server.json",
        "# with the Redis redis://127.0.0.1:6379 and the prefix \"shop_\" (database.redis.options.prefix).",
        "# Pages: nothing changes, as long as the host and the port that they connect to stay; else:",
        "    broadcaster: 'socket.io',",
        "    host: window.location.hostname + ':6005',",
        "curl http://127.0.0.1:6005/up",
        "PUSHER_APP_KEY=laravel-echo-server",
    ] {
        assert!(ended.stdout.lines().any(|found| found == line), "{line} is not in\n{}", ended.stdout);
    }
    assert!(ended.stdout.contains("# Laravel's .env: nothing changes."), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("doctor --laravel-echo-server laravel-echo-server.json"),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains(KEY), "{}", ended.stdout);

    let random =
        lines_of(&json!({"subscribers": {"http": true}, "socketio": {"path": "/echo/socket.io"}}), &["env"]);
    assert!(random.stdout.contains("no Redis is read"), "{}", random.stdout);
    assert!(random.stdout.contains("    path: '/echo/socket.io',\n"), "{}", random.stdout);
    assert!(random.stdout.contains("# none, because the app made from"), "{}", random.stdout);
    assert!(!random.stdout.contains("PUSHER_APP_KEY="), "{}", random.stdout);
    for arguments in [&["laravel", "env"][..], &["send", "news", "e"]] {
        let ended = lines_of(&json!({}), arguments);
        let is_told = ended.stderr.contains("has another secret at each start");
        assert_eq!((ended.status, is_told), (64, true), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn sio_081_the_doctor_names_the_app_of_socket_io() {
    let json = json!({"clients": [{"appId": "1", "key": KEY}], "subscribers": {"http": true}});
    let server = of(&json).start();
    let listen = server.addr.to_string();
    let asked = ["doctor", "--laravel-echo-server", ".", "--listen", &listen, "--json"];
    let hops: Value = serde_json::from_str(&server.commanded(&asked)).expect("a list");
    let hop = |name: &str| {
        let hop = hops.as_array().expect("a list").iter().find(|hop| hop["hop"] == name);
        hop.unwrap_or_else(|| panic!("no hop {name} in {hops}")).clone()
    };
    let what = hop("Socket.IO")["what"].to_string();
    assert!(what.contains("is the app laravel-echo-server;"), "{what}");
    assert_eq!(hop("signature")["outcome"], "passed", "the secret is made from the client's key");
    assert!(server.commanded(&["health", "--laravel-echo-server", ".", "--listen", &listen]).contains("200"));
    let sent = ["send", "--laravel-echo-server", ".", "--listen", &listen, "news", "e"];
    server.commanded(&sent);
}
