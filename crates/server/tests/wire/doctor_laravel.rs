//! The doctor on Laravel's side: the Redis that Laravel publishes to, and its authorization route.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::application::Application;
use crate::support::examined::{Examined, doctor, examine};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::signing::hmac;
use crate::support::{APP, App};
use fanfare_testing::redis::Redis;

/// Publishes to a channel as Laravel does, again and again, while `run` runs.
pub fn publishing<T>(redis: &Redis, channel: &str, run: impl FnOnce() -> T) -> T {
    let payload = r#"{"event":"App\\Events\\Shipped","data":{"id":1,"socket":null},"socket":null}"#;
    publishing_as(redis, channel, payload, run)
}

/// As [`publishing`], with another message.
fn publishing_as<T>(redis: &Redis, channel: &str, payload: &str, run: impl FnOnce() -> T) -> T {
    let over = Arc::new(AtomicBool::new(false));
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port)).expect("Redis accepts connections");
    let command = format!(
        "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n${}\r\n{payload}\r\n",
        channel.len(),
        payload.len()
    );
    let publisher = thread::spawn({
        let over = Arc::clone(&over);
        move || {
            let mut answer = [0; 64];
            while !over.load(Ordering::Relaxed) {
                stream.write_all(command.as_bytes()).expect("Redis reads");
                assert!(stream.read(&mut answer).expect("Redis answers") > 0);
            }
        }
    });
    let outcome = run();
    over.store(true, Ordering::Relaxed);
    publisher.join().expect("the publisher does not panic");
    outcome
}

fn examine_redis(url: &str, prefix: &str) -> Examined {
    examine(&["--redis", url, "--prefix", prefix, "--watch", "1"])
}

#[test]
fn the_prefix_that_the_application_really_uses_is_seen() {
    let redis = Redis::start();
    publishing(&redis, "my_app_database_private-orders.1", || {
        let examined = examine_redis(&redis.url(), "my_app_database_");
        examined.expect_well(&["Redis", "Redis prefix"]).expect(
            "Redis prefix",
            "passed",
            &["`my_app_database_`"],
        );
        examine_redis(&redis.url(), "laravel_database_").expect_failed(
            "Redis prefix",
            &[
                "`my_app_database_`",
                "`laravel_database_`",
                "REDIS_PREFIX=my_app_database_",
                "redis_feed.prefix",
            ],
        );
        let unset = examine(&["--redis", &redis.url(), "--watch", "1"]);
        unset.expect("Redis prefix", "noted", &["`my_app_database_`"]);
        let ended = doctor(&["--redis", &redis.url(), "--prefix", "x_", "--watch", "1"]);
        assert!(
            ended.stdout.contains("✗ Redis prefix") && ended.stdout.contains("✓ Redis "),
            "{}",
            ended.stdout
        );
    });
}

#[test]
fn a_project_with_the_redis_driver_names_redis_and_prefix() {
    let redis = Redis::start();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let dotenv = format!(
        "APP_NAME=\"My App 2.0\"\nBROADCAST_CONNECTION=redis\nREDIS_HOST=127.0.0.1\nREDIS_PORT={}\n",
        redis.port
    );
    fs::write(folder.path().join(".env"), dotenv).expect("the folder can be written to");
    let path = folder.path().to_string_lossy().into_owned();
    // No server runs there.
    let run = || examine(&["--laravel", &path, "--watch", "1", "--url", "ws://127.0.0.1:1"]);
    publishing(&redis, "my_app_20_database_private-x", || {
        run().expect("Redis prefix", "passed", &["`my_app_20_database_`"]);
    });
    publishing(&redis, "my-app-20-database-private-x", || {
        run().expect_failed("Redis prefix", &["`my-app-20-database-`", "`my_app_20_database_`"]);
    });
}

#[test]
fn a_configuration_names_the_redis_of_the_node_or_of_the_app() {
    let redis = Redis::start();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("fanfare.toml");
    let path = file.to_string_lossy();
    let run = |node: &str, apps: &str| {
        let App { id, key, secret } = APP;
        let app = format!("[[apps.list]]\nid = \"{id}\"\nkey = \"{key}\"\nsecret = \"{secret}\"\n");
        fs::write(&file, format!("{node}\n{app}{apps}\n")).expect("the folder can be written to");
        // No server runs there.
        examine(&["--config", &path, "--watch", "1", "--url", "ws://127.0.0.1:1"])
    };
    let url = format!("url = \"{}\"", redis.url());
    publishing(&redis, "shop_private-x", || {
        let nodes = |prefix: &str| format!("[redis_feed]\n{url}\nprefix = \"{prefix}\"");
        run(&nodes("shop_"), "").expect("Redis prefix", "passed", &["`shop_`"]);
        run(&nodes("laravel_"), "").expect_failed("Redis prefix", &["`shop_`", "`laravel_`"]);
        let apps = format!("redis_feed = {{ {url}, prefix = \"shop_\" }}");
        run("", &apps).expect("Redis prefix", "passed", &["`shop_`"]);
    });
    run("", "").expect("Redis", "skipped", &["--config with redis_feed.url"]);
}

#[test]
fn broadcasts_that_phpredis_has_packed_are_told_with_the_option() {
    let redis = Redis::start();
    let packed = r#"s:75:"{"event":"e","data":{},"socket":null}";"#;
    publishing_as(&redis, "laravel_database_private-x", packed, || {
        examine_redis(&redis.url(), "laravel_database_")
            .expect_failed("Redis prefix", &["database.redis.options.serializer", "php"]);
    });
}

#[test]
fn a_redis_on_which_nothing_is_broadcast_tells_nothing() {
    let redis = Redis::start();
    let examined = examine_redis(&redis.url(), "laravel_database_");
    examined.expect_well(&["Redis"]).expect("Redis prefix", "noted", &["nothing was broadcast", "--watch"]);
}

#[test]
fn a_redis_that_does_not_let_in_is_told_in_words() {
    let redis = Redis::with("requirepass hush-hush\n");
    let missing = examine_redis(&redis.url(), "");
    missing.expect_failed("Redis", &["wants a password", "REDIS_PASSWORD"]).expect(
        "Redis prefix",
        "skipped",
        &[],
    );
    let wrong = format!("redis://:hush-wrong@127.0.0.1:{}", redis.port);
    examine_redis(&wrong, "").expect_failed("Redis", &["log-in", "REDIS_PASSWORD"]);
    let ended = doctor(&["--redis", &wrong, "--watch", "1"]);
    assert!(!ended.stdout.contains("hush"), "{}", ended.stdout);
    let right = format!("redis://:hush-hush@127.0.0.1:{}", redis.port);
    examine_redis(&right, "").expect_well(&["Redis"]);

    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr();
    let free = free.expect("a bound socket has an address");
    examine_redis(&format!("redis://{free}"), "")
        .expect_failed("Redis", &["cannot be reached", "REDIS_HOST"]);
    examine_redis("http://x", "").expect_failed("Redis", &["redis://USER:PASSWORD@HOST:PORT"]);
}

/// The application's answer about a channel, examined.
fn examine_answer(application: &Application, channel: &str, arguments: &[&str]) -> Examined {
    let url = format!("http://{}/broadcasting/auth", application.addr);
    examine(&[&["--auth-url", &*url, "--channel", channel], arguments].concat())
}

#[test]
fn the_application_is_asked_as_pusher_js_asks() {
    let application = Application::saying(200, r#"{"auth":"key:sig"}"#);
    let arguments = ["--cookie", "laravel_session=abc", "--header", "X-Tenant: shop"];
    examine_answer(&application, "private-orders.1", &arguments).expect_well(&[]).expect(
        "authorization",
        "passed",
        &["says yes and signs"],
    );
    let asked = &application.questions()[0];
    assert_eq!(asked.line, "POST /broadcasting/auth");
    assert_eq!(asked.body, "socket_id=1%2E1&channel_name=private%2Dorders%2E1");
    assert_eq!(asked.header("cookie").as_deref(), Some("laravel_session=abc"));
    assert_eq!(asked.header("x-tenant").as_deref(), Some("shop"));
    assert_eq!(asked.header("content-type").as_deref(), Some("application/x-www-form-urlencoded"));
    assert_eq!(asked.header("accept"), None);
}

#[test]
fn an_application_that_the_configuration_names_is_asked() {
    let application = Application::saying(200, r#"{"auth":"key:sig"}"#);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("fanfare.toml");
    let App { id, key, secret } = APP;
    let config = format!(
        "[[apps.list]]\nid = \"{id}\"\nkey = \"{key}\"\nsecret = \"{secret}\"\n\
         authorization.url = \"http://{}/may-join\"\n",
        application.addr
    );
    fs::write(&file, config).expect("the folder can be written to");
    let path = file.to_string_lossy();
    // No server runs there.
    examine(&["--config", &path, "--url", "ws://127.0.0.1:1", "--channel", "private-x"]);
    assert_eq!(application.questions()[0].line, "POST /may-join");
}

#[test]
fn what_pusher_js_makes_of_an_answer_is_told_with_what_to_do() {
    let (private, presence, encrypted) = ("private-x", "presence-x", "private-encrypted-x");
    for (channel, status, body, mentions) in [
        (
            private,
            200,
            "true",
            &["`true`", "pending for ever", "/app/KEY/auth", "would let the client in"][..],
        ),
        (
            presence,
            200,
            r#"{"channel_data":{"user_id":7,"user_info":{}}}"#,
            &["SyntaxError", "would let the client in"],
        ),
        (presence, 200, "true", &["AuthError", "array that describes the user", "403"]),
        (encrypted, 200, "true", &["shared_secret", "pusher driver"]),
        (private, 200, "", &["200 with nothing", "BROADCAST_CONNECTION"]),
        (private, 200, "<html>Log in</html>", &["a page", "log-in"]),
        (private, 200, r#"{"success":false}"#, &["no `auth`", "even that would make 403"]),
        (presence, 200, r#"{"auth":"k:s","channel_data":{"user_id":7}}"#, &["channel_data that is a text"]),
        (encrypted, 200, r#"{"auth":"k:s"}"#, &["encryption_master_key_base64"]),
        (private, 302, "", &["302", "logged in"]),
        (private, 401, "{}", &["subscription_error with 401", "--cookie"]),
        (private, 403, "{}", &["subscription_error with 403", "routes/channels.php"]),
        (private, 404, "", &["404", "Broadcast::routes()"]),
        (private, 419, "", &["419", "CSRF"]),
        (private, 500, "", &["500", "laravel.log"]),
    ] {
        let application = Application::saying(status, body);
        examine_answer(&application, channel, &[]).expect_failed("authorization", mentions);
    }
    let gone = Application::saying(200, "true").addr;
    let examined = examine(&["--auth-url", &format!("http://{gone}/"), "--channel", private]);
    examined.expect_failed("authorization", &["--auth-url"]);
}

#[test]
fn a_signature_of_another_secret_is_seen_before_the_server_refuses_it() {
    let server = TestServer::start();
    let url = format!("ws://{}", server.addr);
    let flags = ["--url", &url, "--key", APP.key, "--app-id", APP.id, "--secret", APP.secret];
    for (secret, outcome) in [(APP.secret, "passed"), ("another", "failed")] {
        let application = Application::start(move |question| {
            let socket = question.body.split(['=', '&']).nth(1).expect("the socket comes first");
            let text = format!("{}:private-x", socket.replace("%2E", "."));
            let signature = hmac(secret, &text);
            let body = format!(r#"{{"auth":"{}:{signature}"}}"#, APP.key);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            crate::support::application::Reply::Raw([head.as_bytes(), body.as_bytes()].concat())
        });
        let examined = examine_answer(&application, "private-x", &flags);
        examined.expect("authorization", outcome, &["private-x"]);
        assert_eq!(examined.status, i32::from(outcome == "failed"));
    }
}

#[test]
fn a_yes_without_a_signature_is_well_where_fanfare_signs_it() {
    let application = Application::saying(200, "true");
    let asking = Setup::with_app(&application.settings()).start();
    let silent = TestServer::start();
    let flags = |server: &TestServer| {
        let url = format!("ws://{}", server.addr);
        ["--url", &url, "--key", APP.key, "--app-id", APP.id, "--secret", APP.secret].map(str::to_owned)
    };
    let [asking, silent] = [&asking, &silent].map(flags);
    let examine = |flags: &[String]| {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        examine_answer(&application, "private-x", &flags)
    };
    examine(&asking).expect(
        "authorization",
        "passed",
        &["Fanfare signs", "authEndpoint: 'http://127.0.0.1:"],
    );
    let with_cookie = [&asking[..], &["--cookie".to_owned(), "s=1".to_owned()]].concat();
    let own_host = format!("authEndpoint: '/ws/app/{}/auth' on the page's own host", APP.key);
    examine(&with_cookie).expect("authorization", "passed", &["Fanfare signs", &own_host]);
    examine(&silent)
        .expect_failed("authorization", &["pending for ever", "answers 404", "authorization.url"]);
}
