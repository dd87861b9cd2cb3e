//! Tokens of the administration API: created and revoked by the command line, checked by the server.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::support::admin::{Admin, Reply, token};
use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::setup::Setup;

/// Every request that needs a token, with the scope that it needs.
fn each(admin: &Admin) -> Vec<(&'static str, Reply)> {
    vec![
        ("read", admin.get("/v1/apps")),
        ("read", admin.get("/v1/apps/44")),
        ("read", admin.get("/v1/apps/44/keys")),
        ("read", admin.get("/v1/apps/44/keys?secrets=false")),
        ("secrets", admin.get("/v1/apps/44/keys?secrets=true")),
        ("write", admin.post("/v1/apps", "{")),
        ("write", admin.patch("/v1/apps/44", "{}")),
        ("write", admin.delete("/v1/apps/44")),
        ("write", admin.post("/v1/apps/44/keys", "")),
        ("write", admin.delete("/v1/apps/44/keys/k")),
    ]
}

#[track_caller]
fn refused_as_wrong(reply: &Reply) {
    reply.refused(401, "wrong-token", &[]);
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    assert_eq!(reply.json["detail"], "This token is not valid");
}

#[test]
fn a_token_is_good_for_its_scopes_and_for_nothing_else() {
    let server = Setup::bare().start();
    for scopes in ["read", "write", "secrets", "read,write", "secrets,write", "read,secrets,write"] {
        for (scope, reply) in each(&Admin::with(&server, scopes)) {
            let is_missing = !scopes.split(',').any(|own| own == scope);
            assert_eq!(reply.answer.head.status == 403, is_missing, "{scopes}: {reply:?}");
            if is_missing {
                reply.refused(403, "scope-missing", &[]);
                assert_eq!(reply.json["detail"], format!("This token does not have the scope {scope}"));
            }
        }
    }
}

#[test]
fn con_016_and_con_086_a_bound_token_sees_its_apps_and_nothing_else() {
    let server = Setup::bare().start();
    let all = Admin::with(&server, "read,write,secrets,publish");
    for id in ["1001", "1002", "1003"] {
        all.post("/v1/apps", &format!(r#"{{"id":"{id}"}}"#)).expect(201);
    }
    let key = all.get("/v1/apps/1003/keys").expect(200)["keys"][0]["key"].as_str().expect("a key").to_owned();
    let scopes = ["--scope", "read,write,secrets,publish", "--app", "1001,1003", "--json"];
    let made = server.commanded(&[&["token", "create", "--name", "tenant"][..], &scopes].concat());
    let made: Value = serde_json::from_str(&made).expect("JSON");
    assert_eq!(made["apps"], serde_json::json!(["1001", "1003"]));
    let tenant = Admin::nobody(&server).bearing(made["token"].as_str().expect("a token"));

    let listed = |path: &str| {
        let page = tenant.get(path).expect(200).clone();
        let ids =
            page["apps"].as_array().expect("apps").iter().map(|app| app["id"].clone()).collect::<Vec<_>>();
        (serde_json::json!(ids), page["next"].clone())
    };
    assert_eq!(listed("/v1/apps"), (serde_json::json!(["1001", "1003"]), Value::Null));
    assert_eq!(listed("/v1/apps?limit=1"), (serde_json::json!(["1001"]), "1001".into()));
    assert_eq!(listed("/v1/apps?limit=1&after=1001"), (serde_json::json!(["1003"]), Value::Null));
    tenant.patch("/v1/apps/1003", r#"{"name":"shop"}"#).expect(200);
    tenant.get("/v1/apps/1003/keys?secrets=true").expect(200);
    let event = r#"{"name":"e","channel":"news","data":"x"}"#;
    tenant.post("/v1/apps/1001/events", event).expect(200);

    // An app of somebody else is told as one that there is not, whatever the request.
    let somebodys = |id: &str| {
        vec![
            tenant.get(&format!("/v1/apps/{id}")),
            tenant.get(&format!("/v1/apps/{id}/keys?secrets=true")),
            tenant.get(&format!("/v1/apps/{id}/usage")),
            tenant.get(&format!("/v1/apps/{id}/traces")),
            tenant.patch(&format!("/v1/apps/{id}"), r#"{"name":"mine"}"#),
            tenant.post(&format!("/v1/apps/{id}/keys"), ""),
            tenant.delete(&format!("/v1/apps/{id}/keys/{key}")),
            tenant.post(&format!("/v1/apps/{id}/events"), event),
            tenant.delete(&format!("/v1/apps/{id}")),
        ]
    };
    for (known, unknown) in somebodys("1002").iter().zip(&somebodys("9002")) {
        known.refused(404, "no-such-app", &[]);
        assert_eq!(known.answer.body.replace("1002", "9002"), unknown.answer.body);
    }
    assert_eq!(all.get("/v1/apps/1002").expect(200)["name"], "");
    for reply in [tenant.post("/v1/apps", "{}"), tenant.get("/v1/nodes")] {
        reply.refused(403, "not-for-bound-tokens", &[]);
    }

    // Scopes count for its own apps.
    let reader =
        server.commanded(&["token", "create", "--name", "t", "--scope", "read", "--app", "1001", "--json"]);
    let reader: Value = serde_json::from_str(&reader).expect("JSON");
    let reader = Admin::nobody(&server).bearing(reader["token"].as_str().expect("a token"));
    reader.patch("/v1/apps/1001", r#"{"name":"x"}"#).refused(403, "scope-missing", &[]);
    reader.patch("/v1/apps/1002", r#"{"name":"x"}"#).refused(404, "no-such-app", &[]);
    let list = server.commanded(&["token", "list"]);
    assert!(list.contains("1001,1003") && list.contains("all"), "{list}");
}

#[test]
fn without_a_token_nothing_is_told_but_how_to_get_one() {
    let server = Setup::bare().start();
    for (_, reply) in each(&Admin::nobody(&server)) {
        reply.refused(401, "no-token", &[]);
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
    for path in ["/up", "/live", "/ready", "/metrics", "/v1/openapi.json"] {
        assert_eq!(server.admin(path).head.status, 200, "{path}");
    }
}

#[test]
fn a_token_that_is_wrong_in_whichever_way_gets_the_same_answer() {
    let server = Setup::bare().start();
    let right = token(&server, "read");
    let revoked = token(&server, "read");
    server.commanded(&["token", "revoke", "2"]);
    let other = if right.ends_with('0') { '1' } else { '0' };
    let headers = [
        format!("Bearer {revoked}"),
        format!("Bearer {}{other}", &right[..71]),
        format!("Bearer {right}0"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Basic {right}"),
        right.clone(),
        format!("Bearer {}", right.to_uppercase()),
    ];
    for (at, header) in headers.iter().enumerate() {
        refused_as_wrong(&Admin::nobody(&server).authorized_by(header).get("/v1/apps"));
        assert!(at < 20, "or they would be too many");
    }
    for header in [format!("Bearer {right}"), format!("bearer  {right}")] {
        Admin::nobody(&server).authorized_by(&header).get("/v1/apps").expect(200);
    }
}

#[test]
fn a_token_that_is_revoked_is_refused_at_once() {
    let server = Setup::bare().start();
    let (admin, other) = (Admin::with(&server, "read"), Admin::with(&server, "read"));
    for admin in [&admin, &other] {
        admin.get("/v1/apps").expect(200);
    }
    assert_eq!(server.commanded(&["token", "revoke", "1"]), "token 1 is not valid any more\n");
    refused_as_wrong(&admin.get("/v1/apps"));
    other.get("/v1/apps").expect(200);
}

#[test]
fn con_011_behind_a_proxy_wrong_tokens_count_for_the_client_and_not_for_the_proxy() {
    let server = Setup::bare().start();
    let right = token(&server, "read");
    let behind_proxy = |token: &str, client: &str| {
        let mut http = Http::connect(server.admin);
        let head = format!(
            "GET /v1/apps HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {client}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        http.write(head.as_bytes());
        http.answer().head.status
    };
    for _ in 0..20 {
        assert_eq!(behind_proxy("fanfare_guess", "192.0.2.1"), 401);
    }
    assert_eq!(behind_proxy(&right, "192.0.2.1"), 429);
    assert_eq!(behind_proxy(&right, "192.0.2.2"), 200);
    Admin::nobody(&server).bearing(&right).get("/v1/apps").expect(200);
}

#[test]
fn after_twenty_wrong_tokens_an_address_has_to_wait_and_others_do_not() {
    let server = Setup::bare().start();
    let right = token(&server, "read");
    let wrong = Admin::nobody(&server).bearing("fanfare_guess").from(Ipv4Addr::new(127, 0, 0, 2));
    for at in 1..=20 {
        let reply = wrong.get("/v1/apps");
        refused_as_wrong(&reply);
        assert_eq!(
            (&reply.json["wrong"], &reply.json["allowed"]),
            (&at.into(), &20.into()),
            "{}",
            reply.json
        );
    }
    let too_many = |admin: &Admin| {
        let reply = admin.get("/v1/apps");
        reply.refused(429, "too-many-wrong-tokens", &[]);
        let wait: u64 = reply.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
        assert!((1..=60).contains(&wait), "{wait}");
    };
    too_many(&wrong);
    // No guessing from this address: its next token is not checked, right or wrong.
    too_many(&Admin::nobody(&server).bearing(&right).from(Ipv4Addr::new(127, 0, 0, 2)));
    Admin::nobody(&server).from(Ipv4Addr::new(127, 0, 0, 2)).get("/v1/apps").refused(401, "no-token", &[]);
    let elsewhere = Admin::nobody(&server).bearing(&right);
    for _ in 0..25 {
        elsewhere.get("/v1/apps").expect(200);
    }
    refused_as_wrong(&Admin::nobody(&server).bearing("fanfare_guess").get("/v1/apps"));
    elsewhere.get("/v1/apps").expect(200);
}

#[test]
fn without_a_database_there_are_no_tokens() {
    let server = Setup::new().start();
    for (_, reply) in each(&Admin::nobody(&server).bearing("fanfare_guess")) {
        reply.refused(503, "no-database", &[]);
        assert!(reply.json["detail"].as_str().is_some_and(|detail| detail.contains("set apps.database")));
    }
    let config = ["--config", "fanfare.toml"];
    let arguments = [&["token", "create", "--name", "n", "--scope", "read"], &config[..]].concat();
    let ended = server.command(&arguments);
    assert_eq!(ended.status, 64);
    assert!(
        ended.stderr.contains("set apps.database (FANFARE__APPS__DATABASE) to sqlite"),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_command_line_makes_lists_and_revokes_tokens() {
    let server = Setup::bare().start();
    let printed = server.commanded(&[
        "token",
        "create",
        "--name",
        "deploy",
        "--scope",
        "write,read",
        "--expires-in-days",
        "30",
    ]);
    let line = |start: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(start));
        line.unwrap_or_else(|| panic!("no {start} in\n{printed}")).trim().to_owned()
    };
    assert_eq!((&*line("token id"), &*line("scopes")), ("1", "read,write"));
    let token = line("token  ");
    assert!(token.starts_with("fanfare_") && token.len() == 72, "{token}");
    Admin::nobody(&server).bearing(&token).get("/v1/apps").expect(200);

    let listed = server.commanded(&["token", "list"]);
    assert!(
        listed.contains("deploy") && listed.contains("read,write") && !listed.contains(&token),
        "{listed}"
    );
    let json =
        |arguments: &[&str]| -> Value { serde_json::from_str(&server.commanded(arguments)).expect("JSON") };
    let one = json(&["token", "list", "--json"])["tokens"][0].clone();
    assert!(one["expires_at"].as_str() > one["created_at"].as_str() && one["revoked_at"].is_null(), "{one}");
    assert_eq!(json(&["token", "revoke", "1", "--json"])["done"], "token 1 is not valid any more");
    assert!(json(&["token", "list", "--json"])["tokens"][0]["revoked_at"].is_string());
}

#[test]
fn a_token_command_with_faults_tells_all_of_them_and_makes_nothing() {
    let server = Setup::bare().start();
    refused(
        &server,
        &["create", "--name", "", "--scope", "read", "--expires-in-days", "0"],
        &[
            "fanfare: a token needs a name, by which it is known again",
            "fanfare: a token is valid for a second to 3650 days",
        ],
    );
    refused(&server, &["revoke", "7"], &["fanfare: there is no token 7 that could be revoked"]);
    let ended = server.command(&["token", "create", "--name", "n", "--scope", "read,everything"]);
    assert_eq!(ended.status, 64);
    assert!(
        ended.stderr.contains("there are the scopes read, write, secrets, publish, payloads and operate"),
        "{}",
        ended.stderr
    );
    assert_eq!(server.commanded(&["token", "list"]), "There is no token here.\n");
}

#[track_caller]
fn refused(server: &TestServer, arguments: &[&str], says: &[&str]) {
    let ended = server.command(&[&["token"], arguments].concat());
    assert_eq!((ended.status, &*ended.stdout), (64, ""));
    assert_eq!(ended.stderr.lines().collect::<Vec<_>>(), says);
}
