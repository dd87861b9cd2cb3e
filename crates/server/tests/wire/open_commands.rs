//! `fanfare channels`, `fanfare connections` and `fanfare users`, and the signed routes that they use (CON-025).

use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::setup::{Ended, Setup};
use crate::support::{APP, OTHER, eventually};

/// A command beside a server, which asks that server.
#[track_caller]
pub fn asked(server: &TestServer, words: &[&str]) -> Ended {
    let listen = server.addr.to_string();
    server.command(&[words, &["--config", "fanfare.toml", "--listen", &listen]].concat())
}

/// What a command prints as JSON.
#[track_caller]
fn told(server: &TestServer, words: &[&str]) -> Value {
    let ended = asked(server, &[words, &["--json"]].concat());
    assert_eq!(ended.status, 0, "{words:?}: {}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON")
}

#[test]
fn con_025_what_is_open_is_listed_in_the_terminal_of_a_server_without_a_database_too() {
    let server = Setup::with_app("client_events = true").app(OTHER, "").start();
    let (mut one, mut two) = (server.connect(), server.connect());
    for socket in [&mut one, &mut two] {
        socket.subscribe("news=1;a");
        socket.join(APP, "presence-room", r#"{"user_id":"u","user_info":{"name":"Ada"}}"#);
    }
    two.subscribe_private(APP, "private-a");
    two.sign_in(APP, r#"{"id":"42"}"#);

    let ended = asked(&server, &["channels", APP.id]);
    let lines: Vec<Vec<&str>> = ended.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..3], ["CHANNEL", "KIND", "SUBSCRIBERS"], "{}", ended.stderr);
    assert_eq!(lines[1][..3], ["news=1;a", "public", "2"]);
    assert_eq!(lines[2][..4], ["presence-room", "presence", "2", "1"]);
    assert_eq!(lines[4], ["3", "channels", "in", "all."]);

    let page = told(&server, &["channels", APP.id, "--order", "name", "--limit", "1", "--prefix", "n"]);
    assert_eq!((&page["channels"][0]["name"], &page["total"]), (&json!("news=1;a"), &json!(1)));
    let page = told(&server, &["channels", APP.id, "--limit", "1"]);
    let next = page["next"].as_str().expect("more");
    let page = told(&server, &["channels", APP.id, "--after", next, "--kind", "presence"]);
    assert_eq!(page["channels"][0]["name"], "presence-room");

    for (words, sockets) in [
        (&["--channel", "private-a"][..], vec![&two.id]),
        (&["--user", "42", "--address", "127.0.0.1"], vec![&two.id]),
        (&["--address", "::1"], vec![]),
    ] {
        let page = told(&server, &[&["connections", APP.id][..], words].concat());
        let rows = page["connections"].as_array().expect("a list");
        let found: Vec<&str> = rows.iter().filter_map(|row| row["socket"].as_str()).collect();
        assert_eq!(found, sockets, "{words:?}");
        assert!(!page.to_string().contains("Ada"));
    }
    assert!(asked(&server, &["connections", APP.id]).stdout.contains("2 connections in all."));
    assert_eq!(told(&server, &["users", APP.id, "--prefix", "4"])["users"][0]["user"], "42");
    assert_eq!(asked(&server, &["users", OTHER.id]).stdout, "No signed-in user is found.\n");
    let ended = asked(&server, &["channels", "9"]);
    assert_eq!(ended.status, 64, "{}", ended.stderr);
}

#[test]
fn con_025_a_connection_and_a_user_are_closed_from_the_terminal_and_the_log_says_with_which_key() {
    let server = TestServer::with_stored_app(&[]);
    std::fs::write(server.folder().join("fanfare.toml"), "").expect("the folder can be written to");
    let admin = Admin::with(&server, "read");
    let (mut returns, mut stays, mut user) = (server.connect(), server.connect(), server.connect());
    user.sign_in(APP, r#"{"id":"a;b"}"#);
    let entry = || {
        let entry = &admin.get("/v1/audit?limit=1").expect(200)["entries"][0];
        json!([entry["name"], entry["address"], entry["app"], entry["action"], entry["detail"]])
    };
    let by = format!("key:{}", &APP.key[..4]);

    let ended = asked(&server, &["connections", "close", APP.id, &returns.id]);
    assert_eq!(
        ended.stdout,
        format!("{} is closed with 4200: its client comes back at once.\n", returns.id),
        "{}",
        ended.stderr
    );
    returns.expect_close(4200, "Closed by an operator of the server, reconnect");
    let detail = json!({"socket": returns.id, "code": 4200});
    assert_eq!(entry(), json!([by, "127.0.0.1", APP.id, "connection.close", detail]));
    assert_eq!(asked(&server, &["connections", "close", APP.id, &stays.id, "--code", "4009"]).status, 0);
    stays.expect_close(4009, "Closed by an operator of the server");

    let ended = asked(&server, &["users", "terminate", APP.id, "a;b"]);
    assert_eq!(ended.stdout, "1 connection of a;b is closed with 4009.\n", "{}", ended.stderr);
    user.expect_close(4009, "You got disconnected by the app.");
    let detail = json!({"user": "a;b", "connections": 1});
    assert_eq!(entry(), json!([by, "127.0.0.1", APP.id, "user.terminate", detail]));

    let ended = asked(&server, &["connections", "close", APP.id, "1.1"]);
    assert_eq!(ended.status, 69);
    assert!(ended.stderr.contains("has refused with 404: No connection 1.1 is open"), "{}", ended.stderr);
}

#[test]
fn con_025_the_signed_lists_name_every_fault_and_are_for_whoever_has_the_secret() {
    let server = TestServer::start();
    let mut api = server.api();
    let faults = "The query has faults: unknown query parameter page; there are prefix, after, limit; limit is not a \
                  number from 1 to 200";
    api.get("/open/users", &[("limit", "201"), ("page", "1")]).refused_with(400, faults);
    api.get("/open/channels", &[("kind", "x")]).refused(400, "kind is not one of public, private");
    api.get("/open/connections", &[("address", "x")]).refused(400, "address is not an IP address");
    for path in ["channels", "connections", "users"] {
        server.public(&format!("/apps/{}/open/{path}", APP.id)).refused(401, "");
    }
}

#[test]
fn con_059_a_close_whose_client_is_gone_before_the_answer_is_in_the_log_all_the_same() {
    let server = TestServer::with_stored_app(&[]);
    let admin = Admin::with(&server, "read,operate");
    let mut closed = Vec::new();
    for _ in 0..20 {
        let mut socket = server.connect();
        let path = format!("/v1/apps/{}/connections/{}?code=4009", APP.id, socket.id);
        let mut http = Http::connect(server.admin);
        http.try_write(admin.head("DELETE", &path, "").as_bytes());
        socket.expect_close(4009, "Closed by an operator of the server");
        drop(http);
        closed.push(json!(socket.id));
    }
    eventually("each has an entry", || {
        let log = admin.get("/v1/audit?limit=200").expect(200);
        let entries = log["entries"].as_array().expect("a list");
        let sockets: Vec<&Value> = entries.iter().map(|entry| &entry["detail"]["socket"]).collect();
        closed.iter().all(|id| sockets.contains(&id)).then_some(())
    });
}
