//! Channels and who is in them, as operators see them (CON-020, CON-022).

use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::echo::{Echo, ON};
use crate::support::fallback::Fallback;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, App, OTHER, eventually};

const CHANNELS: &str = "/v1/apps/3/channels";

/// A server with an app and an operator of these scopes.
pub fn inspected(scopes: &str) -> (TestServer, Admin) {
    let server = Setup::bare().config(&format!("{ON}app = \"3\"\n")).start();
    let writer = Admin::with(&server, "write");
    for App { id, key, secret } in [APP, OTHER] {
        let body = json!({"id": id, "key": key, "secret": secret, "settings": {"client_events": true}});
        writer.post("/v1/apps", &body.to_string()).expect(201);
    }
    server.expect_app_known();
    let admin = Admin::with(&server, scopes);
    (server, admin)
}

/// The values of a field of a list's rows.
pub fn field(answer: &Value, list: &str, name: &str) -> Vec<Value> {
    answer[list].as_array().expect("a list").iter().map(|row| row[name].clone()).collect()
}

/// All rows of a list, page by page.
pub fn paged(admin: &Admin, path: &str, list: &str, limit: usize) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("{path}limit={limit}{after}")).expect(200);
        let some = page[list].as_array().expect("a list").clone();
        assert!(some.len() <= limit, "{page}");
        rows.extend(some);
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", next.replace(':', "%3A")),
            None => return rows,
        }
    }
}

/// Checks which of the channels of the test below a filter finds.
#[track_caller]
fn expect_filters(admin: &Admin) {
    for (query, names) in [
        ("prefix=private-", &["private-encrypted-cache-x"][..]),
        ("kind=cache", &["private-encrypted-cache-x"]),
        ("kind=encrypted", &["private-encrypted-cache-x"]),
        ("kind=presence", &["presence-room"]),
        ("kind=private", &[]),
        ("kind=public&order=name", &["a", "b", "c"]),
        ("prefix=zzz", &[]),
    ] {
        let answer = admin.get(&format!("{CHANNELS}?{query}")).expect(200);
        assert_eq!(field(&answer, "channels", "name"), names, "{query}");
        assert_eq!(answer["total"], names.len(), "{query}");
    }
}

#[test]
fn con_020_and_con_022_channels_of_clients_of_every_transport_are_listed_in_pages_as_they_are_now() {
    let (server, admin) = inspected("read");
    assert_eq!(admin.get(CHANNELS).expect(200)["channels"], json!([]));
    let (mut one, mut other) = (server.connect(), server.connect());
    let mut polls = Fallback::streaming(&server);
    let mut echo = Echo::connect(&server, 4);
    for channel in ["a", "b", "c"] {
        one.subscribe(channel);
    }
    other.subscribe("b");
    polls.subscribe("b");
    echo.subscribe("c");
    other.subscribe_private(APP, "private-encrypted-cache-x");
    other.expect_cache_miss("private-encrypted-cache-x");
    one.join(APP, "presence-room", r#"{"user_id":"u"}"#);
    other.join(APP, "presence-room", r#"{"user_id":"u"}"#);
    let mut api = server.api();
    api.publish("cache-empty", "e", "1");
    api.publish("private-encrypted-cache-x", "e", "1");

    eventually("the subscription of Socket.IO", || {
        let answer = admin.get(CHANNELS).expect(200);
        let names = field(&answer, "channels", "name");
        let counts = field(&answer, "channels", "subscribers");
        assert_eq!((&answer["of"], &answer["node"].is_string()), (&json!("this node"), &true));
        (names == ["b", "c", "presence-room", "a", "private-encrypted-cache-x"] && counts == [3, 2, 2, 1, 1])
            .then_some(())
    });
    let rows = admin.get(&format!("{CHANNELS}?order=name")).expect(200);
    assert_eq!(rows["total"], 5);
    assert_eq!(
        rows["channels"],
        json!([
            {"name": "a", "kind": "public", "subscribers": 1, "users": null, "cached": false},
            {"name": "b", "kind": "public", "subscribers": 3, "users": null, "cached": false},
            {"name": "c", "kind": "public", "subscribers": 2, "users": null, "cached": false},
            {"name": "presence-room", "kind": "presence", "subscribers": 2, "users": 1, "cached": false},
            {"name": "private-encrypted-cache-x", "kind": "encrypted", "subscribers": 1, "users": null, "cached": true},
        ])
    );
    expect_filters(&admin);
    for (order, first) in [("name", "a"), ("subscribers", "b")] {
        let rows = paged(&admin, &format!("{CHANNELS}?order={order}&"), "channels", 2);
        assert_eq!((rows.len(), &rows[0]["name"]), (5, &json!(first)));
    }
    drop(one);
    eventually("who goes is not listed", || {
        let answer = admin.get(&format!("{CHANNELS}?order=name")).expect(200);
        (field(&answer, "channels", "name")[..2] == ["b", "c"]).then_some(())
    });
    let answer = admin.get("/v1/apps/44/channels").expect(200);
    assert_eq!(answer["channels"], json!([]), "another app has its own");
}

#[test]
fn con_022_a_page_is_not_longer_than_200_and_faults_of_a_query_are_named() {
    let (server, admin) = inspected("read");
    let mut sockets: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for number in 0..210 {
        sockets[number % 3].subscribe(&format!("c{number:03}"));
    }
    let page = admin.get(&format!("{CHANNELS}?order=name&limit=200")).expect(200);
    assert_eq!((field(&page, "channels", "name").len(), &page["next"]), (200, &json!("c199")));
    assert_eq!(admin.get(CHANNELS).expect(200)["channels"].as_array().map(Vec::len), Some(100));
    // What comes and goes between two pages moves nothing that stays.
    sockets[0].unsubscribe("c000");
    sockets[0].subscribe("b");
    let rest = admin.get(&format!("{CHANNELS}?order=name&limit=200&after=c199")).expect(200);
    assert_eq!((field(&rest, "channels", "name").len(), &rest["next"]), (10, &Value::Null));
    admin.get(&format!("{CHANNELS}?limit=201&kind=x&order=y&after=z&page=2")).refused(
        400,
        "faulty-query",
        &[
            "unknown query parameter page; there are prefix, kind, order, after, limit",
            "kind is not one of public, private, encrypted, presence, cache",
            "order is not one of subscribers, name",
            "after is not the next of a page of this list",
            "limit is not a number from 1 to 200",
        ],
    );
    admin.get(&format!("{CHANNELS}/a%20b")).refused(400, "channel-name", &[]);
    admin.get(&format!("{CHANNELS}/a/subscribers?after=x")).refused(
        400,
        "faulty-query",
        &["after is not the next of a page of this list"],
    );
}

#[test]
fn con_022_a_channel_whose_name_cannot_be_a_segment_of_a_path_is_named_in_the_query() {
    let (server, admin) = inspected("read");
    let mut socket = server.connect();
    for name in [".", "..", "-"] {
        socket.subscribe(name);
        let query = if name == "-" { String::new() } else { format!("?name={name}") };
        let channel = admin.get(&format!("{CHANNELS}/-{query}")).expect(200);
        assert_eq!((&channel["name"], &channel["subscribers"]), (&json!(name), &json!(1)));
        let there = admin.get(&format!("{CHANNELS}/-/subscribers{query}")).expect(200);
        assert_eq!(field(&there, "subscribers", "socket").len(), 1, "{name}");
        assert_eq!(admin.get(&format!("{CHANNELS}/-/members{query}")).expect(200)["members"], json!([]));
    }
    let fault = "name is given, but the path does not have - in its place";
    admin.get(&format!("{CHANNELS}/a?name=..")).refused(400, "faulty-query", &[fault]);
}

#[test]
fn con_015_what_a_channel_carries_and_members_tell_is_for_the_scope_payloads() {
    let (server, reader) = inspected("read");
    let seer = Admin::with(&server, "read,payloads");
    let mut one = server.connect();
    let mut other = server.connect();
    let data = r#"{"user_id":"u","user_info":{"name":"Ada"}}"#;
    for socket in [&mut one, &mut other] {
        socket.join(APP, "presence-cache-room", data);
        socket.expect_cache_miss("presence-cache-room");
    }
    other.subscribe_private(APP, "private-encrypted-cache-x");
    other.expect_cache_miss("private-encrypted-cache-x");
    let mut api = server.api();
    api.publish("presence-cache-room", "told", r#"{"n":1}"#);
    api.publish("private-encrypted-cache-x", "told", "cipher");
    let room = format!("{CHANNELS}/presence-cache-room");
    for (admin, data, info) in
        [(&reader, Value::Null, Value::Null), (&seer, json!(r#"{"n":1}"#), json!({"name": "Ada"}))]
    {
        let shown = admin.get(&room).expect(200);
        assert_eq!(
            (&shown["subscribers"], &shown["users"], &shown["cached"]),
            (&json!(2), &json!(1), &json!({"event": "told", "data": data}))
        );
        let members = admin.get(&format!("{room}/members")).expect(200);
        assert_eq!(members["members"], json!([{"user": "u", "connections": 2, "user_info": info}]));
        let encrypted = admin.get(&format!("{CHANNELS}/private-encrypted-cache-x")).expect(200);
        assert_eq!(encrypted["cached"], json!({"event": "told", "data": null}), "nobody guesses at it");
    }
    let subscribers = reader.get(&format!("{room}/subscribers")).expect(200);
    let mut sockets = field(&subscribers, "subscribers", "socket");
    sockets.sort_by_key(Value::to_string);
    let mut known = [json!(one.id), json!(other.id)];
    known.sort_by_key(Value::to_string);
    assert_eq!(sockets, known);
    assert_eq!(field(&subscribers, "subscribers", "user"), ["u", "u"]);
    assert_eq!(paged(&reader, &format!("{room}/subscribers?"), "subscribers", 1).len(), 2);
    let nobody = reader.get(&format!("{CHANNELS}/nobody")).expect(200);
    assert_eq!((&nobody["subscribers"], &nobody["cached"]), (&json!(0), &Value::Null));
    assert_eq!(reader.get(&format!("{CHANNELS}/nobody/members")).expect(200)["members"], json!([]));
}

#[test]
fn con_024_looking_counts_nowhere_and_con_086_a_bound_token_sees_its_own_apps_channels_alone() {
    let (server, admin) = inspected("read");
    let mut socket = server.connect();
    socket.subscribe("news");
    let usage = || {
        let usage = admin.get("/v1/apps/3/usage").expect(200);
        (server.metric("fanfare_connections{app=\"3\"}").to_string(), usage)
    };
    let before = usage();
    for path in ["", "/news", "/news/members", "/news/subscribers"] {
        admin.get(&format!("{CHANNELS}{path}")).expect(200);
        admin.get(&format!("/v1/apps/5/channels{path}")).refused(404, "no-such-app", &[]);
    }
    assert_eq!(usage(), before);
    let writer = Admin::with(&server, "write,publish,operate");
    let made =
        server.commanded(&["token", "create", "--name", "t", "--scope", "read", "--app", "44", "--json"]);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let tenant = Admin::nobody(&server).bearing(made["token"].as_str().expect("a token"));
    for path in ["", "/news", "/news/members", "/news/subscribers"] {
        writer.get(&format!("{CHANNELS}{path}")).refused(403, "scope-missing", &[]);
        tenant.get(&format!("{CHANNELS}{path}")).refused(404, "no-such-app", &[]);
        tenant.get(&format!("/v1/apps/44/channels{path}")).expect(200);
    }
    socket.expect_nothing_more();
}
