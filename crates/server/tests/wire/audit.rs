//! The audit log: every action that it has, done over the real server, and what `fanfare audit` prints (CON-059, CON-084).

use serde_json::{Value, json};

use crate::support::admin::{Admin, token};
use crate::support::application::Reply;
use crate::support::live::LiveList;
use crate::support::receiver::Receiver;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, eventually};

/// Every action of the list, in the order in which [`do_everything`] does them.
const ACTIONS: [&str; 19] = [
    "token.create",
    "app.create",
    "app.update",
    "key.create",
    "key.revoke",
    "secret.show",
    "secret.show",
    "token.create",
    "token.revoke",
    "session.failed",
    "session.login",
    "connection.close",
    "user.terminate",
    "event.send",
    "webhook.test",
    "webhook.test",
    "webhook.again",
    "live.payloads",
    "app.delete",
];

/// A user whose name turns a line around, and breaks it.
const HOSTILE: &str = "%E2%80%AE%0A%1B%5B2J";

/// A receiver that answers tests alone.
fn receiver() -> Receiver {
    Receiver::deciding(|question| match question.body.contains("fanfare-test") {
        true => Reply::Body(200, ""),
        false => Reply::Body(500, "no"),
    })
}

/// Does everything that the audit log knows once, with one token.
fn do_everything(server: &TestServer, receiver: &Receiver) -> Admin {
    let token = token(server, "read,write,secrets,payloads,publish,operate");
    let admin = Admin::nobody(server).bearing(&token);
    let webhooks = json!([{"url": receiver.url(), "events": ["channel_existence"]}]);
    let made =
        json!({"id": APP.id, "key": APP.key, "secret": APP.secret, "settings": {"webhooks": webhooks}});
    admin.post("/v1/apps", &made.to_string()).expect(201);
    admin.patch("/v1/apps/3", r#"{"name":"shop"}"#).expect(200);
    let key = admin.post("/v1/apps/3/keys", "").expect(201)["key"].take();
    admin.delete(&format!("/v1/apps/3/keys/{}", key.as_str().expect("a key"))).expect(204);
    admin.get("/v1/apps/3/keys?secrets=true").expect(200);
    admin.get("/v1/apps/3/connect?secrets=true").expect(200);
    let wanted = r#"{"name":"short","scopes":["read"],"apps":["3"]}"#;
    let number = admin.post("/v1/tokens", wanted).expect(201)["number"].take();
    admin.delete(&format!("/v1/tokens/{number}")).expect(204);
    let nobody = Admin::nobody(server);
    nobody.post("/v1/session", r#"{"token":"fanfare_guessed"}"#).refused(401, "wrong-token", &[]);
    nobody.post("/v1/session", &json!({"token": token}).to_string()).expect(200);
    let mut socket = server.connect();
    socket.subscribe("news");
    admin.delete(&format!("/v1/apps/3/connections/{}?code=4009", socket.id)).expect(204);
    admin.post(&format!("/v1/apps/3/users/{HOSTILE}/terminate"), "").expect(200);
    admin.post("/v1/apps/3/events", r#"{"name":"e","channel":"c","data":"what-it-says"}"#).expect(200);
    admin.post("/v1/apps/3/webhooks/1/test", "").expect(200);
    assert_eq!(server.api().post("/webhooks/test", "{}").head.status, 200);
    let failed = eventually("a delivery that failed", || {
        let webhooks = admin.get("/v1/apps/3/webhooks/deliveries").expect(200)["webhooks"].take();
        let rows = webhooks[0]["deliveries"].as_array().cloned().unwrap_or_default();
        rows.into_iter().find(|row| row["kept"] == true)
    });
    let id = failed["id"].as_str().expect("an id");
    admin.post(&format!("/v1/apps/3/webhooks/deliveries/{id}/again"), "{}").expect(200);
    let _list = LiveList::open(server, &token, "?channel=private-*");
    admin.delete("/v1/apps/3").expect(204);
    admin
}

#[test]
fn con_084_every_action_is_in_the_audit_log_and_con_059_fanfare_audit_prints_each_on_a_line() {
    let receiver = receiver();
    let server = Setup::bare().config("[webhooks]\nretry = 60000\ngive_up = 60000\n").start();
    let admin = do_everything(&server, &receiver);
    let log = admin.get("/v1/audit").expect(200);
    let entries: Vec<&Value> = log["entries"].as_array().expect("a list").iter().rev().collect();
    let named = |entry: &&Value| entry["action"].as_str().expect("a text").to_owned();
    // The list ends with its app, a moment after the app.
    let at_once: Vec<&Value> =
        entries.iter().copied().filter(|entry| entry["detail"]["to"].is_null()).collect();
    assert_eq!(at_once.iter().map(named).collect::<Vec<_>>(), ACTIONS);
    for (at, entry) in at_once.iter().enumerate() {
        let by = match ACTIONS[at] {
            "token.create" if at == 0 => ("command line", Value::Null),
            "session.failed" => ("", Value::Null),
            "webhook.test" if at == 15 => ("key:278d", Value::Null),
            _ => ("test", json!(1)),
        };
        let about_none = ["token.", "session."].iter().any(|about| ACTIONS[at].starts_with(about));
        assert_eq!((&entry["name"], &entry["token"]), (&json!(by.0), &by.1), "{entry}");
        assert_eq!(entry["app"], if about_none { Value::Null } else { json!("3") }, "{entry}");
        assert_eq!(entry["address"], if at == 0 { Value::Null } else { json!("127.0.0.1") }, "{entry}");
        assert!(entry["at"].is_string(), "{entry}");
    }
    for hidden in [APP.secret, "what-it-says", "fanfare_"] {
        assert!(!log.to_string().contains(hidden), "{hidden} is in {log}");
    }

    let printed = server.commanded(&["audit", "--limit", "100"]);
    let lines: Vec<&str> = printed.lines().skip(1).collect();
    let of_list = lines.iter().filter(|line| line.contains("\"to\":")).count();
    assert_eq!(lines.len(), ACTIONS.len() + of_list, "{printed}");
    let at_once = lines.iter().rev().filter(|line| !line.contains("\"to\":"));
    for (line, action) in at_once.zip(ACTIONS) {
        assert!(line.contains(&format!("  {action}")), "{action} in {line}");
    }
    assert!(!printed.chars().any(|c| c == '\u{202e}' || (c.is_control() && c != '\n')), "{printed:?}");
}
