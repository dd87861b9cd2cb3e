//! Tokens of the administration API: created and revoked by the command line, checked by the server.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::support::admin::{Admin, Reply, token};
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
fn without_a_token_nothing_is_told_but_how_to_get_one() {
    let server = Setup::bare().start();
    for (_, reply) in each(&Admin::nobody(&server)) {
        reply.refused(401, "no-token", &[]);
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
    for path in ["/up", "/ready", "/metrics", "/v1/openapi.json"] {
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
fn after_twenty_wrong_tokens_an_address_has_to_wait_and_others_do_not() {
    let server = Setup::bare().start();
    let right = token(&server, "read");
    let wrong = Admin::nobody(&server).bearing("fanfare_guess").from(Ipv4Addr::new(127, 0, 0, 2));
    for _ in 0..20 {
        refused_as_wrong(&wrong.get("/v1/apps"));
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
    assert_eq!((ended.status, &*ended.stderr), (64, "fanfare: no database is configured; set apps.database"));
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
            "fanfare: a token is valid for 1 to 3650 days, not 0",
        ],
    );
    refused(&server, &["revoke", "7"], &["fanfare: there is no token 7 that could be revoked"]);
    let ended = server.command(&["token", "create", "--name", "n", "--scope", "read,everything"]);
    assert_eq!(ended.status, 64);
    assert!(ended.stderr.contains("there are the scopes read, write and secrets"), "{}", ended.stderr);
    assert_eq!(server.commanded(&["token", "list"]), "There is no token here.\n");
}

#[track_caller]
fn refused(server: &TestServer, arguments: &[&str], says: &[&str]) {
    let ended = server.command(&[&["token"], arguments].concat());
    assert_eq!((ended.status, &*ended.stdout), (64, ""));
    assert_eq!(ended.stderr.lines().collect::<Vec<_>>(), says);
}
