//! What was refused and why, as operators see it: counted together, with an example and what to do (CON-044, CON-045).

use serde_json::{Value, json};

use crate::inspect_channels::paged;
use crate::overload::publish_until_a_slow_reader_is_closed;
use crate::redis_feed::{PREFIX, event, expect_listening, prefixed};
use crate::support::admin::Admin;
use crate::support::api::Request;
use crate::support::application::{Application, Reply};
use crate::support::authorization::{Post, SOCKET};
use crate::support::receiver::Receiver;
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::upgrade::Upgrade;
use crate::support::{APP, App, OTHER, eventually};
use fanfare_testing::redis::Redis;

const REFUSALS: &str = "/v1/apps/3/refusals";
const OF_NO_APP: &str = "/v1/refusals";
const DATABASE: &str = "[apps]\ndatabase = \"sqlite\"\n";

/// A server with the app of the reference in its configuration, and an operator who may read.
fn server_with(config: &str, settings: &str) -> (TestServer, Admin) {
    let server = Setup::bare().config(&format!("{DATABASE}{config}")).app(APP, settings).start();
    let admin = Admin::with(&server, "read");
    (server, admin)
}

fn rows(admin: &Admin, path: &str) -> Vec<Value> {
    admin.get(path).expect(200)["refusals"].as_array().expect("a list").clone()
}

/// The row of a kind and cause, as soon as it is there.
#[track_caller]
fn row(admin: &Admin, path: &str, kind: &str, cause: &str) -> Value {
    eventually(&format!("a refusal {kind} {cause}"), || {
        rows(admin, path).into_iter().find(|row| row["kind"] == kind && row["cause"] == cause)
    })
}

#[test]
fn con_044_equal_refusals_are_one_row_with_moments_example_setting_and_advice() {
    let (server, admin) = server_with("", "client_events = true\nlimits.client_event_bytes = 10");
    assert_eq!(admin.get(REFUSALS).expect(200)["refusals"], json!([]));
    let mut socket = server.connect();
    for _ in 0..3 {
        socket.ask_for("private-orders.7");
        socket.expect_error("Auth info required to subscribe to private-orders.7");
    }
    socket.subscribe_private(APP, "private-a");
    socket.client_event("private-a", "client-typing", &format!("\"{}\"", "x".repeat(20)));
    socket.error();
    let row_of = |cause| row(&admin, REFUSALS, "message", cause);
    let unsigned = row_of("unsigned");
    assert_eq!((&unsigned["count"], &unsigned["code"]), (&json!(3), &Value::Null));
    assert_eq!(unsigned["text"], "Auth info required to subscribe to private-orders.7");
    let example = &unsigned["example"];
    assert_eq!(
        [&example["socket"], &example["channel"], &example["address"], &example["signed"]],
        [&json!(socket.id), &json!("private-orders.7"), &json!("127.0.0.1"), &Value::Null]
    );
    assert!(unsigned["advice"].as_str().is_some_and(|advice| advice.contains("authEndpoint")));
    let moments = ["first_at", "last_at"].map(|name| unsigned[name].as_str().expect("a text").to_owned());
    assert!(moments[0] <= moments[1] && moments.iter().all(|at| at.len() == 24), "{moments:?}");
    let too_big = row_of("client_event_too_big");
    assert_eq!(too_big["setting"], "limits.client_event_bytes");
    assert_eq!(rows(&admin, REFUSALS)[0]["cause"], "client_event_too_big", "the newest comes first");
    let pages = paged(&admin, &format!("{REFUSALS}?"), "refusals", 1);
    assert_eq!(pages, rows(&admin, REFUSALS));
    admin.get(&format!("{REFUSALS}?after=x")).refused(
        400,
        "faulty-query",
        &["after is not the next of a page of this list"],
    );
    assert_eq!(rows(&admin, OF_NO_APP), Vec::<Value>::new());
}

#[test]
fn con_044_a_flood_of_made_up_names_leaves_the_other_refusals_and_is_counted_whole() {
    let (server, admin) = server_with("[limits]\nsubscriptions_per_second = 5000\n", "");
    let mut socket = server.connect();
    socket.ask_for("private-a");
    socket.error();
    let mut flood = server.connect();
    // Fewer than end the connection (WS-214).
    for number in 0..90 {
        flood.ask_for(&format!("no channel {number}"));
        flood.error();
    }
    for number in 0..300 {
        server.open(&format!("/app/made-up-{number}?protocol=7")).expect_close_code(4001);
    }
    let of_app = rows(&admin, REFUSALS);
    assert!(of_app.iter().any(|row| row["cause"] == "unsigned"), "{of_app:?}");
    let counted = |rows: &[Value], cause: &str| {
        let of_cause: Vec<&Value> = rows.iter().filter(|row| row["cause"] == cause).collect();
        assert_eq!(of_cause.len(), 4, "{of_cause:?}");
        of_cause.iter().filter_map(|row| row["count"].as_u64()).sum::<u64>()
    };
    assert_eq!(counted(&of_app, "invalid_channel_name"), 90);
    // The text of a key is cut, because people put the secret there: all of these have one.
    let unknown = row(&admin, OF_NO_APP, "handshake", "unknown_key");
    assert_eq!((&unknown["count"], &unknown["code"]), (&json!(300), &json!(4001)));
    assert!(unknown["text"].as_str().is_some_and(|text| text.contains("made-up-…")), "{unknown}");
}

#[test]
fn con_045_refused_requests_are_told_with_what_to_sign_and_con_019_without_a_signature() {
    let (server, admin) = server_with("", "limits.event_bytes = 100");
    let wrong = "ab".repeat(32);
    let body = r#"{"name":"e","channel":"news","data":"1"}"#;
    let request = Request::post("/apps/3/events", body).auth(|auth| auth.signature = Some(wrong.clone()));
    let mut api = server.api();
    assert_eq!(api.send(&request).head.status, 401);
    let refused = row(&admin, REFUSALS, "http", "signature_mismatch");
    assert_eq!(refused["code"], 401);
    assert_eq!(refused["example"]["signed"], json!(request.signed_text()));
    let in_query = Request::post("/apps/3/events", "")
        .param("name", "e")
        .param("channel", "news")
        .param("data", "what people write")
        .auth(|auth| auth.signature = Some(wrong.clone()));
    api.send(&in_query);
    let big = format!(r#"{{"name":"e","channel":"news","data":"{}"}}"#, "x".repeat(200));
    api.post("/events", big).refused(413, "limits.event_bytes");
    api.send(&Request::post("/apps/3/events", body).by(OTHER)).refused(401, "Unknown auth_key");
    api.send(&Request::post("/apps/9/events", body)).refused(404, "no app");
    server.public(&format!("/app/{}", APP.key)).refused(426, "WebSocket");
    server.public("/wp-login.php");
    assert_eq!(row(&admin, REFUSALS, "http", "event_too_big")["setting"], "limits.event_bytes");
    row(&admin, REFUSALS, "http", "key_unknown");
    row(&admin, REFUSALS, "http", "websocket_only");
    assert_eq!(row(&admin, OF_NO_APP, "http", "unknown_app")["code"], 404);
    let all = admin.get(REFUSALS).answer.body + &admin.get(OF_NO_APP).answer.body;
    for hidden in [&*wrong, APP.secret, OTHER.secret, "what people write", "wp-login"] {
        assert!(!all.contains(hidden), "{hidden} is in {all}");
    }
}

#[test]
fn con_044_the_channel_of_a_refused_request_is_told_by_its_name_not_as_the_path_writes_it() {
    let (server, admin) = server_with("", "");
    let path = "/apps/3/channels/caf%C3%A9%20%2F%FF";
    server.api().send(&Request::get(path).by(OTHER)).refused(401, "Unknown auth_key");
    let rows = rows(&admin, REFUSALS);
    assert_eq!(rows[0]["example"]["channel"], "café /\u{fffd}");
}

#[test]
fn con_045_refused_clients_are_told_and_con_019_without_signatures_and_what_users_are() {
    let (server, admin) = server_with("", "max_connections = 1\nallowed_origins = [\"example.com\"]");
    let mut socket = server.connect();
    server.open(&pusher_js(APP)).expect_close_code(4004);
    let foreign = Upgrade::to(&pusher_js(APP)).header("Origin", "https://foreign.example");
    foreign.open(server.addr).1.expect_close_code(4009);
    let subscribe = |auth: &str, channel: &str, data: &str| {
        let data = json!({"auth": auth, "channel": channel, "channel_data": data});
        json!({"event": "pusher:subscribe", "data": data}).to_string()
    };
    let wrong = "cd".repeat(32);
    let data = r#"{"user_id":"7","user_info":{"name":"Ada"}}"#;
    socket.send(&subscribe(&format!("{}:{wrong}", APP.key), "presence-a", data));
    socket.error();
    // People put the secret in the key's place.
    socket.send(&subscribe(&format!("{}:{wrong}", APP.secret), "private-a", ""));
    socket.error();
    let refused = row(&admin, REFUSALS, "message", "wrong_signature");
    assert_eq!(refused["example"]["signed"], json!(format!("{}:presence-a:…", socket.id)));
    row(&admin, REFUSALS, "message", "wrong_key");
    let over = row(&admin, REFUSALS, "handshake", "over_quota");
    assert_eq!((&over["code"], &over["setting"]), (&json!(4004), &json!("max_connections")));
    let origin = row(&admin, REFUSALS, "handshake", "origin_refused");
    assert_eq!((&origin["code"], &origin["setting"]), (&json!(4009), &json!("allowed_origins")));
    let all = admin.get(REFUSALS).answer.body;
    for hidden in [&*wrong, APP.secret, "Ada"] {
        assert!(!all.contains(hidden), "{hidden} is in {all}");
    }
}

#[test]
fn con_045_disabled_apps_quotas_and_slow_readers_are_told() {
    let (server, admin) = server_with("[limits]\noutbox_bytes = 262144\n", "messages_per_day = 5010");
    let (mut slow, mut good) = (server.connect(), server.connect());
    slow.subscribe("busy");
    good.subscribe("busy");
    let sent = publish_until_a_slow_reader_is_closed(&server, &mut good);
    let closed = row(&admin, REFUSALS, "slow_reader", "slow_reader");
    assert_eq!((&closed["code"], &closed["example"]["socket"]), (&json!(4100), &json!(slow.id)));
    assert_eq!(closed["setting"], "limits.outbox_bytes");
    let rest: Vec<_> = (sent..5010).map(|_| json!({"name": "e", "channel": "quiet", "data": "1"})).collect();
    let mut api = server.api();
    for ten in rest.chunks(10) {
        api.post("/batch_events", json!({ "batch": ten }).to_string()).expect("{}");
    }
    api.post("/events", r#"{"name":"e","channel":"quiet","data":"1"}"#).refused(403, "messages_per_day");
    assert_eq!(row(&admin, REFUSALS, "quota", "over_message_quota")["code"], 403);
    let disabled = Setup::bare().config(DATABASE).app(APP, "enabled = false").start();
    let admin = Admin::with(&disabled, "read");
    disabled.open(&pusher_js(APP)).expect_close_code(4003);
    assert_eq!(row(&admin, REFUSALS, "handshake", "app_disabled")["code"], 4003);
}

#[test]
fn con_045_authorization_that_is_denied_or_fails_is_told() {
    let application = Application::start(|question| match question.body.contains("private-broken") {
        true => Reply::Body(500, "a stack trace"),
        false => Reply::Body(403, "no"),
    });
    let (server, admin) = server_with("", &application.settings());
    Post::channel("private-orders").header("Cookie", "session=a-secret").send(&server);
    Post::channel("private-broken").send(&server);
    let denied = row(&admin, REFUSALS, "authorization", "denied");
    assert_eq!(
        (&denied["code"], &denied["example"]["channel"], &denied["example"]["socket"]),
        (&json!(403), &json!("private-orders"), &json!(SOCKET))
    );
    assert!(denied["advice"].as_str().is_some_and(|advice| advice.contains("routes/channels.php")));
    row(&admin, REFUSALS, "authorization", "failed");
    let all = admin.get(REFUSALS).answer.body;
    for hidden in ["a-secret", "a stack trace", APP.secret] {
        assert!(!all.contains(hidden), "{hidden} is in {all}");
    }
}

#[test]
fn con_045_messages_of_redis_that_are_dropped_are_told_without_what_they_carry() {
    let redis = Redis::start();
    let feed = format!("[redis_feed]\nurl = \"{}\"\nprefix = \"{PREFIX}\"\n", redis.url());
    let (server, admin) = server_with(&feed, "");
    expect_listening(&server);
    redis.publish(&prefixed("private-encrypted-a"), &event("e", "\"confidential\"", "null"));
    let dropped = row(&admin, REFUSALS, "redis", "encrypted");
    assert_eq!(
        (&dropped["example"]["channel"], &dropped["code"]),
        (&json!("private-encrypted-a"), &Value::Null)
    );
    redis.publish(&prefixed("news"), r#"{"confidential":true}"#);
    let other = row(&admin, REFUSALS, "redis", "not_a_broadcast");
    assert_eq!(
        (&other["example"]["channel"], &other["text"]),
        (&json!("news"), &json!("it is no broadcast"))
    );
    assert!(!admin.get(REFUSALS).answer.body.contains("confidential"));
}

#[test]
fn con_045_events_that_are_refused_to_operators_are_told_as_those_of_back_ends() {
    let server =
        Setup::bare().config(DATABASE).app(APP, "limits.event_bytes = 10\nmessages_per_day = 1").start();
    let admin = Admin::with(&server, "read,publish");
    let send = |body: Value| admin.post("/v1/apps/3/events", &body.to_string());
    let event = json!({"name": "e", "channel": "news", "data": "\"0123456789\""});
    send(event).refused(413, "event-too-large", &[]);
    let too_big = row(&admin, REFUSALS, "http", "event_too_big");
    assert_eq!((&too_big["code"], &too_big["count"]), (&json!(413), &json!(1)));
    assert_eq!(
        (&too_big["example"]["address"], &too_big["setting"]),
        (&json!("127.0.0.1"), &json!("limits.event_bytes"))
    );
    let small = json!({"name": "e", "channel": "news", "data": "0"});
    send(small.clone()).expect(200);
    send(small).refused(403, "over-quota", &[]);
    assert_eq!(row(&admin, REFUSALS, "quota", "over_message_quota")["code"], 403);
}

#[test]
fn con_044_a_channel_of_a_path_is_told_as_it_is_called_whatever_bytes_were_sent() {
    let (server, admin) = server_with("", "");
    for (sent, told) in [
        ("a%20b", "a b".to_owned()),
        ("%C3%A9%2F", "é/".to_owned()),
        ("%FF%00%E2%80%AE", "\u{fffd}\u{0}\u{202e}".to_owned()),
        (&*"%41".repeat(300), format!("{}…", "A".repeat(200))),
    ] {
        assert_eq!(server.api().get(&format!("/channels/{sent}"), &[]).head.status, 400, "{sent}");
        let found = eventually("the decoded channel", || {
            let all = rows(&admin, REFUSALS);
            all.iter().find(|row| row["example"]["channel"] == json!(told)).cloned()
        });
        assert_eq!(found["cause"], "invalid_channel_name", "{found}");
    }
}

#[test]
fn con_045_events_that_a_webhook_has_given_up_are_told_with_their_number() {
    let refuses = Receiver::saying(|_| Reply::Body(404, ""));
    let config = "[webhooks]\nretry = 60000\ngive_up = 50000\n";
    let (server, admin) = server_with(config, &refuses.setting(&["channel_existence"]));
    server.connect().subscribe("news");
    let given_up = row(&admin, REFUSALS, "webhook", "given_up");
    assert_eq!((&given_up["count"], &given_up["setting"]), (&json!(1), &json!("webhooks.give_up")));
    assert!(given_up["text"].as_str().is_some_and(|text| text.contains(&refuses.host())), "{given_up}");
}

#[test]
fn con_086_refusals_of_another_app_and_of_no_app_are_not_for_bound_tokens() {
    let server = Setup::bare().start();
    let writer = Admin::with(&server, "write,publish,operate");
    for App { id, key, secret } in [APP, OTHER] {
        writer.post("/v1/apps", &json!({"id": id, "key": key, "secret": secret}).to_string()).expect(201);
    }
    let made =
        server.commanded(&["token", "create", "--name", "t", "--scope", "read", "--app", OTHER.id, "--json"]);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let tenant = Admin::nobody(&server).bearing(made["token"].as_str().expect("a token"));
    tenant.get(REFUSALS).refused(404, "no-such-app", &[]);
    tenant.get("/v1/apps/44/refusals").expect(200);
    tenant.get(OF_NO_APP).refused(403, "not-for-bound-tokens", &[]);
    for path in [REFUSALS, OF_NO_APP] {
        writer.get(path).refused(403, "scope-missing", &[]);
        Admin::nobody(&server).get(path).refused(401, "no-token", &[]);
    }
    Admin::with(&server, "read").get("/v1/apps/5/refusals").refused(404, "no-such-app", &[]);
}

#[test]
fn con_045_a_client_with_a_revoked_key_is_a_refusal_of_its_app_with_what_to_do() {
    let server = Setup::bare().config(DATABASE).start();
    let admin = Admin::with(&server, "read,write");
    let body = json!({"id": APP.id, "key": APP.key, "secret": APP.secret});
    admin.post("/v1/apps", &body.to_string()).expect(201);
    admin.post("/v1/apps/3/keys", "").expect(201);
    admin.delete(&format!("/v1/apps/3/keys/{}", APP.key)).expect(204);
    server.open(&pusher_js(APP)).expect_close_code(4001);
    let refused = row(&admin, REFUSALS, "handshake", "revoked_key");
    assert_eq!((&refused["code"], &refused["count"]), (&json!(4001), &json!(1)));
    assert!(refused["text"].as_str().is_some_and(|text| text.contains(&APP.key[..4])), "{refused}");
    assert!(refused["advice"].as_str().is_some_and(|advice| advice.contains("was revoked")), "{refused}");
    assert_eq!(rows(&admin, OF_NO_APP), Vec::<Value>::new());
}
