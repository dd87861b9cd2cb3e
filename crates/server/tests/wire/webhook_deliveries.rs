//! The last deliveries of each URL, as operators and back ends see them (CON-054).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::application::Reply;
use crate::support::receiver::Receiver;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, eventually};
use crate::webhook_tests::{test_by_api, webhook};

const EVENTS: &[&str] = &["channel_existence"];

/// The webhooks with their deliveries, through the HTTP API.
#[track_caller]
pub fn deliveries(server: &TestServer) -> Value {
    let answer = server.api().get("/webhooks/deliveries", &[]);
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"))
}

/// The rows of the first webhook, once they are so.
#[track_caller]
fn rows(server: &TestServer, are_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    eventually("the deliveries", || {
        let rows = deliveries(server)["webhooks"][0]["deliveries"].as_array().expect("a list").clone();
        are_so(&rows).then_some(rows)
    })
}

#[test]
fn con_054_each_attempt_is_told_with_its_cause_and_whether_it_is_tried_again_and_nothing_it_carried() {
    let receiver = Receiver::saying(|number| match number {
        0 => Reply::Body(500, "what the receiver says"),
        1 => Reply::Raw(Vec::new()),
        _ => Reply::Body(204, ""),
    });
    let server = Setup::bare().config("[webhooks]\nretry = 1").app(APP, &receiver.setting(EVENTS)).start();
    server.connect().subscribe("news");
    let mut rows = rows(&server, |rows| rows.len() == 3);
    let mut answer = deliveries(&server);
    for row in &mut rows {
        assert!(row["at"].as_str().is_some_and(|at| at.len() == 24 && at.ends_with('Z')), "{row}");
        assert!(row["ms"].is_u64() && row["id"].is_string() && row["node"].is_string(), "{row}");
        assert_eq!(
            (&row["events"], &row["count"], &row["test"]),
            (&json!(["channel_occupied"]), &json!(1), &json!(false))
        );
    }
    let told = |row: &Value| json!([row["attempt"], row["status"], row["error"]["cause"], row["again"]]);
    let told: Vec<Value> = rows.iter().map(told).collect();
    assert_eq!(
        told,
        [json!([3, 204, null, false]), json!([2, null, "broken", true]), json!([1, 500, "status", true])]
    );
    let requests: BTreeSet<&str> = rows.iter().filter_map(|row| row["request"].as_str()).collect();
    assert!(requests.len() == 1 && requests.iter().all(|id| id.len() == 16), "one request: {requests:?}");
    let webhook = &mut answer["webhooks"][0];
    assert_eq!(
        (&webhook["number"], &webhook["url"], &webhook["enabled"], &webhook["works"], &webhook["waiting"]),
        (&json!(1), &json!(receiver.url()), &json!(true), &json!(true), &json!(0))
    );
    assert_eq!(webhook["since"], rows[0]["at"], "since the first answer of 2xx behind failures");
    assert_eq!((&answer["nodes"].as_array().map(Vec::len), &answer["missing"]), (&Some(1), &json!([])));
    for hidden in ["news", "what the receiver", APP.secret, "signature"] {
        assert!(!answer.to_string().contains(hidden), "{hidden} is in {answer}");
    }
}

#[test]
fn con_054_a_request_that_is_given_up_is_not_tried_again_and_what_waits_is_counted() {
    let refuses = Receiver::saying(|_| Reply::Body(404, ""));
    let config = "[webhooks]\nretry = 60000\ngive_up = 50000";
    let server = Setup::bare().config(config).app(APP, &refuses.setting(EVENTS)).start();
    server.connect().subscribe("a");
    let given_up = &rows(&server, |rows| rows.len() == 1)[0];
    assert_eq!((&given_up["again"], &given_up["attempt"]), (&json!(false), &json!(1)));
    let webhook = deliveries(&server)["webhooks"][0].take();
    assert_eq!((&webhook["works"], &webhook["since"]), (&json!(false), &given_up["at"]));
    let hangs = Receiver::hanging();
    let server = Setup::with_app(&hangs.setting(EVENTS)).start();
    let mut socket = server.connect();
    for channel in ["a", "b", "c"] {
        socket.subscribe(channel);
    }
    eventually("three events wait", || {
        let webhook = deliveries(&server)["webhooks"][0].take();
        assert_eq!((&webhook["works"], &webhook["deliveries"]), (&Value::Null, &json!([])));
        (webhook["waiting"] == 3).then_some(())
    });
    hangs.let_go();
}

#[test]
fn con_054_fifty_are_kept_of_each_url_while_the_url_is_in_the_settings_and_are_gone_with_it() {
    let (receiver, quiet) = (Receiver::new(), Receiver::new());
    let server = Setup::bare().start();
    let admin = Admin::with(&server, "read,write");
    let webhooks = |events: &[&str], is_second_on: bool| {
        json!([
            {"url": receiver.url(), "events": events},
            {"url": quiet.url(), "events": ["cache_miss"], "enabled": is_second_on},
        ])
    };
    let settings = json!({ "webhooks": webhooks(EVENTS, true) });
    let body = json!({"id": APP.id, "key": APP.key, "secret": APP.secret, "settings": settings});
    admin.post("/v1/apps", &body.to_string()).expect(201);
    server.expect_app_known();
    let mut socket = server.connect();
    for number in 0..60 {
        socket.subscribe(&format!("c{number}"));
    }
    receiver.requests(60);
    let full =
        rows(&server, |rows| rows.iter().any(|row| row["id"].as_str().is_some_and(|id| id.ends_with("60"))));
    assert_eq!(full.len(), 50);
    let requests: BTreeSet<&str> = full.iter().filter_map(|row| row["request"].as_str()).collect();
    assert_eq!(requests.len(), 50, "each is a request of its own");
    assert_eq!(deliveries(&server)["webhooks"][1]["deliveries"], json!([]), "the other URL has its own");
    // What operators see with these settings, once they are so.
    let set = |webhooks: Value, are_so: &dyn Fn(&Value) -> bool| {
        let body = json!({"settings": {"webhooks": webhooks}});
        admin.patch("/v1/apps/3", &body.to_string()).expect(200);
        eventually("the settings", || {
            let shown = admin.get("/v1/apps/3/webhooks/deliveries").expect(200)["webhooks"].take();
            are_so(&shown).then_some(shown)
        })
    };
    let other = set(webhooks(&["presence"], false), &|shown| shown[1]["enabled"] == false);
    assert!(other[0]["deliveries"] == json!(full), "other settings, the same URL: {other}");
    set(json!([]), &|shown| *shown == json!([]));
    let again = set(webhooks(EVENTS, true), &|shown| shown[1]["enabled"] == true);
    assert_eq!((&again[0]["deliveries"], &again[0]["works"]), (&json!([]), &Value::Null));
}

#[test]
fn con_054_operators_see_deliveries_with_the_scope_read_alone() {
    let server = Setup::bare().start();
    let path = "/v1/apps/7/webhooks/deliveries";
    Admin::with(&server, "write").post("/v1/apps", r#"{"id":"7"}"#).expect(201);
    let reader = Admin::with(&server, "read");
    let mut answer = reader.get(path).expect(200);
    let node = answer["node"].take();
    let expected = json!({
        "webhooks": [], "backlog": "counted", "of": "this node", "node": null, "nodes": [node], "missing": [],
    });
    assert_eq!(answer, expected);
    reader.get("/v1/apps/8/webhooks/deliveries").refused(404, "no-such-app", &[]);
    reader.get(&format!("{path}?limit=1")).refused(
        400,
        "faulty-query",
        &["unknown query parameter limit; there are none here"],
    );
    Admin::with(&server, "write,publish").get(path).refused(403, "scope-missing", &[]);
    Admin::nobody(&server).get(path).refused(401, "no-token", &[]);
}

#[test]
fn con_054_the_command_shows_a_table_for_each_url() {
    let refuses = Receiver::saying(|_| Reply::Body(404, ""));
    let server = Setup::with_app(&refuses.setting(EVENTS)).start();
    let before = webhook(&server, &["deliveries", APP.id]);
    assert_eq!(before.status, 0, "{}", before.stderr);
    assert_eq!(before.stdout, format!("{}: nothing sent yet\n", refuses.url()));
    let tested = test_by_api(&server, &refuses.url());
    let at = tested["at"].as_str().expect("a time");
    let shown = webhook(&server, &["deliveries", APP.id]).stdout;
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], format!("{}: fails since {at}", refuses.url()));
    let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(cells(lines[1]), ["at", "node", "events", "attempt", "answer", "ms", "again"]);
    let row = cells(lines[2]);
    assert_eq!(
        (&*row[0], &*row[2], &*row[3], &*row[4], row.len()),
        (at, "channel_occupied", "test", "404", 6)
    );
    let json: Value =
        serde_json::from_str(&webhook(&server, &["deliveries", APP.id, "--json"]).stdout).expect("JSON");
    assert_eq!(json["webhooks"][0]["deliveries"][0]["test"], json!(true));
    let nobody = Setup::new().start();
    assert_eq!(
        webhook(&nobody, &["deliveries", APP.id]).stdout,
        format!("App {} has no webhooks.\n", APP.id)
    );
}
