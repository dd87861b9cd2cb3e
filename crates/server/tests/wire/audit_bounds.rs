//! What the audit log keeps, in which form, and how much of it (CON-059, CON-084).

use serde_json::{Value, json};

use crate::inspect_channels::inspected;
use crate::support::admin::{Admin, token};
use crate::support::eventually;
use crate::support::http::Http;
use crate::support::live::LiveList;
use crate::support::setup::Setup;

/// The entries of a page, the newest first.
fn entries(admin: &Admin, query: &str) -> Vec<Value> {
    let page = admin.get(&format!("/v1/audit{query}")).expect(200);
    page["entries"].as_array().expect("a list").clone()
}

fn actions(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["action"].as_str().expect("a text")).collect()
}

#[test]
fn con_059_names_with_a_zero_character_are_kept_with_a_visible_one() {
    let (server, _) = inspected("read");
    let admin = Admin::with(&server, "read,publish,operate,payloads");
    admin.post("/v1/apps/3/events", r#"{"name":"evil\u0000","channel":"c","data":"1"}"#).expect(200);
    admin.post("/v1/apps/3/users/u1%00/terminate", "").expect(200);
    let payloads = token(&server, "read,payloads");
    drop(LiveList::open(&server, &payloads, "?channel=%00*"));
    let kept = entries(&admin, "?action=event.send");
    assert_eq!(kept[0]["detail"]["event"], "evil\u{2400}");
    assert_eq!(entries(&admin, "?action=user.terminate")[0]["detail"]["user"], "u1\u{2400}");
    let kept = entries(&admin, "?action=live.payloads");
    assert_eq!(kept[0]["detail"]["filter"], json!({"channel": "\u{2400}*"}));
}

#[test]
fn con_059_the_log_is_narrowed_by_app_action_and_token_over_http_and_in_the_terminal() {
    let server = Setup::bare().start();
    let admin = Admin::with(&server, "read,write,secrets");
    let made = admin.post("/v1/tokens", r#"{"name":"ann","scopes":["read","write"]}"#).expect(201);
    let other = Admin::nobody(&server).bearing(made["token"].as_str().expect("a token"));
    let key =
        admin.post("/v1/apps", r#"{"id":"1001","key":"0123456789"}"#).expect(201)["keys"][0]["key"].take();
    assert_eq!(key, "0123456789");
    other.post("/v1/apps", r#"{"id":"1002"}"#).expect(201);
    admin.get("/v1/apps/1001/keys?secrets=true").expect(200);

    assert_eq!(actions(&entries(&admin, "?action=app.create")), ["app.create", "app.create"]);
    let by_ann = entries(&admin, &format!("?token={}", made["number"]));
    assert_eq!((actions(&by_ann), &by_ann[0]["app"]), (vec!["app.create"], &json!("1002")));
    let shown = entries(&admin, "?action=secret.show&app=1001&token=1");
    assert_eq!(shown[0]["detail"], json!({"keys": ["0123…"]}), "which key, and no more of it");
    assert_eq!(entries(&admin, "?action=secret.show&app=1002"), Vec::<Value>::new());
    assert_eq!(entries(&admin, "?action=token.create")[0]["detail"]["token"]["name"], "ann");

    admin.get("/v1/audit?app=%00").refused(
        400,
        "faulty-query",
        &["app is not an app's id: 1 to 64 of the characters A-Z a-z 0-9 _ -"],
    );
    for (query, fault) in [
        ("action=app.made", "action is not one of app.create, "),
        ("token=x", "token is not a token's number"),
    ] {
        let answer = admin.get(&format!("/v1/audit?{query}"));
        let faults = answer.json["faults"].to_string();
        assert!(answer.answer.head.status == 400 && faults.contains(fault), "{faults}");
    }

    let number = made["number"].to_string();
    let args = ["audit", "--json", "--action", "app.create", "--token", &number, "--app", "1002"];
    let page: Value = serde_json::from_str(&server.commanded(&args)).expect("JSON");
    assert_eq!(page["entries"], json!(by_ann));
}

#[test]
fn con_084_a_change_that_changes_nothing_leaves_no_entry() {
    let server = Setup::bare().start();
    let admin = Admin::with(&server, "read,write");
    admin.post("/v1/apps", r#"{"id":"1001","name":"shop"}"#).expect(201);
    for body in ["{}", r#"{"name":"shop"}"#, r#"{"enabled":true}"#] {
        admin.patch("/v1/apps/1001", body).expect(200);
    }
    server.commanded(&["app", "update", "1001", "--name", "shop"]);
    assert_eq!(actions(&entries(&admin, "?app=1001")), ["app.create"]);
    admin.patch("/v1/apps/1001", r#"{"name":"toys"}"#).expect(200);
    assert_eq!(actions(&entries(&admin, "?app=1001")), ["app.update", "app.create"]);
}

#[test]
fn con_059_readers_who_open_list_after_list_fill_the_log_neither_with_long_filters_nor_with_many() {
    let (server, admin) = inspected("read");
    let reader = token(&server, "read,payloads");
    let long = "e".repeat(30_000);
    drop(LiveList::open(&server, &reader, &format!("?event={long}")));
    let kept = &entries(&admin, "?action=live.payloads")[0]["detail"]["filter"]["event"];
    assert_eq!(*kept, format!("{}…", &long[..256]));
    for _ in 1..60 {
        eventually("the list before has ended", || LiveList::try_open(&server, &reader, "", None));
    }
    let asked =
        format!("GET /v1/apps/3/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {reader}\r\n\r\n");
    let mut http = Http::connect(server.admin);
    http.write(asked.as_bytes());
    let answer = http.answer();
    assert_eq!(answer.head.status, 429, "{answer:?}");
    assert!(answer.body.contains("urn:fanfare:problem:too-many-lists"), "{answer:?}");
    let seconds: u32 = answer.head.header("retry-after").expect("a time").parse().expect("a number");
    assert!((1..=61).contains(&seconds), "{seconds}");
    // Other tokens may look, and this one without what events carry.
    LiveList::open(&server, &token(&server, "read,payloads"), "");
    LiveList::open(&server, &token(&server, "read"), "");
}
