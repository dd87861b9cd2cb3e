//! A node as operators see it, and that no answer to operators shows a secret (CON-019, CON-058).

use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::live::LiveList;
use crate::support::setup::Setup;
use crate::support::{APP, OTHER};

/// The setting of a row of the configuration that differs.
fn setting(node: &Value, key: &str) -> Option<(String, String)> {
    let rows = node["configuration"].as_array().expect("a list");
    let row = rows.iter().find(|row| row["key"] == key)?;
    Some((row["value"].as_str()?.to_owned(), row["from"].as_str()?.to_owned()))
}

#[test]
fn con_058_a_node_says_what_it_holds_and_where_its_settings_are_from() {
    let limits = "[limits]\nconnections = 17\n[bus]\nnode_name = \"one\"\n";
    let server = Setup::bare().config(limits).env("FANFARE__LIMITS__BATCH", "7").start();
    let admin = Admin::with(&server, "read,write");
    let body = json!({"id": APP.id, "key": APP.key, "secret": APP.secret});
    admin.post("/v1/apps", &body.to_string()).expect(201);
    server.expect_app_known();
    let _socket = server.connect();
    let node = admin.get("/v1/node").expect(200);
    assert_eq!(node["name"], "one");
    assert!(node["version"].as_str().is_some_and(|version| version.starts_with(env!("CARGO_PKG_VERSION"))));
    assert_eq!((&node["connections"], &node["capacity"]), (&json!(1), &json!(17)));
    assert_eq!(
        (&node["ready"], &node["says"], &node["draining"]),
        (&json!(true), &json!("ready"), &json!(false))
    );
    assert_eq!(
        (&node["database"], &node["redis"], &node["certificate_ends_at"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    assert_eq!(node["feeds"], json!({"all": 0, "away": 0, "refusing": 0}));
    for bytes in ["memory_bytes", "outboxes_bytes_limit", "descriptors_limit"] {
        assert!(node[bytes].as_u64() > Some(0), "{bytes}: {node}");
    }
    for bytes in ["outboxes_bytes", "cache_bytes", "resume_bytes", "history_bytes", "idempotency_bytes"] {
        assert!(node[bytes].is_u64(), "{bytes}: {node}");
    }
    let (value, place) = setting(&node, "limits.connections").expect("a setting of the file");
    assert!(value == "17" && place.contains("fanfare.toml:"), "{value} {place}");
    assert_eq!(setting(&node, "limits.batch"), Some(("7".to_owned(), "FANFARE__LIMITS__BATCH".to_owned())));
    assert_eq!(setting(&node, "limits.members"), None, "a default does not differ");
    let fault = "unknown query parameter x; there are none here";
    admin.get("/v1/node?x").refused(400, "faulty-query", &[fault]);
    admin.delete("/v1/node").refused(405, "method-not-allowed", &[]);
    Admin::with(&server, "write").get("/v1/node").refused(403, "scope-missing", &[]);
}

#[test]
fn con_085_a_node_that_stands_alone_is_the_only_one_in_the_list() {
    let server = Setup::bare().config("[bus]\nnode_name = \"one\"\n").start();
    let nodes = Admin::with(&server, "read").get("/v1/nodes").expect(200);
    let [node] = nodes["nodes"].as_array().expect("a list").as_slice() else {
        panic!("one is wanted: {nodes}")
    };
    assert_eq!((&node["id"], &node["name"], &node["links"]), (&json!("one"), &json!("one"), &json!([])));
    assert!(node["started_at"].as_str() <= node["last_seen_at"].as_str(), "{node}");
}

#[test]
fn con_086_the_node_is_not_for_bound_tokens() {
    let server = Setup::bare().start();
    let admin = Admin::with(&server, "read,write");
    admin.post("/v1/apps", r#"{"id":"1001"}"#).expect(201);
    let asked = r#"{"name":"tenant","scopes":["read"],"apps":["1001"]}"#;
    let made = admin.post("/v1/tokens", asked).expect(201);
    let tenant = Admin::nobody(&server).bearing(made["token"].as_str().expect("a token"));
    for path in ["/v1/node", "/v1/nodes"] {
        tenant.get(path).refused(403, "not-for-bound-tokens", &[]);
    }
    tenant.get("/v1/apps/1001/stats").expect(200);
}

/// Every path that a GET answers, with what is there in place of parameters.
fn paths(admin: &Admin, socket: &str) -> Vec<String> {
    let document = admin.get("/v1/openapi.json").json;
    let paths = document["paths"].as_object().expect("an object").iter();
    let asked = paths.filter(|(path, item)| path.starts_with("/v1/") && item.get("get").is_some());
    asked
        .map(|(path, _)| {
            let path = path.replace("{id}", OTHER.id).replace("{name}", "private-a");
            path.replace("{socket}", socket).replace("{key}", OTHER.key).replace("{number}", "1")
        })
        .filter(|path| !path.contains('{'))
        .collect()
}

#[test]
fn con_019_no_answer_shows_a_secret_or_a_token() {
    // Ports where nobody listens: that a password is used is not the point.
    let secrets = ["hush-feed", "hush-app-feed", APP.secret, OTHER.secret];
    let config = "[redis_feed]\nurl = \"redis://user:hush-feed@127.0.0.1:9\"\nprefix = \"p_\"\napp = \"3\"\n";
    let server =
        Setup::with_app("trace = true").config(&format!("{config}[apps]\ndatabase = \"sqlite\"\n")).start();
    let made = ["token", "create", "--name", "t", "--scope", "read,write,publish,payloads,operate", "--json"];
    let made = server.commanded(&[&made[..], &["--config", "fanfare.toml"]].concat());
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let token = made["token"].as_str().expect("a token").to_owned();
    let admin = Admin::nobody(&server).bearing(&token);
    let feed = json!({"url": "redis://:hush-app-feed@127.0.0.1:9", "prefix": "q_"});
    let settings = json!({"redis_feed": feed, "trace": true});
    let body = json!({"id": OTHER.id, "key": OTHER.key, "secret": OTHER.secret, "settings": settings});
    admin.post("/v1/apps", &body.to_string()).expect(201);
    let mut socket = server.connect_to(OTHER);
    socket.subscribe_private(OTHER, "private-a");
    let event = json!({"name": "e", "channel": "private-a", "data": "x"}).to_string();
    admin.post(&format!("/v1/apps/{}/events", OTHER.id), &event).expect(200);
    let mut list = LiveList::open(&server, &token, "");
    server.connect().subscribe_private(APP, "private-a");
    let entry = list.entry_of("subscribed").to_string();
    assert!(secrets.iter().all(|secret| !entry.contains(secret)), "{entry}");
    let asked = paths(&admin, &socket.id);
    assert!(asked.len() > 12, "{asked:?}");
    // A live list has no end.
    for path in asked.into_iter().filter(|path| !path.ends_with("/live")) {
        let answer = admin.get(&path);
        assert!(answer.answer.head.status < 500, "{path}: {answer:?}");
        for secret in secrets.iter().copied().chain([&token[8..]]) {
            assert!(!answer.answer.body.contains(secret), "{path} shows {secret}: {}", answer.answer.body);
        }
    }
}
