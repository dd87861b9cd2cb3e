//! Tokens over HTTP: made, listed, revoked, and who may do so (CON-084, CON-086).

use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::http::Http;
use crate::support::setup::Setup;

/// The newest entry of the audit log: who, what, and about what.
fn newest_entry(admin: &Admin) -> Value {
    let entry = &admin.get("/v1/audit?limit=1").expect(200)["entries"][0];
    json!([entry["token"], entry["app"], entry["action"], entry["detail"]["token"]])
}

fn numbers(page: &Value) -> Vec<i64> {
    let rows = page["tokens"].as_array().expect("a list");
    rows.iter().map(|row| row["number"].as_i64().expect("a number")).collect()
}

#[test]
fn con_084_a_token_is_made_shown_once_used_and_revoked() {
    let server = Setup::bare().start();
    let admin = Admin::with(&server, "read,write,publish");
    admin.post("/v1/apps", r#"{"id":"1001"}"#).expect(201);
    let asked = r#"{"name":"shop","scopes":["publish","read"],"apps":["1001"],"expires_in":3600}"#;
    let made = admin.post("/v1/tokens", asked).expect(201);
    let token = made["token"].as_str().expect("a token").to_owned();
    assert_eq!((&made["number"], &made["name"]), (&json!(2), &json!("shop")));
    assert_eq!((&made["scopes"], &made["apps"]), (&json!(["read", "publish"]), &json!(["1001"])));
    assert_eq!((&made["last_used_at"], &made["revoked_at"]), (&Value::Null, &Value::Null));
    assert!(made["expires_at"].as_str() > made["created_at"].as_str(), "{made}");
    let mut row = made.clone();
    row.as_object_mut().expect("an object").remove("token");
    assert_eq!(newest_entry(&admin), json!([1, null, "token.create", row]));

    let tenant = Admin::nobody(&server).bearing(&token);
    tenant.get("/v1/apps/1001").expect(200);
    let listed = admin.get("/v1/tokens").expect(200);
    assert_eq!((numbers(&listed), &listed["next"]), (vec![2, 1], &Value::Null));
    assert!(listed["tokens"][0]["last_used_at"].is_string(), "{listed}");
    assert!(!listed.to_string().contains(&token[8..]), "a token is shown once");
    assert!(!admin.get("/v1/audit").expect(200).to_string().contains(&token[8..]));
    let page = admin.get("/v1/tokens?limit=1").expect(200);
    assert_eq!((numbers(&page), &page["next"]), (vec![2], &json!("2")));
    let page = admin.get("/v1/tokens?limit=1&after=2").expect(200);
    assert_eq!((numbers(&page), &page["next"]), (vec![1], &Value::Null));

    assert_eq!(admin.delete("/v1/tokens/2").expect(204), Value::Null);
    assert_eq!(newest_entry(&admin), json!([1, null, "token.revoke", 2]));
    tenant.get("/v1/apps/1001").refused(401, "wrong-token", &[]);
    assert!(admin.get("/v1/tokens").expect(200)["tokens"][0]["revoked_at"].is_string());
    for number in ["2", "77"] {
        admin.delete(&format!("/v1/tokens/{number}")).refused(404, "no-such-token", &[]);
    }
    admin.delete("/v1/tokens/x").refused(404, "no-such-path", &[]);
}

#[test]
fn con_007_and_con_084_revoking_a_token_ends_its_sessions_at_once() {
    let server = Setup::bare().start();
    let admin = Admin::with(&server, "read,write");
    let made = admin.post("/v1/tokens", r#"{"name":"ann","scopes":["read"]}"#).expect(201);
    let body = json!({ "token": made["token"] }).to_string();
    let with = |method: &str, headers: &str, body: &str| {
        let length = body.len();
        let head =
            format!("{method} /v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n");
        let mut http = Http::connect(server.admin);
        http.write(format!("{head}{headers}\r\n{body}").as_bytes());
        http.answer()
    };
    let begun = with("POST", "", &body);
    let set = begun.head.header("set-cookie").expect("a cookie");
    let cookie = format!("Cookie: {}\r\n", set.split(';').next().expect("name and value"));
    assert_eq!(with("GET", &cookie, "").head.status, 200);
    admin.delete(&format!("/v1/tokens/{}", made["number"])).expect(204);
    assert_eq!(with("GET", &cookie, "").head.status, 401);
}

#[test]
fn con_084_a_new_token_allows_no_more_than_the_one_that_asks() {
    let server = Setup::bare().start();
    let admin = Admin::with(&server, "read,write");
    admin.post("/v1/tokens", r#"{"name":"n","scopes":["read","secrets"]}"#).refused(
        403,
        "scope-missing",
        &[],
    );
    let reader = Admin::with(&server, "read");
    for refused in [
        reader.post("/v1/tokens", r#"{"name":"n","scopes":["read"]}"#),
        reader.delete("/v1/tokens/1"),
        reader.get("/v1/tokens"),
    ] {
        refused.refused(403, "scope-missing", &[]);
    }
    let lister = Admin::with(&server, "write");
    assert_eq!(numbers(&lister.get("/v1/tokens").expect(200)), [3, 2, 1], "nothing was made");
    admin
        .post("/v1/tokens", r#"{"name":"n","scopes":["read","write"],"apps":null,"expires_in":null}"#)
        .expect(201);
}

#[test]
fn con_084_every_fault_of_a_new_token_is_told_and_nothing_is_made() {
    let server = Setup::bare().start();
    let admin = Admin::with(&server, "read,write");
    let refused = |body: &str, faults: &[&str]| admin.post("/v1/tokens", body).refused(422, "faults", faults);
    refused(
        r#"{"name":7,"scopes":["all"],"apps":"1001","expires_in":1.5,"days":3}"#,
        &[
            "name is not a text",
            "apps is not a list of texts",
            "expires_in is not a whole number",
            "there are the scopes read, write, secrets, publish, payloads and operate",
            "unknown field days; there are name, scopes, apps, expires_in",
        ],
    );
    refused(
        r#"{"apps":["1001"],"expires_in":0}"#,
        &[
            "a token needs a name, by which it is known again",
            "a token needs a scope: read, write, secrets, publish, payloads or operate",
            "a token is valid for a second to 3650 days",
            "there is no app 1001",
        ],
    );
    admin.post("/v1/tokens", "[]").refused(400, "not-json", &[]);
    let faults = ["after is not the next of a page of this list", "limit is not a number from 1 to 200"];
    admin.get("/v1/tokens?limit=201&after=x").refused(400, "faulty-query", &faults);
    assert_eq!(numbers(&admin.get("/v1/tokens").expect(200)), [1]);
}

#[test]
fn con_086_tokens_are_not_for_bound_tokens() {
    let server = Setup::bare().start();
    let admin = Admin::with(&server, "read,write");
    admin.post("/v1/apps", r#"{"id":"1001"}"#).expect(201);
    let asked = r#"{"name":"tenant","scopes":["read","write"],"apps":["1001"]}"#;
    let made = admin.post("/v1/tokens", asked).expect(201);
    let tenant = Admin::nobody(&server).bearing(made["token"].as_str().expect("a token"));
    for refused in [tenant.get("/v1/tokens"), tenant.post("/v1/tokens", asked), tenant.delete("/v1/tokens/1")]
    {
        refused.refused(403, "not-for-bound-tokens", &[]);
    }
}
