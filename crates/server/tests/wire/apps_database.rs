//! What operators are told while the apps' database is away.

use serde_json::json;

use crate::support::admin::Admin;
use crate::support::postgres::Postgres;
use crate::support::setup::{Setup, binary, run};
use crate::support::{APP, eventually};

const UP: &str = "fanfare_apps_database_up";

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
fn a_node_without_a_database_misses_none() {
    let server = Setup::new().start();
    assert_eq!(server.admin("/ready").body, "ready\n");
    server.expect_metric(UP, 1.0);
}
