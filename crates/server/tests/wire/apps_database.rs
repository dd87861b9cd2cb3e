//! Operators' view while the apps' database is away.

use serde_json::json;

use crate::support::admin::Admin;
use crate::support::setup::{Setup, binary, run};
use crate::support::{APP, eventually};
use fanfare_testing::postgres::Postgres;

const UP: &str = "fanfare_apps_database_up";
const WRITABLE: &str = "fanfare_apps_database_writable";
const UNAUDITED: &str = "fanfare_audit_entries_lost_total";

#[test]
fn a_node_whose_database_is_away_is_ready_and_says_so() {
    let mut database = Postgres::start();
    let url = database.url();
    let server = Setup::bare().env("DATABASE_URL", &url).start();
    let arguments = ["token", "create", "--name", "t", "--scope", "read,write", "--json"];
    let made = run(binary(server.folder()).args(arguments).env("DATABASE_URL", &url));
    let made: serde_json::Value = serde_json::from_str(&made.stdout).expect("JSON");
    let admin = Admin::nobody(&server).bearing(made["token"].as_str().expect("a text"));
    let app = json!({"id": APP.id, "key": APP.key, "secret": APP.secret});
    admin.post("/v1/apps", &app.to_string()).expect(201);
    eventually("the new app is known", || {
        (server.api().get("/channels", &[]).head.status == 200).then_some(())
    });
    assert_eq!(server.admin("/ready").body, "ready\n");
    server.expect_metric(UP, 1.0);

    database.kill();
    let sentence = eventually("it is told that the database is away", || {
        Some(server.admin("/ready")).filter(|answer| answer.body != "ready\n")
    });
    assert_eq!(sentence.head.status, 200, "a node that serves what it knows stays in the balancer");
    let since = sentence.body.strip_prefix("ready; the apps' database is away since ");
    let since = since.and_then(|rest| rest.strip_suffix("s, apps in use go on\n"));
    assert!(since.is_some_and(|seconds| seconds.parse::<u64>().is_ok()), "{:?}", sentence.body);
    assert!(server.metric(UP) < 0.5);
    server.connect().subscribe("news");
    server.api().publish("news", "e", "d");
    admin.get("/v1/apps").refused(503, "database-away", &[]);
    admin.patch("/v1/apps/3", "{}").refused(503, "database-away", &[]);
    Admin::nobody(&server).get("/v1/apps").refused(401, "no-token", &[]);

    database.restart();
    eventually("the database is back", || (server.admin("/ready").body == "ready\n").then_some(()));
    server.expect_metric(UP, 1.0);
    admin.get("/v1/apps").expect(200);
}

#[test]
fn a_node_whose_disk_is_full_is_ready_and_says_so_until_something_can_be_stored_again() {
    let server = Setup::bare().ignoring("XFSZ").start();
    let admin = Admin::with(&server, "read,write,publish");
    let app = json!({"id": APP.id, "key": APP.key, "secret": APP.secret});
    admin.post("/v1/apps", &app.to_string()).expect(201);
    server.expect_app_known();
    server.expect_metric(WRITABLE, 1.0);
    server.expect_metric(UNAUDITED, 0.0);

    server.process.bound_files(Some(0));
    admin.patch("/v1/apps/3", r#"{"name":"new"}"#).refused(503, "database-unwritable", &[]);
    let answer = server.admin("/ready");
    assert_eq!(answer.head.status, 200, "a node that serves stays in the balancer");
    let since = answer.body.strip_prefix("ready; the apps' database stores nothing since ");
    let since =
        since.and_then(|rest| rest.split_once("s (its disk is full, or it may only be read), apps go on\n"));
    assert!(since.is_some_and(|(seconds, _)| seconds.parse::<u64>().is_ok()), "{:?}", answer.body);
    assert!(server.metric(WRITABLE) < 0.5);
    server.expect_metric(UP, 1.0);
    server.connect().subscribe("news");
    server.api().publish("news", "e", "d");
    assert_eq!(admin.get("/v1/apps/3").expect(200)["name"], "", "it can be read");
    admin.post("/v1/apps/3/events", r#"{"name":"e","channels":["news"],"data":"d"}"#).expect(200);
    server.expect_metric(UNAUDITED, 1.0);

    server.process.bound_files(None);
    eventually("it can be stored again", || (server.admin("/ready").body == "ready\n").then_some(()));
    server.expect_metric(WRITABLE, 1.0);
    admin.patch("/v1/apps/3", r#"{"name":"new"}"#).expect(200);
    for line in ["the apps' database stores nothing; ", "the apps' database stores again"] {
        server.process.log_line(line, |logged| logged.contains(line).then_some(()));
        assert_eq!(server.process.stderr().matches(line).count(), 1, "{line}");
    }
}

#[test]
fn a_node_without_a_database_misses_none() {
    let server = Setup::new().start();
    assert_eq!(server.admin("/ready").body, "ready\n");
    server.expect_metric(UP, 1.0);
}
