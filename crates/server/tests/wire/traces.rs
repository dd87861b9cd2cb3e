//! Where an event went: the trace of a publish, and the last traces of an app with `trace = true` (CON-040 … CON-043).

use fanfare_testing::redis::Redis;
use serde_json::{Value, json};

use crate::redis_feed::{PREFIX, event, expect_listening, prefixed};
use crate::support::admin::Admin;
use crate::support::http::{Answer, Http};
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::upgrade::Upgrade;
use crate::support::{APP, OTHER, eventually};

pub const EVENTS: &str = "/v1/apps/3/events";
pub const TRACES: &str = "/v1/apps/3/traces";

/// A server whose stored app has these settings, and an operator.
pub fn start(settings: &Value) -> (TestServer, Admin) {
    let server = Setup::bare().start();
    let admin = Admin::with(&server, "read,write,publish");
    let body = json!({"id": APP.id, "key": APP.key, "secret": APP.secret, "settings": settings});
    admin.post("/v1/apps", &body.to_string()).expect(201);
    server.expect_app_known();
    (server, admin)
}

fn subscribed(server: &TestServer, channel: &str) -> Socket {
    let mut socket = server.connect();
    socket.subscribe(channel);
    socket
}

fn send(admin: &Admin, event: &Value) -> Value {
    admin.post(EVENTS, &event.to_string()).expect(200)
}

#[test]
fn con_040_and_con_042_an_operators_event_goes_the_way_of_the_api_and_is_answered_with_its_trace() {
    let (server, admin) = start(&json!({}));
    let (mut one, mut other) = (subscribed(&server, "news"), subscribed(&server, "news"));
    let event = json!({"name": "e", "channels": ["news", "cache-a"], "data": {"n": 1}, "socket_id": one.id});
    let reply = admin.post(EVENTS, &event.to_string());
    let id = reply.header("fanfare-event-id").expect("an id").to_owned();
    let mut trace = reply.expect(200);
    let (at, node) = (trace["at"].take(), trace["node"].take());
    assert!(node.is_string(), "{node}");
    assert!(at.as_str().is_some_and(|at| at.len() == 24 && at.ends_with('Z')), "{at}");
    for channel in trace["channels"].as_array_mut().expect("a list") {
        assert_eq!(channel["nodes"].as_object().map(serde_json::Map::len), Some(1), "this node alone");
        channel["nodes"].take();
    }
    let reach = |channel, subscribers, took, excluded, hint: Value| {
        json!({
            "channel": channel, "subscribers": subscribers, "nodes": null, "took": took, "excluded": excluded,
            "slow": 0, "hint": hint,
        })
    };
    let text = "nobody is subscribed to cache-a, and no open channel has a name like this";
    let none = json!({"kind": "none", "text": text, "channel": null, "subscribers": 0});
    assert_eq!(
        trace,
        json!({
            "event_id": id, "node": null, "at": null, "event": "e", "by": "console", "bytes": 7, "refused": null,
            "channels": [reach("news", 2, 1, 1, Value::Null), reach("cache-a", 0, 0, 0, none)],
        })
    );
    other.expect_event("news", "e", r#"{"n":1}"#);
    one.expect_nothing_more();
    let mut late = server.connect();
    late.subscribe("cache-a");
    late.expect_event("cache-a", "e", r#"{"n":1}"#);
}

#[test]
fn con_039_an_operators_event_is_answered_with_the_info_that_was_asked_for() {
    let (server, admin) = start(&json!({}));
    let _one = subscribed(&server, "news");
    let event = |info: Value| {
        let event = json!({"name": "e", "channels": ["news", "presence-room"], "data": "", "info": info});
        admin.post(EVENTS, &event.to_string()).expect(200)
    };
    let told = event(json!("subscription_count,user_count"));
    assert_eq!(
        told["info"],
        json!({"news": {"subscription_count": 1}, "presence-room": {"subscription_count": 0, "user_count": 0}})
    );
    assert_eq!(event(Value::Null)["info"], Value::Null);
}

#[test]
fn con_042_a_back_end_that_asks_for_its_trace_gets_it_beside_the_counts() {
    let server = Setup::new().start();
    let _socket = subscribed(&server, "orders");
    let mut api = server.api();
    let event = r#"{"name":"e","channel":"private-orders","data":"1","info":"subscription_count,trace"}"#;
    let answer = api.post("/events", event);
    let id = answer.head.header("fanfare-event-id").expect("an id").to_owned();
    let json: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(json["channels"], json!({"private-orders": {"subscription_count": 0}}));
    assert_eq!(json["trace"]["event_id"], *id);
    assert_eq!(json["trace"]["by"], format!("key:{}", &APP.key[..4]), "no more of the key");
    let hint = &json["trace"]["channels"][0]["hint"];
    assert_eq!(
        (&hint["kind"], &hint["channel"], &hint["subscribers"]),
        (&json!("prefix"), &json!("orders"), &json!(1))
    );
    // Nobody else is told anything new.
    api.post("/events", r#"{"name":"e","channel":"a","data":"1"}"#).expect("{}");
}

#[test]
fn con_042_a_reader_that_is_too_slow_is_counted_as_slow_and_others_are_not() {
    let server = Setup::new().config("[limits]\noutbox_bytes = 8388608\n").start();
    let narrow = Http::connect_narrow(server.addr);
    let mut slow = Upgrade::to(&pusher_js(APP)).open_over(narrow).1.established(50);
    slow.subscribe("news");
    let mut good = subscribed(&server, "news");
    let (mut api, data) = (server.api(), "x".repeat(10_000));
    let event = json!({"name": "e", "channel": "news", "data": data, "info": "trace"}).to_string();
    eventually("the socket of the slow reader is full", || {
        let answer: Value = serde_json::from_str(&api.post("/events", event.clone()).body).expect("JSON");
        good.expect_event("news", "e", &data);
        let reach = &answer["trace"]["channels"][0];
        assert_eq!((&reach["subscribers"], &reach["took"]), (&json!(2), &json!(2)));
        (reach["slow"] == 1).then_some(())
    });
}

#[test]
fn con_041_an_operators_event_is_refused_as_a_back_ends_with_the_same_sentence_and_its_name() {
    let (server, admin) = start(&json!({"limits": {"channels_per_event": 2}, "messages_per_day": 1}));
    let mut listener = subscribed(&server, "a");
    let event =
        |name: &str, channels: &[&str], data: &str| json!({"name": name, "channels": channels, "data": data});
    let mut api = server.api();
    for (status, kind, body) in [
        (400, "event-name", event("pusher:e", &["a"], "1")),
        (400, "event-name", event("pusher_internal:e", &["a"], "1")),
        (400, "event-name", event("", &["a"], "1")),
        (400, "channel-name", event("e", &["a b"], "1")),
        (400, "no-channel", event("e", &[], "1")),
        (400, "too-many-channels", event("e", &["a", "b", "c"], "1")),
        (413, "event-too-large", event("e", &["a"], &"x".repeat(10_241))),
        (400, "wrong-type", json!({"name": 1, "channel": "a", "data": "1"})),
        (400, "wrong-type", json!({"name": "e", "channel": "a"})),
        (403, "over-quota", event("e", &["a", "b"], "1")),
    ] {
        let reply = admin.post(EVENTS, &body.to_string());
        reply.refused(status, kind, &[]);
        assert_eq!(reply.header("fanfare-event-id"), None, "{kind}");
        api.post("/events", body.to_string())
            .refused_with(status, reply.json["detail"].as_str().expect("a sentence"));
    }
    let good = event("e", &["a"], "1").to_string();
    admin.post(EVENTS, "[]").refused(400, "not-json", &[]);
    let unknown = ["unknown query parameter x; there are none here"];
    admin.post(&format!("{EVENTS}?x=1"), &good).refused(400, "faulty-query", &unknown);
    admin.post("/v1/apps/99/events", &good).refused(404, "no-such-app", &[]);
    Admin::with(&server, "read,write,secrets").post(EVENTS, &good).refused(403, "scope-missing", &[]);
    Admin::with(&server, "publish").get(TRACES).refused(403, "scope-missing", &[]);
    listener.expect_nothing_more();
    admin.patch("/v1/apps/3", r#"{"enabled":false}"#).expect(200);
    eventually("the app is disabled", || {
        let reply = admin.post(EVENTS, &good);
        let is_it = reply.json["type"].as_str().is_some_and(|kind| kind.ends_with("app-disabled"));
        is_it.then(|| reply.refused(403, "app-disabled", &[]))
    });
}

#[test]
fn con_043_the_last_publishes_of_an_app_that_traces_are_listed_without_their_data() {
    let (server, admin) = start(&json!({"trace": true}));
    let _listener = subscribed(&server, "orders");
    let mut api = server.api();
    let id = |answer: &Answer| answer.head.header("fanfare-event-id").map(str::to_owned);
    let first = id(&api.post("/events", r#"{"name":"one","channel":"orders","data":"TOP-SECRET"}"#));
    let batch = r#"{"batch":[{"name":"two","channel":"Orders","data":"TOP-SECRET"},{"name":"three","channel":"x","data":"1"}]}"#;
    let second = id(&api.post("/batch_events", batch));
    api.post("/events", r#"{"name":"pusher:no","channel":"orders","data":"TOP-SECRET"}"#)
        .refused(400, "reserved");
    let answered = send(&admin, &json!({"name": "four", "channel": "orders", "data": "TOP-SECRET"}));
    let reply = admin.get(TRACES);
    assert!(!reply.answer.body.contains("TOP-SECRET"), "no event's data: {}", reply.answer.body);
    let list = reply.expect(200);
    assert_eq!(
        (&list["next"], &list["trace"], &list["of"]),
        (&Value::Null, &json!(true), &json!("this node"))
    );
    let rows = list["traces"].as_array().expect("a list");
    assert_eq!((&answered["number"], &rows[0]["number"]), (&json!(4), &json!(4)), "the answer names its row");
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let seen: Vec<(String, String)> = rows.iter().map(|row| (text(row, "event"), text(row, "by"))).collect();
    let key = format!("key:{}", &APP.key[..4]);
    let wanted = [("four", "console"), ("pusher:no", &key), ("three", &key), ("two", &key), ("one", &key)];
    assert_eq!(seen, wanted.map(|(event, by)| (event.to_owned(), by.to_owned())));
    assert_eq!((&rows[1]["event_id"], &rows[1]["refused"]["status"]), (&Value::Null, &json!(400)));
    assert!(text(&rows[1]["refused"], "text").contains("reserved"));
    assert_eq!(
        json!([rows[2]["event_id"], rows[3]["event_id"], rows[4]["event_id"]]),
        json!([second, second, first])
    );
    assert_eq!(
        (&rows[3]["channels"][0]["hint"]["kind"], &rows[4]["channels"][0]["took"]),
        (&json!("case"), &json!(1))
    );
    let found = admin.get(&format!("{TRACES}?event_id={}", second.expect("an id"))).expect(200);
    assert_eq!(found["traces"].as_array().map(Vec::len), Some(2));
    let page = admin.get(&format!("{TRACES}?limit=2")).expect(200);
    let next =
        admin.get(&format!("{TRACES}?limit=3&after={}", page["next"].as_str().expect("more"))).expect(200);
    assert_eq!((&next["traces"][0]["event"], &next["next"]), (&json!("three"), &Value::Null));
    admin.get(&format!("{TRACES}?limit=201&after=x&page=1")).refused(
        400,
        "faulty-query",
        &[
            "unknown query parameter page; there are after, limit, event_id",
            "after is not the next of a page of traces",
            "limit is not a number from 1 to 200",
        ],
    );
}

#[test]
fn con_042_and_con_043_the_trace_that_is_asked_for_has_its_hint_whatever_was_published_since() {
    let (server, admin) = start(&json!({"trace": true}));
    let _listener = subscribed(&server, "orders");
    let asked = send(&admin, &json!({"name": "e", "channel": "Orders", "data": "1"}));
    for number in 0..20 {
        send(&admin, &json!({"name": "e", "channel": format!("nobody-{number}"), "data": "1"}));
    }
    let id = asked["event_id"].as_str().expect("an id");
    let page = admin.get(&format!("{TRACES}?limit=20")).expect(200);
    let behind = page["next"].as_str().expect("one more");
    for query in [format!("event_id={id}"), format!("limit=1&after={behind}")] {
        let found = admin.get(&format!("{TRACES}?{query}")).expect(200);
        let row = &found["traces"][0];
        assert_eq!((&row["event_id"], &found["next"]), (&json!(id), &Value::Null), "{query}");
        assert_eq!(row["channels"][0]["hint"]["kind"], json!("case"), "{query}");
    }
}

#[test]
fn con_043_two_hundred_are_kept_and_of_an_app_that_has_not_asked_none() {
    let (server, admin) = start(&json!({}));
    let mut api = server.api();
    let batch = |round: usize| {
        let item = |at| json!({"name": format!("e{}", round * 10 + at), "channel": "a", "data": "1"});
        json!({"batch": (0..10).map(item).collect::<Vec<_>>()}).to_string()
    };
    api.post("/batch_events", batch(0)).expect("{}");
    let none = admin.get(TRACES).expect(200);
    assert_eq!((&none["traces"], &none["next"], &none["trace"]), (&json!([]), &Value::Null, &json!(false)));
    admin.patch("/v1/apps/3", r#"{"settings":{"trace":true}}"#).expect(200);
    eventually("the setting is known", || {
        api.post("/batch_events", batch(0)).expect("{}");
        let kept = admin.get(TRACES).expect(200);
        (kept["traces"] != json!([])).then(|| assert_eq!(kept["trace"], true))
    });
    for round in 0..22 {
        api.post("/batch_events", batch(round)).expect("{}");
    }
    let kept = admin.get(TRACES).expect(200);
    let rows = kept["traces"].as_array().expect("a list");
    assert_eq!((rows.len(), &rows[0]["event"], &rows[199]["event"]), (200, &json!("e219"), &json!("e20")));
    let other = json!({"id": OTHER.id, "key": OTHER.key, "secret": OTHER.secret});
    admin.post("/v1/apps", &other.to_string()).expect(201);
    assert_eq!(admin.get(&format!("/v1/apps/{}/traces", OTHER.id)).expect(200), none);
    admin.get("/v1/apps/99/traces").refused(404, "no-such-app", &[]);
}

#[test]
fn con_042_an_event_that_is_called_unlike_the_others_of_its_channel_is_hinted_at() {
    let (server, admin) = start(&json!({"trace": true}));
    let _listener = subscribed(&server, "orders");
    let sent = |name: &str| send(&admin, &json!({"name": name, "channel": "orders", "data": "1"}));
    assert_eq!(sent("order.shipped")["channels"][0]["hint"], Value::Null);
    let hint = &sent(r"App\Events\OrderShipped")["channels"][0]["hint"];
    assert_eq!((&hint["kind"], &hint["channel"]), (&json!("event_name"), &json!("orders")));
    assert!(hint["text"].as_str().is_some_and(|text| text.ends_with("such as order.shipped")), "{hint}");
    assert_eq!(sent("order.shipped")["channels"][0]["hint"], Value::Null);
}

#[test]
fn con_043_events_of_a_redis_are_kept_as_those_of_the_feed_and_events_of_clients_are_not() {
    let redis = Redis::start();
    let feed = json!({"url": redis.url(), "prefix": PREFIX});
    let (server, admin) = start(&json!({"trace": true, "client_events": true, "redis_feed": feed}));
    expect_listening(&server);
    let mut socket = server.connect();
    socket.subscribe_private(APP, "private-orders");
    socket.client_event("private-orders", "client-typing", "{}");
    redis
        .broadcast(&[&prefixed("private-orders")], &event(r"App\Events\OrderShipped", r#"{"id":7}"#, "null"));
    socket.expect_event("private-orders", r"App\Events\OrderShipped", r#"{"id":7}"#);
    let list = eventually("the event of the Redis is kept", || {
        let list = admin.get(TRACES).expect(200);
        (list["traces"] != json!([])).then_some(list)
    });
    assert_eq!(list["traces"].as_array().map(Vec::len), Some(1), "{list}");
    let row = &list["traces"][0];
    assert_eq!(
        (&row["by"], &row["event"], &row["bytes"]),
        (&json!("feed"), &json!(r"App\Events\OrderShipped"), &json!(8))
    );
    assert_eq!(
        (&row["channels"][0]["channel"], &row["channels"][0]["took"]),
        (&json!("private-orders"), &json!(1))
    );
}

#[test]
fn con_043_the_row_of_an_event_is_what_was_answered_and_stays_so_when_everybody_has_gone() {
    let (server, admin) = start(&json!({"trace": true}));
    let (one, other) = (subscribed(&server, "orders"), subscribed(&server, "orders"));
    let names = ["orders", "Orders", "nothing-like-this"];
    let answered = send(&admin, &json!({"name": "e", "channels": names, "data": "1", "socket_id": one.id}));
    let hints = |trace: &Value| {
        let channels = trace["channels"].as_array().expect("a list").clone();
        channels.iter().map(|channel| channel["hint"]["kind"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(hints(&answered), [Value::Null, json!("case"), json!("none")]);
    server.api().post("/events", r#"{"name":"e","channel":"Orders","data":"1"}"#).expect("{}");
    let list = || admin.get(TRACES).expect(200)["traces"].take();
    let before = list();
    assert_eq!((&before[1], hints(&before[0])), (&answered, vec![json!("case")]));
    drop((one, other));
    eventually("everybody has gone", || {
        let stats = admin.get("/v1/apps/3/stats").expect(200);
        (stats["connections"] == 0).then_some(())
    });
    assert_eq!(list(), before);
}
