//! Connections and signed-in users, as operators see and close them (CON-020, CON-022, CON-047).

use serde_json::{Value, json};

use crate::inspect_channels::{field, inspected, paged};
use crate::support::admin::Admin;
use crate::support::echo::Echo;
use crate::support::fallback::Fallback;
use crate::support::{APP, eventually};

const CONNECTIONS: &str = "/v1/apps/3/connections";
const USERS: &str = "/v1/apps/3/users";

/// The sockets of a list.
fn sockets(admin: &Admin, query: &str) -> Vec<String> {
    let answer = admin.get(&format!("{CONNECTIONS}{query}")).expect(200);
    let sockets = field(&answer, "connections", "socket");
    sockets.iter().map(|socket| socket.as_str().expect("a text").to_owned()).collect()
}

/// The app, the action and the detail of the audit log's newest entry.
fn newest_entry(admin: &Admin) -> Value {
    let entry = &admin.get("/v1/audit?limit=1").expect(200)["entries"][0];
    json!([entry["app"], entry["action"], entry["detail"]])
}

/// Checks which connections of the test below the parameters find; `id` is that of user 42.
#[track_caller]
fn expect_narrowed(admin: &Admin, id: &str) {
    assert_eq!(sockets(admin, "?user=42"), [id]);
    assert_eq!(sockets(admin, "?user=42&channel=private-b&address=127.0.0.1"), [id]);
    assert_eq!(sockets(admin, "?address=127.0.0.1").len(), 3);
    for query in ["?user=43", "?channel=b", "?address=127.0.0.2", "?user=42&channel=a", "?address=::1"] {
        assert!(sockets(admin, query).is_empty(), "{query}");
    }
    admin.get(&format!("{CONNECTIONS}?address=x&after=y")).refused(
        400,
        "faulty-query",
        &["address is not an IP address", "after is not the next of a page of this list"],
    );
}

#[test]
fn con_020_connections_of_every_transport_are_listed_as_they_are_now() {
    let (server, admin) = inspected("read");
    let mut socket = server.connect();
    let mut streams = Fallback::streaming(&server);
    let mut echo = Echo::connect(&server, 4);
    socket.subscribe("a");
    socket.subscribe_private(APP, "private-b");
    socket.sign_in(APP, r#"{"id":"42","user_info":{"name":"Ada"}}"#);
    streams.subscribe("a");
    echo.subscribe("a");
    let (all, mut rows) = eventually("the subscription of Socket.IO", || {
        let answer = admin.get(&format!("{CONNECTIONS}?channel=a")).expect(200);
        let rows = answer["connections"].as_array().expect("a list").clone();
        (rows.len() == 3).then_some((answer, rows))
    });
    assert_eq!((&all["total"], &all["of"], &all["next"]), (&json!(3), &json!("this node"), &Value::Null));
    assert!(!all.to_string().contains("Ada"), "what users tell of themselves is in no list");
    rows.sort_by_key(|row| row["transport"].to_string());
    for row in &mut rows {
        assert!(row["since"].as_str().is_some_and(|at| at.len() == 24 && at.ends_with('Z')), "{row}");
        for nothing in ["client", "version", "key", "last_message_at"] {
            assert_eq!(row[nothing], Value::Null);
        }
    }
    let told = |row: &Value| {
        json!([
            row["transport"],
            row["protocol"],
            row["address"],
            row["tls"],
            row["user"],
            row["subscriptions"]
        ])
    };
    assert_eq!(
        rows.iter().map(told).collect::<Vec<_>>(),
        [
            json!(["socket_io_websocket", null, "127.0.0.1", false, null, 1]),
            json!(["ws", 7, "127.0.0.1", false, "42", 2]),
            json!(["xhr_streaming", 7, "127.0.0.1", false, null, 1]),
        ]
    );
    let mut shown = admin.get(&format!("{CONNECTIONS}/{}", socket.id)).expect(200);
    assert_eq!(shown["channels"].take(), json!(["a", "private-b"]));
    socket.unsubscribe("a");
    eventually("the channel was left", || {
        let shown = admin.get(&format!("{CONNECTIONS}/{}", socket.id)).expect(200);
        (shown["channels"] == json!(["private-b"]) && shown["subscriptions"] == 1).then_some(())
    });
    for unknown in ["1.1", "x"] {
        admin.get(&format!("{CONNECTIONS}/{unknown}")).refused(404, "no-such-connection", &[]);
    }
    expect_narrowed(&admin, &socket.id);
}

#[test]
fn con_022_connections_and_users_are_listed_in_pages_and_who_stays_is_on_one() {
    let (server, admin) = inspected("read");
    let mut stay: Vec<_> = (0..7).map(|_| server.connect()).collect();
    for (number, socket) in stay.iter_mut().enumerate() {
        socket.sign_in(APP, &format!(r#"{{"id":"user-{}"}}"#, number / 2));
    }
    let goes = server.connect();
    let first = admin.get(&format!("{CONNECTIONS}?limit=3")).expect(200);
    assert_eq!(first["total"], 8);
    let mut found = field(&first, "connections", "socket");
    drop(goes);
    let _comes = server.connect();
    let next = first["next"].as_str().expect("more");
    let rest = admin.get(&format!("{CONNECTIONS}?limit=200&after={next}")).expect(200);
    assert_eq!(rest["next"], Value::Null);
    found.extend(field(&rest, "connections", "socket"));
    for socket in &stay {
        assert_eq!(found.iter().filter(|id| **id == *socket.id).count(), 1);
    }
    let rows = paged(&admin, &format!("{USERS}?prefix=user-&"), "users", 2);
    let told: Vec<Value> = rows.iter().map(|row| json!([row["user"], row["connections"]])).collect();
    assert_eq!(
        told,
        [json!(["user-0", 2]), json!(["user-1", 2]), json!(["user-2", 2]), json!(["user-3", 1])]
    );
    assert!(rows[0]["since"].as_str().is_some_and(|at| at.ends_with('Z')));
    let none = admin.get(&format!("{USERS}?prefix=userx")).expect(200);
    assert_eq!((&none["users"], &none["total"]), (&json!([]), &json!(0)));
    let some = admin.get(&format!("{USERS}?prefix=user-&limit=2")).expect(200);
    assert_eq!((&some["total"], &some["more_than"]), (&json!(4), &Value::Null));
    assert_eq!(paged(&admin, &format!("{CONNECTIONS}?user=user-1&"), "connections", 1).len(), 2);
    assert_eq!(paged(&admin, &format!("{CONNECTIONS}?address=127.0.0.1&"), "connections", 3).len(), 8);
}

#[test]
fn con_047_a_connection_is_closed_with_the_code_that_was_asked_for_and_the_log_says_by_whom() {
    let (server, admin) = inspected("read,operate");
    let mut ended = server.connect();
    let mut returns = Fallback::streaming(&server);
    let mut echo = Echo::connect(&server, 4);
    let transport = |name: &str| {
        let answer = admin.get(CONNECTIONS).expect(200);
        let rows = answer["connections"].as_array().expect("a list");
        let row = rows.iter().find(|row| row["transport"] == name).expect("a connection");
        row["socket"].as_str().expect("a text").to_owned()
    };
    let path = |socket: &str, code: &str| format!("{CONNECTIONS}/{socket}{code}");
    let missing = &["code is missing: 4200, or 4009"];
    admin.delete(&path(&ended.id, "")).refused(400, "faulty-query", missing);
    admin.delete(&path(&ended.id, "?code=4100")).refused(
        400,
        "faulty-query",
        &["code is not one of 4200, 4009"],
    );
    admin.delete(&path("1.1", "?code=4200")).refused(404, "no-such-connection", &[]);

    admin.delete(&path(&ended.id, "?code=4009")).expect(204);
    ended.expect_close(4009, "Closed by an operator of the server");
    let detail = json!({"socket": ended.id, "code": 4009});
    assert_eq!(newest_entry(&admin), json!(["3", "connection.close", detail]));
    admin.delete(&path(&transport("xhr_streaming"), "?code=4200")).expect(204);
    returns.expect_close(4200, "Closed by an operator of the server, reconnect");
    admin.delete(&path(&transport("socket_io_websocket"), "?code=4200")).expect(204);
    echo.expect_closed(true);
    eventually("they are gone from the list", || sockets(&admin, "").is_empty().then_some(()));
}

#[test]
fn con_047_all_connections_of_a_user_are_closed_with_4009() {
    let (server, admin) = inspected("read,operate");
    let (mut one, mut two, mut other) = (server.connect(), server.connect(), server.connect());
    for (socket, user) in [(&mut one, "a;b"), (&mut two, "a;b"), (&mut other, "c")] {
        socket.sign_in(APP, &format!(r#"{{"id":"{user}"}}"#));
    }
    let answer = admin.post(&format!("{USERS}/a%3Bb/terminate"), "").expect(200);
    assert_eq!((&answer["closed"], &answer["of"]), (&json!(2), &json!("this node")));
    for socket in [&mut one, &mut two] {
        socket.expect_close(4009, "You got disconnected by the app.");
    }
    other.expect_nothing_more();
    let detail = json!({"user": "a;b", "connections": 2});
    assert_eq!(newest_entry(&admin), json!(["3", "user.terminate", detail]));
    assert_eq!(admin.post(&format!("{USERS}/nobody/terminate"), "").expect(200)["closed"], 0);
}

#[test]
fn con_047_a_user_whose_id_cannot_be_a_segment_of_a_path_is_named_in_the_query() {
    let (server, admin) = inspected("read,operate");
    let mut socket = server.connect();
    socket.sign_in(APP, r#"{"id":".."}"#);
    let path = format!("{USERS}/-/terminate?name=..");
    assert_eq!(admin.post(&path, "").expect(200)["closed"], 1);
    socket.expect_close(4009, "You got disconnected by the app.");
    assert_eq!(newest_entry(&admin), json!(["3", "user.terminate", {"user": "..", "connections": 1}]));
    admin.post(&format!("{USERS}/c/terminate?name=.."), "").refused(
        400,
        "faulty-query",
        &["name is given, but the path does not have - in its place"],
    );
}

#[test]
fn con_015_closing_needs_the_scope_operate_and_con_086_a_bound_token_closes_in_its_own_apps_alone() {
    let (server, _) = inspected("read");
    let everything_else = Admin::with(&server, "read,write,secrets,publish,payloads");
    let made = ["--scope", "read,operate", "--app", "44", "--json"];
    let made = server.commanded(&[&["token", "create", "--name", "t"][..], &made].concat());
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let tenant = Admin::nobody(&server).bearing(made["token"].as_str().expect("a token"));
    let mut socket = server.connect();
    socket.sign_in(APP, r#"{"id":"42"}"#);
    for app in ["3", "44"] {
        let path = |rest: &str| format!("/v1/apps/{app}/{rest}");
        let close = path(&format!("connections/{}?code=4009", socket.id));
        everything_else.delete(&close).refused(403, "scope-missing", &[]);
        everything_else.post(&path("users/42/terminate"), "").refused(403, "scope-missing", &[]);
        let missing = if app == "3" { "no-such-app" } else { "no-such-connection" };
        tenant.delete(&close).refused(404, missing, &[]);
    }
    for path in ["connections", "users"] {
        tenant.get(&format!("/v1/apps/3/{path}")).refused(404, "no-such-app", &[]);
        let own = tenant.get(&format!("/v1/apps/44/{path}")).expect(200);
        assert_eq!(own[path], json!([]), "nothing of another app");
    }
    tenant.post("/v1/apps/3/users/42/terminate", "").refused(404, "no-such-app", &[]);
    assert_eq!(tenant.post("/v1/apps/44/users/42/terminate", "").expect(200)["closed"], 0);
    socket.expect_nothing_more();
}
