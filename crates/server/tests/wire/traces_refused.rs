//! Refused publishes of an app with `trace = true`, whichever way they came (CON-043).

use fanfare_testing::redis::Redis;
use serde_json::{Value, json};

use crate::echo_api::ask;
use crate::redis_feed::{PREFIX, event, expect_listening, prefixed};
use crate::support::admin::Admin;
use crate::support::api::Request;
use crate::support::setup::Setup;
use crate::support::{APP, eventually};
use crate::traces::{EVENTS, TRACES, start};

/// The refused publishes that are kept, the newest first: the event, who published, the status, and the reason.
fn refusals(list: &Value) -> Vec<(String, String, Option<u64>, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let rows = list["traces"].as_array().expect("a list").iter();
    let refused = rows.filter(|row| row["refused"] != Value::Null).map(|row| {
        assert_eq!((&row["event_id"], &row["channels"]), (&Value::Null, &json!([])), "{row}");
        let refused = &row["refused"];
        (text(&row["event"]), text(&row["by"]), refused["status"].as_u64(), text(&refused["text"]))
    });
    refused.collect()
}

#[test]
fn con_043_refused_publishes_are_kept_with_the_reason_whichever_way_they_came() {
    let settings = "[socketio]\nenabled = true\napp = \"3\"\n[[socketio.clients]]\napp_id = \"shop\"\nkey = \"a-key-of-some-20-letters\"\n";
    let server = Setup::bare().config(settings).start();
    let admin = Admin::with(&server, "read,write,publish");
    let limits = json!({"event_bytes": 10, "channels_per_event": 1, "batch": 1});
    let app = json!({"trace": true, "messages_per_day": 1, "limits": limits});
    let body = json!({"id": APP.id, "key": APP.key, "secret": APP.secret, "settings": app});
    admin.post("/v1/apps", &body.to_string()).expect(201);
    server.expect_app_known();
    let mut api = server.api();
    let event =
        |name: &str, channel: &str, data: &str| json!({"name": name, "channel": channel, "data": data});
    let key = format!("key:{}", &APP.key[..4]);
    let bearer = "Authorization: Bearer a-key-of-some-20-letters\r\n";
    let echo =
        |body: &Value| ask(&server, "POST", "/apps/shop/events", bearer, &body.to_string()).head.status;
    let newest = |wanted: (&str, &str, u64, &str)| {
        let list = admin.get(TRACES);
        assert!(!list.answer.body.contains("SECRET"), "no event's data: {}", list.answer.body);
        let (event, by, status, text) = refusals(&list.expect(200)).remove(0);
        assert_eq!((&*event, &*by, status), (wanted.0, wanted.1, Some(wanted.2)), "{text}");
        assert!(text.contains(wanted.3), "{text}");
    };
    // The signed API, each of its ways.
    api.publish("news", "first", "1");
    api.post("/events", event("a", "news", "SECRET-data").to_string()).refused(413, "10 bytes");
    newest(("a", &key, 413, "10 bytes"));
    api.post("/events", event("b", "ne ws", "1").to_string()).refused(400, "channel name");
    newest(("b", &key, 400, "Invalid channel name"));
    api.post("/events", event("c", "news", "1").to_string()).refused(403, "day");
    newest(("c", &key, 403, "day"));
    api.post(
        "/batch_events",
        json!({"batch": [event("d", "news", "1"), event("e", "news", "1")]}).to_string(),
    )
    .refused(400, "2");
    newest(("", &key, 400, "2"));
    let keyed = Request::post("/apps/3/events", event("f", "news", "1").to_string())
        .header("Idempotency-Key", &"x".repeat(256));
    api.send(&keyed).refused(400, "key");
    newest(("f", &key, 400, "key"));
    let raw = Request::post("/apps/3/channels/news/events", r#"{"name":"SECRET"}"#);
    api.send(&raw).refused(400, "name");
    newest(("", &key, 400, "name"));
    api.send(&raw.param("name", "g")).refused(413, "10 bytes");
    newest(("g", &key, 413, "10 bytes"));
    // An operator, and laravel-echo-server's API.
    admin.post(EVENTS, &event("h", "news", "1").to_string()).refused(403, "over-quota", &[]);
    newest(("h", "console", 403, "day"));
    admin.post(EVENTS, "[]").refused(400, "not-json", &[]);
    newest(("", "console", 400, "JSON"));
    assert_eq!(echo(&event("i", "news", "1")), 403);
    newest(("i", "key:shop", 403, "day"));
    assert_eq!(echo(&json!({"name": "j", "channel": "news"})), 400);
    newest(("j", "key:shop", 400, "must include"));
    // Who has no right to publish leaves nothing.
    let count = refusals(&admin.get(TRACES).expect(200)).len();
    assert_eq!(
        ask(&server, "POST", "/apps/shop/events", "Authorization: Bearer wrong\r\n", "{}").head.status,
        403
    );
    api.send(&Request::post("/apps/3/events", "{}").auth(|auth| auth.signature = Some("00".into())))
        .refused(401, "");
    assert_eq!(refusals(&admin.get(TRACES).expect(200)).len(), count);
}

#[test]
fn con_043_messages_of_a_redis_that_are_dropped_are_kept_with_the_reason() {
    let redis = Redis::start();
    let feed = json!({"url": redis.url(), "prefix": PREFIX});
    let app =
        json!({"trace": true, "messages_per_day": 1, "redis_feed": feed, "limits": {"event_bytes": 10}});
    let (server, admin) = start(&app);
    expect_listening(&server);
    let publish = |channel: &str, message: &str| redis.publish(&prefixed(channel), message);
    let wanted = [
        ("large", "news", "\"SECRET-data\"", "larger than limits.event_bytes"),
        ("secret", "private-encrypted-a", "1", "does not encrypt"),
        ("spaced", "a b", "1", "no name of a channel"),
        ("first", "news", "1", ""),
        ("second", "news", "1", "over a quota"),
    ];
    for (name, channel, data, _) in wanted {
        publish(channel, &event(name, data, "null"));
    }
    // Another message of the application is no publish.
    publish("news", "hello");
    publish("news", &event("pusher:e", "1", "null"));
    let kept = eventually("all are kept", || {
        let kept = refusals(&admin.get(TRACES).expect(200));
        (kept.len() > wanted.len() - 1).then_some(kept)
    });
    let mut kept = kept.into_iter();
    let (name, _, _, text) = kept.next().expect("the newest");
    assert!(name.is_empty() && text.contains("reserved"), "{text}");
    for (name, channel, _, reason) in wanted.into_iter().rev().filter(|(.., reason)| !reason.is_empty()) {
        let (event, by, status, text) = kept.next().expect("a refusal");
        assert_eq!((&*event, &*by, status), (name, "feed", None), "{text}");
        assert!(text.contains(reason) && text.ends_with(&format!("(channel {channel})")), "{text}");
    }
    assert!(!admin.get(TRACES).answer.body.contains("SECRET"));
}
