//! One search for whatever has a name (CON-046).

use serde_json::{Value, json};

use crate::cluster_lists::{is_of_both, once, pair};
use crate::inspect_channels::{field, inspected};
use crate::support::admin::Admin;
use crate::support::{APP, OTHER, eventually};

const SEARCH: &str = "/v1/apps/3/search";

/// What is found in the app: the names of channels, the sockets, the users.
fn found(admin: &Admin, text: &str) -> Value {
    let answer = admin.get(&format!("{SEARCH}?q={text}")).expect(200);
    let names = |(list, name): (&str, &str)| json!(field(&answer, list, name));
    [("channels", "name"), ("connections", "socket"), ("users", "user")].map(names).into_iter().collect()
}

/// The apps that are found. There is one of which nobody knows the id: the one that a server makes on its first start.
fn apps(admin: &Admin, path: &str, text: &str) -> Vec<Value> {
    field(&admin.get(&format!("{path}?q={text}")).expect(200), "apps", "id")
}

#[test]
fn con_046_a_search_finds_channels_users_and_apps_by_a_beginning_and_connections_by_their_socket() {
    let (server, admin) = inspected("read");
    let (mut socket, mut other) = (server.connect(), server.connect_to(OTHER));
    socket.subscribe_private(APP, "private-4x");
    socket.subscribe("4");
    socket.sign_in(APP, r#"{"id":"42","user_info":{"name":"Ada"}}"#);
    other.subscribe("4-of-another-app");
    eventually("the sign-in", || (found(&admin, "4") == json!([["4"], [], ["42"]])).then_some(()));
    assert_eq!(found(&admin, "private-"), json!([["private-4x"], [], []]));
    assert_eq!(found(&admin, &socket.id), json!([[], [socket.id], []]));
    assert_eq!(found(&admin, &other.id), json!([[], [], []]), "a socket of another app");
    for path in [SEARCH, "/v1/search"] {
        assert_eq!(apps(&admin, path, "3")[0], "3", "the exact one first");
        assert!(apps(&admin, path, "4").contains(&json!(OTHER.id)));
    }
    assert!(admin.get("/v1/search?q=4").expect(200)["channels"].is_null(), "no app was asked for");
    let answer = admin.get(&format!("{SEARCH}?q={}", socket.id)).expect(200);
    let row = &answer["connections"][0];
    assert_eq!((&row["user"], &row["channels"]), (&json!("42"), &Value::Null), "a row as of the list");
    assert_eq!((&answer["of"], &answer["missing"]), (&json!("this node"), &json!([])));
    assert!(!answer.to_string().contains("Ada"), "what users tell of themselves is in no list");
}

#[test]
fn con_046_of_each_kind_ten_are_found_and_the_answer_says_where_there_are_more() {
    let (server, admin) = inspected("read,write");
    let mut sockets: Vec<_> = (0..12).map(|_| server.connect()).collect();
    for (at, socket) in sockets.iter_mut().enumerate() {
        socket.subscribe(&format!("zz{at:02}"));
        socket.sign_in(APP, &format!(r#"{{"id":"zz{at:02}"}}"#));
        admin.post("/v1/apps", &format!(r#"{{"id":"zz{at:02}"}}"#)).expect(201);
    }
    let answer = eventually("all users", || {
        let answer = admin.get(&format!("{SEARCH}?q=zz")).expect(200);
        (answer["more"] == json!(["channels", "users", "apps"])).then_some(answer)
    });
    let names: Vec<String> = (0..10).map(|at| format!("zz{at:02}")).collect();
    for (list, name) in [("channels", "name"), ("users", "user"), ("apps", "id")] {
        assert_eq!(json!(field(&answer, list, name)), json!(names), "{list}");
    }
    assert_eq!(admin.get(&format!("{SEARCH}?q=zz11")).expect(200)["more"], json!([]));
}

#[test]
fn con_046_a_text_of_whatever_kind_is_searched_for_or_refused() {
    let (_server, admin) = inspected("read");
    for text in [
        "%25",
        "%27%20OR%201=1--",
        "%3Cscript%3E",
        "%E2%80%AE",
        "%FF%FE",
        "..%2F..",
        "1.",
        "-1.-1",
        "99999999999999999999.1",
    ] {
        for path in [SEARCH, "/v1/search"] {
            assert!(apps(&admin, path, text).is_empty(), "{path} {text}");
        }
    }
    let fault = "q is not a text of at most 200 bytes, without NUL";
    for text in ["%00".to_owned(), "x".repeat(201)] {
        admin.get(&format!("{SEARCH}?q={text}")).refused(400, "faulty-query", &[fault]);
    }
    assert_eq!(found(&admin, &"x".repeat(200)), json!([[], [], []]));
    let missing = "q is missing: what is searched for";
    admin.get("/v1/search?q=").refused(400, "faulty-query", &[missing]);
    let unknown = "unknown query parameter limit; there are q";
    admin.get("/v1/search?limit=7").refused(400, "faulty-query", &[unknown, missing]);
}

#[test]
fn con_016_con_046_and_con_086_a_bound_token_finds_nothing_of_another_app() {
    let (server, admin) = inspected("read,write");
    admin.patch(&format!("/v1/apps/{}", OTHER.id), r#"{"name":"shop of somebody"}"#).expect(200);
    let mut other = server.connect_to(OTHER);
    other.subscribe("shop");
    let made =
        server.commanded(&["token", "create", "--name", "tenant", "--scope", "read", "--app", "3", "--json"]);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let tenant = Admin::nobody(&server).bearing(made["token"].as_str().expect("a token"));
    for text in ["shop", OTHER.id, &other.id] {
        assert_eq!(found(&tenant, text), json!([[], [], []]), "{text}");
        assert!(
            apps(&tenant, SEARCH, text).is_empty() && apps(&tenant, "/v1/search", text).is_empty(),
            "{text}"
        );
        tenant.get(&format!("/v1/apps/{}/search?q={text}", OTHER.id)).refused(404, "no-such-app", &[]);
    }
    assert_eq!(apps(&tenant, "/v1/search", "3"), ["3"]);
    assert_eq!(apps(&admin, "/v1/search", "SHOP"), [OTHER.id]);
    Admin::with(&server, "write").get(&format!("{SEARCH}?q=x")).refused(403, "scope-missing", &[]);
}

#[test]
fn con_026_and_con_046_a_search_at_any_node_finds_what_each_of_them_has() {
    let pair = pair();
    let (mut here, mut there) = (pair.one.connect(), pair.two.connect());
    here.subscribe("shop-here");
    there.subscribe("shop-there");
    here.sign_in(APP, r#"{"id":"shop-a"}"#);
    there.sign_in(APP, r#"{"id":"shop-b"}"#);
    for admin in [&pair.at_one, &pair.at_two] {
        let answer = once(admin, "search?q=shop-", |answer| {
            is_of_both(answer)
                && field(answer, "channels", "name") == ["shop-here", "shop-there"]
                && field(answer, "users", "user") == ["shop-a", "shop-b"]
        });
        assert_eq!((&answer["missing"], &answer["more"]), (&json!([]), &json!([])));
        for (socket, node) in [(&here, "one"), (&there, "two")] {
            let answer = once(admin, &format!("search?q={}", socket.id), |answer| {
                answer["connections"].as_array().map(Vec::len) == Some(1)
            });
            assert_eq!(answer["connections"][0]["node"], node);
        }
    }
}
