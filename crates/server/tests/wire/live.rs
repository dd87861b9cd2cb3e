//! The live list of an app: what is told, to whom, and what is left out (CON-027 … CON-038, CON-082).

use serde_json::{Value, json};

use crate::console::Browser;
use crate::inspect_channels::inspected;
use crate::support::admin::{Admin, token};
use crate::support::live::{LiveList, told};
use crate::support::server::TestServer;
use crate::support::{APP, eventually};

const LIVE: &str = "/v1/apps/3/live";

/// A server with the app of the reference in its database, and a token.
fn live(scopes: &str) -> (TestServer, String) {
    let (server, _) = inspected("read");
    let token = token(&server, scopes);
    (server, token)
}

#[test]
fn con_027_and_con_082_a_client_and_a_back_end_are_seen_as_they_come_and_act_and_go() {
    let (server, token) = live("read");
    let mut list = LiveList::open(&server, &token, "");
    let mut socket = server.connect();
    let id = socket.id.clone();
    let connected = list.entry();
    assert_eq!(told(&connected), json!({"kind": "connected", "socket": id}));
    assert_eq!(
        (&connected["address"], &connected["transport"]),
        (&json!("127.0.0.1"), &json!("ws")),
        "{connected}"
    );
    assert!(connected["at"].as_str().is_some_and(|at| at.len() == 24 && at.ends_with('Z')), "{connected}");
    socket.subscribe_private(APP, "private-a");
    assert_eq!(told(&list.entry()), json!({"kind": "occupied", "channel": "private-a", "socket": id}));
    assert_eq!(told(&list.entry()), json!({"kind": "subscribed", "channel": "private-a", "socket": id}));
    server.api().publish("private-a", "shipped", r#"{"id":7}"#);
    assert_eq!(
        told(&list.entry()),
        json!({"kind": "event", "channel": "private-a", "event": "shipped", "bytes": 8, "receivers": 1, "by": "key:278d"})
    );
    socket.expect_event("private-a", "shipped", r#"{"id":7}"#);
    server.api().publish("nobody", "lost", "x");
    let lost = list.entry();
    assert_eq!((&lost["channel"], &lost["receivers"]), (&json!("nobody"), &json!(0)));
    socket.client_event("private-a", "client-typing", r#"{"a":1}"#);
    assert_eq!(
        told(&list.entry()),
        json!({"kind": "client_event", "channel": "private-a", "event": "client-typing", "socket": id, "bytes": 7, "receivers": 0, "by": "socket"})
    );
    socket.unsubscribe("private-a");
    assert_eq!(told(&list.entry()), json!({"kind": "unsubscribed", "channel": "private-a", "socket": id}));
    assert_eq!(told(&list.entry()), json!({"kind": "vacated", "channel": "private-a", "socket": id}));
    socket.subscribe("b");
    list.entry_of("subscribed");
    socket.close();
    let unsubscribed = list.entry();
    let why = "the connection has ended";
    assert_eq!(
        told(&unsubscribed),
        json!({"kind": "unsubscribed", "channel": "b", "socket": id, "why": why})
    );
    assert_eq!(list.entry()["kind"], "vacated");
    let closed = list.entry();
    assert_eq!(
        (&closed["kind"], &closed["code"], &closed["socket"]),
        (&json!("closed"), &json!(1000), &json!(id))
    );
    assert!(closed["milliseconds"].is_u64() && closed["why"].is_string(), "{closed}");
}

#[test]
fn con_028_members_and_who_signs_in_are_seen_once_for_each_user() {
    let (server, token) = live("read");
    let mut list = LiveList::open(&server, &token, "?kinds=member_added,member_removed,signed_in");
    let (mut one, mut two) = (server.connect(), server.connect());
    for socket in [&mut one, &mut two] {
        socket.join(APP, "presence-room", r#"{"user_id":"42"}"#);
    }
    one.sign_in(APP, r#"{"id":"7"}"#);
    let (first, second) = (one.id.clone(), two.id.clone());
    let member = |kind: &str, socket: &str| json!({"kind": kind, "channel": "presence-room", "user": "42", "socket": socket});
    assert_eq!(told(&list.entry()), member("member_added", &first));
    assert_eq!(told(&list.entry()), json!({"kind": "signed_in", "user": "7", "socket": first}));
    one.close();
    two.unsubscribe("presence-room");
    assert_eq!(told(&list.entry()), member("member_removed", &second));
}

#[test]
fn con_029_the_server_filters_by_all_conditions_together() {
    let (server, token) = live("read");
    let mut of_orders =
        LiveList::open(&server, &token, "?kinds=event,subscribed&channel=private-orders.*&event=shipped");
    let token = crate::support::admin::token(&server, "read");
    let mut socket = server.connect();
    let mut of_socket = LiveList::open(&server, &token, &format!("?socket={}", socket.id));
    let mut api = server.api();
    for (channel, event) in
        [("private-orders.7", "other"), ("orders.7", "shipped"), ("private-orders.7", "shipped")]
    {
        api.publish(channel, event, "x");
    }
    let entry = of_orders.entry();
    assert_eq!((&entry["channel"], &entry["event"]), (&json!("private-orders.7"), &json!("shipped")));
    server.connect().close();
    socket.subscribe("a");
    assert_eq!(of_socket.entry()["kind"], "occupied", "nothing of the other connection");

    let admin = Admin::nobody(&server).bearing(&token);
    let words = "connected, closed, subscribed, unsubscribed, occupied, vacated, member_added, member_removed, signed_in, \
                 event, redis_event, client_event, refused, authorization, webhook_delivered, webhook_failed, app_changed";
    admin.get(&format!("{LIVE}?kinds=event,evnt&socket=x&chanel=a")).refused(
        400,
        "faulty-query",
        &[
            "unknown query parameter chanel; there are kinds, channel, event, socket, user",
            &format!("kinds is not a list of these: {words}"),
            "socket is not a socket id",
        ],
    );
    admin.get("/v1/apps/404/live").refused(404, "no-such-app", &[]);
}

#[test]
fn con_027_and_con_038_data_is_for_the_scope_payloads_alone_and_the_audit_log_says_who_has_looked() {
    let (server, plain) = live("read");
    let with_payloads = token(&server, "read,payloads");
    let mut without = LiveList::open(&server, &plain, "?kinds=event");
    let mut list = LiveList::open(&server, &with_payloads, "?kinds=event&channel=*");
    let long = "x".repeat(5000);
    let mut api = server.api();
    for (channel, data) in
        [("a", r#"{"id":7}"#), ("a", &long), ("private-encrypted-a", r#"{"ciphertext":"secret"}"#)]
    {
        api.publish(channel, "e", data);
    }
    let shown = |entry: &Value| json!([entry["data"], entry["whole"], entry["encrypted"]]);
    assert_eq!(shown(&list.entry()), json!([r#"{"id":7}"#, true, null]));
    assert_eq!(shown(&list.entry()), json!([long[..4096], false, null]));
    assert_eq!(shown(&list.entry()), json!(["encrypted", null, true]));
    for _ in 0..3 {
        assert_eq!(without.entry().get("data"), None);
    }
    let admin = Admin::with(&server, "read");
    let entries = || {
        let page = admin.get("/v1/audit").expect(200);
        let entries = page["entries"].as_array().expect("a list").clone();
        entries.into_iter().filter(|entry| entry["action"] == "live.payloads").collect::<Vec<_>>()
    };
    let opened = entries();
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert_eq!((&opened[0]["app"], &opened[0]["name"]), (&json!("3"), &json!("test")));
    let detail = &opened[0]["detail"];
    assert_eq!(detail["filter"], json!({"kinds": "event", "channel": "*"}));
    assert!(detail["from"].is_string() && detail.get("to").is_none(), "{detail}");
    drop(list);
    eventually("the end is in the audit log", || {
        let entries = entries();
        (entries.len() == 2
            && entries[0]["detail"]["from"] == detail["from"]
            && entries[0]["detail"]["to"].is_string())
        .then_some(())
    });
}

#[test]
fn con_032_and_con_016_a_session_has_two_lists_and_a_node_eight_and_who_asks_for_more_is_told_whose_they_are()
{
    let (server, _) = live("read");
    let made = |name: &str| {
        let made = server.commanded(&["token", "create", "--name", name, "--scope", "read", "--json"]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        made["token"].as_str().expect("a text").to_owned()
    };
    let names = ["ann", "bob", "cid", "dan"];
    let tokens = names.map(made);
    let refused = |token: &str, holders: &[&str]| {
        let answer = Admin::nobody(&server).bearing(token).get(LIVE);
        answer.refused(429, "too-many-taps", &[]);
        assert_eq!(answer.json["holders"], json!(holders));
    };
    let mut lists = vec![LiveList::open(&server, &tokens[0], ""), LiveList::open(&server, &tokens[0], "")];
    refused(&tokens[0], &["ann", "ann"]);
    for token in &tokens[1..] {
        lists.push(LiveList::open(&server, token, ""));
        lists.push(LiveList::open(&server, token, ""));
    }
    let eve = made("eve");
    refused(&eve, &["ann", "ann", "bob", "bob", "cid", "cid", "dan", "dan"]);
    let made =
        server.commanded(&["token", "create", "--name", "tenant", "--scope", "read", "--app", "3", "--json"]);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    // Tokens of others are nothing for one that is bound to apps (CON-016).
    refused(made["token"].as_str().expect("a text"), &["another token"; 8]);
    server.api().publish("a", "e", "x");
    for list in &mut lists {
        assert_eq!(list.entry()["kind"], "event");
    }
    lists.pop();
    let mut opened =
        eventually("the place of the closed list", || LiveList::try_open(&server, &eve, "", None));
    server.api().publish("a", "e", "x");
    assert_eq!(opened.entry()["kind"], "event");
}

#[test]
fn con_032_and_con_016_tokens_that_are_bound_to_apps_leave_places_to_operators() {
    let (server, token) = live("read");
    let made = |name: &str| {
        let made = ["token", "create", "--name", name, "--scope", "read", "--app", "3", "--json"];
        let made: Value = serde_json::from_str(&server.commanded(&made)).expect("JSON");
        made["token"].as_str().expect("a text").to_owned()
    };
    let tenants = ["ann", "bob", "cid"].map(made);
    let mut lists = Vec::new();
    for tenant in tenants.iter().chain(&tenants) {
        lists.push(LiveList::open(&server, tenant, ""));
    }
    Admin::nobody(&server).bearing(&made("dan")).get(LIVE).refused(429, "too-many-taps", &[]);
    lists.push(LiveList::open(&server, &token, ""));
    lists.push(LiveList::open(&server, &token, ""));
    server.api().publish("a", "e", "x");
    for list in &mut lists {
        assert_eq!(list.entry()["kind"], "event");
    }
}

#[test]
fn con_033_a_reader_who_comes_back_gets_what_came_meanwhile_and_else_is_told_of_a_gap() {
    let (server, token) = live("read");
    let mut api = server.api();
    let mut list = LiveList::open(&server, &token, "?kinds=event");
    let mut other = LiveList::open(&server, &token, "?kinds=event");
    api.publish("a", "one", "x");
    let one = list.entry();
    drop(list);
    for event in ["two", "three"] {
        api.publish("a", event, "x");
    }
    let last = one["id"].as_u64().expect("a number");
    let mut back =
        LiveList::try_open(&server, &token, "?kinds=event", Some(last)).expect("the place of before");
    let [two, three] = [back.entry(), back.entry()];
    assert_eq!([&two["event"], &three["event"]], ["two", "three"]);
    assert!(one["id"].as_u64() < two["id"].as_u64() && two["id"].as_u64() < three["id"].as_u64());
    drop(other.entry());
    drop((back, other));

    // Another filter is another list, of which nothing is known.
    let query = "?kinds=event&channel=a";
    let mut unknown =
        eventually("the readers have gone", || LiveList::try_open(&server, &token, query, Some(last)));
    let gap = unknown.message().expect("the stream goes on");
    assert_eq!(gap.event.as_deref(), Some("left_out"));
    assert_eq!(gap.data, json!({"count": null, "kinds": {}, "sample": false}));
    api.publish("a", "four", "x");
    assert_eq!(unknown.entry()["event"], "four");
}

#[test]
fn con_031_a_flood_is_shown_as_a_sample_with_true_counts_and_a_reader_who_stops_makes_nobody_wait() {
    let (server, token) = live("read,payloads");
    let stopped = LiveList::unread(&server, &token, "?kinds=event");
    let mut list = LiveList::open(&server, &token, "?kinds=event,client_event");
    assert_eq!(list.sees_a_flood(&mut server.api(), |_| ()), 0, "a lone node speaks of no others");
    drop(stopped);
}

#[test]
fn con_027_a_list_ends_with_its_token() {
    let (server, token) = live("read");
    let mut list = LiveList::open(&server, &token, "");
    let listed: Value = serde_json::from_str(&server.commanded(&["token", "list", "--json"])).expect("JSON");
    let tokens = listed["tokens"].as_array().or_else(|| listed.as_array()).expect("a list");
    let newest = tokens.iter().filter_map(|token| token["id"].as_i64()).max().expect("a token");
    server.commanded(&["token", "revoke", &newest.to_string()]);
    list.expect_end();
    Admin::nobody(&server).bearing(&token).get(LIVE).refused(401, "wrong-token", &[]);
}

#[test]
fn con_027_a_list_shows_nothing_that_happens_after_its_token_was_revoked_or_its_session_logged_out() {
    let (server, revoked) = live("read");
    let mut of_token = LiveList::open(&server, &revoked, "?kinds=event");
    let browser = Browser::logged_in(&server, "read");
    let cookie = format!("Cookie: {}\r\n", browser.cookie.as_ref().expect("a session"));
    let mut of_session = LiveList::with_headers(server.admin, "?kinds=event", &cookie);
    let write = token(&server, "read,write");
    let writer = Admin::nobody(&server).bearing(&write);
    let mut other = LiveList::open(&server, &write, "?kinds=event");
    let number = Admin::nobody(&server).bearing(&revoked).get("/v1/session").expect(200)["token"].take();
    writer.delete(&format!("/v1/tokens/{number}")).expect(204);
    assert_eq!(browser.send("DELETE", "/v1/session", "").head.status, 204);
    server.api().publish("a", "later", "x");
    of_token.expect_end();
    of_session.expect_end();
    assert_eq!(other.entry()["event"], "later");
}

#[test]
fn con_016_and_con_027_a_list_ends_with_its_app_also_where_a_new_one_gets_its_id() {
    let (server, token) = live("read,write");
    let scopes = ["token", "create", "--name", "n", "--scope", "read", "--app", "3", "--json"];
    let made: Value = serde_json::from_str(&server.commanded(&scopes)).expect("JSON");
    let mut bound = LiveList::open(&server, made["token"].as_str().expect("a text"), "");
    let mut list = LiveList::open(&server, &token, "");
    let admin = Admin::nobody(&server).bearing(&token);
    admin.delete("/v1/apps/3").expect(204);
    while list.message().is_some() {}
    admin.post("/v1/apps", r#"{"id":"3"}"#).expect(201);
    while bound.message().is_some() {}
    admin.get("/v1/apps/3").expect(200);
}

#[test]
fn con_024_a_list_is_no_client_and_con_032_its_place_is_free_again() {
    let (server, token) = live("read");
    let before = server.metric("fanfare_connections_capacity");
    let list = LiveList::open(&server, &token, "");
    server.expect_metric(r#"fanfare_connections{app="3"}"#, 0.0);
    assert!((server.metric("fanfare_connections_capacity") - before).abs() < f64::EPSILON);
    drop(list);
}

#[test]
fn con_028_how_long_a_connection_was_open_is_told_in_milliseconds_not_in_whole_seconds() {
    let (server, token) = live("read");
    let mut list = LiveList::open(&server, &token, "?kinds=closed");
    eventually("a connection that was not open for whole seconds", || {
        drop(server.connect());
        let lasted = list.entry()["milliseconds"].as_u64().expect("a number");
        (!lasted.is_multiple_of(1000)).then_some(())
    });
}
