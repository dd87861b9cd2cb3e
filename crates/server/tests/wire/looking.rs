//! Who looks is no client, and is counted nowhere (CON-024); a list that is not read ends (CON-032).

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::admin::{Admin, token};
use crate::support::http::Http;
use crate::support::live::LiveList;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, eventually_within};

/// Longer than a list may be left unread, half a minute, also on a busy machine.
const LONG: Duration = Duration::from_secs(150);

/// Every route that is asked by GET and has an end, about the app of the reference.
fn routes(server: &TestServer) -> Vec<String> {
    let document: Value = serde_json::from_str(&server.admin("/v1/openapi.json").body).expect("JSON");
    let paths = document["paths"].as_object().expect("an object");
    let asked = paths.iter().filter(|(path, item)| item.get("get").is_some() && !path.ends_with("/live"));
    let named = |path: &String| {
        path.replace("{id}", APP.id)
            .replace("{name}", "news")
            .replace("{socket}", "1.1")
            .replace(['{', '}'], "")
    };
    asked.map(|(path, _)| named(path)).collect()
}

/// A browser's headers of a session that has just begun.
fn cookie(server: &TestServer, token: &str) -> String {
    let body = json!({ "token": token }).to_string();
    let mut http = Http::connect(server.admin);
    let head = "POST /v1/session HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin";
    http.write(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    let answer = http.answer();
    let set = answer.head.header("set-cookie").unwrap_or_else(|| panic!("{answer:?}"));
    format!("Cookie: {}\r\nSec-Fetch-Site: same-origin\r\n", set.split(';').next().expect("a value"))
}

/// All that is said of the app where apps are counted.
fn counts(server: &TestServer, admin: &Admin) -> Value {
    let metrics = server.public("/metrics").body + &server.admin("/metrics").body;
    let of_app: Vec<&str> =
        metrics.lines().filter(|line| line.contains(&format!("app=\"{}\"", APP.id))).collect();
    let said = |path: &str| admin.get(&format!("/v1/apps/3/{path}")).expect(200);
    let stats = said("stats");
    let names = ["connections", "subscriptions", "users", "events", "deliveries", "refusals"];
    json!({
        "metrics": of_app,
        "usage": said("usage?hours=1")["total"],
        "stats": names.map(|name| stats[name].clone()),
        "keys": said("keys")["keys"],
        "traces": said("traces"),
        "refusals": said("refusals"),
    })
}

#[test]
fn con_024_requests_cookies_and_live_lists_count_in_no_quota_usage_metric_or_live_entry_of_an_app() {
    let server = TestServer::with_stored_app(&["max_connections=1", "messages_per_day=1"]);
    let scopes = "read,payloads,publish,operate,secrets";
    let (reader, looker) = (token(&server, scopes), token(&server, scopes));
    let admin = Admin::nobody(&server).bearing(&looker);
    let mut list = LiveList::open(&server, &reader, "");
    let before = counts(&server, &admin);

    let headers = cookie(&server, &looker);
    let _streams = [
        LiveList::open(&server, &reader, "?kinds=event"),
        LiveList::with_headers(server.admin, "", &headers),
    ];
    let bearer = format!("Authorization: Bearer {looker}\r\n");
    let without_leave = format!("Authorization: Bearer {}\r\n", token(&server, "write"));
    let mut answered = 0;
    for path in routes(&server) {
        for headers in [&bearer, &headers, &without_leave] {
            for query in ["", "?no=such"] {
                let request = format!("GET {path}{query} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
                let mut http = Http::connect(server.admin);
                http.write(request.as_bytes());
                answered += usize::from(http.answer().head.status == 200);
            }
        }
    }
    assert!(answered > 30, "{answered} requests were answered");
    assert_eq!(counts(&server, &admin), before);

    // The one connection and the one message of the quotas are still there, and are the first that the list tells of.
    let mut socket = server.connect();
    socket.subscribe("news");
    server.api().publish("news", "e", "x");
    socket.expect_event("news", "e", "x");
    for kind in ["connected", "occupied", "subscribed", "event"] {
        assert_eq!(list.entry()["kind"], kind);
    }
}

/// A server whose connections are given up when an answer is unread for this long, with two lists of one token that are not
/// read, and the token.
fn unread(http_write: u32) -> (TestServer, [Http; 2], String) {
    let server = Setup::new()
        .config(&format!("[apps]\ndatabase = \"sqlite\"\n[timeouts]\nhttp_write = {http_write}\n"))
        .start();
    let token = token(&server, "read,payloads");
    let lists = [(); 2].map(|()| LiveList::unread(&server, &token, "?kinds=event"));
    (server, lists, token)
}

/// Fills the lists, waits for the place of one of them, and reads a list in that place.
fn expect_place(server: &TestServer, token: &str) {
    assert!(LiveList::try_open(server, token, "", None).is_none(), "both places are taken");
    let events = (0..10).map(|_| format!(r#"{{"name":"e","channel":"a","data":"{}"}}"#, "x".repeat(8000)));
    let batch = format!(r#"{{"batch":[{}]}}"#, events.collect::<Vec<_>>().join(","));
    let mut api = server.api();
    for _ in 0..60 {
        assert_eq!(api.post("/batch_events", batch.clone()).head.status, 200);
    }
    let mut list = eventually_within(LONG, "the place of a list that is not read", || {
        LiveList::try_open(server, token, "?kinds=event", None)
    });
    api.publish("a", "last", "x");
    assert_eq!(list.entry()["event"], "last");
}

#[test]
fn con_032_a_list_that_is_not_read_for_half_a_minute_ends_and_its_place_is_free() {
    // The connection itself would stay for longer.
    let (server, _lists, token) = unread(3600);
    expect_place(&server, &token);
}

#[test]
fn con_032_the_place_of_a_list_is_free_when_its_connection_was_given_up() {
    let (server, lists, token) = unread(1);
    expect_place(&server, &token);
    drop(lists);
}
