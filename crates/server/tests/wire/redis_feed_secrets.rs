//! The password in the URL of a Redis: used, and never shown; sealed where it is stored.

use std::fs;

use crate::support::admin::Admin;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, eventually};
use fanfare_testing::certificates;
use fanfare_testing::redis::Redis;

const PASSWORD: &str = "hush-hush";

fn guarded() -> Redis {
    Redis::with(&format!("requirepass {PASSWORD}\n")).log_in_with(&["-a", PASSWORD, "--no-auth-warning"])
}

fn url(redis: &Redis) -> String {
    format!("redis://:{PASSWORD}@127.0.0.1:{}", redis.port)
}

fn shown(redis: &Redis) -> String {
    format!("redis://***@127.0.0.1:{}", redis.port)
}

/// Whether the database's files hold the password.
fn is_stored_in_clear(server: &TestServer) -> bool {
    let files = fs::read_dir(server.folder().join("fanfare-data")).expect("the data directory is there");
    files.flatten().any(|file| {
        let bytes = fs::read(file.path()).expect("its files can be read");
        bytes.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes())
    })
}

#[test]
fn the_effective_configuration_shows_where_a_redis_is_but_no_password() {
    let redis = guarded();
    let app = format!("redis_feed = {{ url = \"{}\", prefix = \"b_\" }}", url(&redis));
    let ended = Setup::with_app(&app)
        .config(&format!("[redis_feed]\nurl = \"{}\"\nprefix = \"a_\"", url(&redis)))
        .arguments(&["--print"])
        .run();
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(ended.stdout.matches(&shown(&redis)).count(), 2, "{}", ended.stdout);
    assert!(!ended.stdout.contains(PASSWORD), "{}", ended.stdout);
}

#[test]
fn command_line_administration_api_and_log_show_no_password() {
    let redis = guarded();
    let setting = format!("redis_feed.url={}", url(&redis));
    let server = TestServer::with_stored_app(&[&setting, "redis_feed.prefix=a_"]);
    server.expect_metric("fanfare_redis_feed_connections_up", 1.0);
    let admin = Admin::with(&server, "read,write,secrets");
    let said = [
        server.commanded(&["app", "show", APP.id, "--secrets"]),
        server.commanded(&["app", "show", APP.id, "--secrets", "--json"]),
        admin.get("/v1/apps/3").expect(200).to_string(),
        admin.get("/v1/apps").expect(200).to_string(),
        admin.patch("/v1/apps/3", r#"{"settings":{"client_events":true}}"#).expect(200).to_string(),
    ];
    for text in &said {
        assert!(text.contains(&shown(&redis)) && !text.contains(PASSWORD), "{text}");
    }
    // A masked URL cannot be stored by mistake; the password stays.
    let body = serde_json::json!({"settings": {"redis_feed": {"url": shown(&redis)}}}).to_string();
    let fault =
        "redis_feed.url: the Redis URL has its password masked; leave it out to keep the one that is stored";
    admin.patch("/v1/apps/3", &body).refused(422, "faults", &[fault]);
    let wrong = server.command(&["app", "update", APP.id, "--set", "redis_feed.url=redis://user:hush-hush"]);
    assert!(wrong.status != 0 && !wrong.stderr.contains(PASSWORD), "{}", wrong.stderr);
    redis.publish("a_cache-a", r#"{"event":"e","data":1}"#);
    server.expect_metric("fanfare_events_published_total{app=\"3\"}", 1.0);
    assert!(!server.process.stderr().contains(PASSWORD), "{}", server.process.stderr());
}

#[test]
fn the_url_may_come_from_a_file_so_that_the_password_is_on_no_command_line() {
    let redis = guarded();
    let server = TestServer::with_stored_app(&[]);
    fs::write(server.folder().join("url"), url(&redis) + "\n").expect("the folder can be written to");
    let words = ["app", "update", APP.id, "--redis-url-file", "url", "--set", "redis_feed.prefix=a_"];
    assert!(server.commanded(&words).contains(&shown(&redis)));
    server.expect_metric("fanfare_redis_feed_connections_up", 1.0);
}

#[test]
fn with_a_master_key_the_url_is_stored_sealed() {
    let redis = guarded();
    let key = ("FANFARE_MASTER_KEY", "a".repeat(64));
    let server = Setup::bare().env(key.0, &key.1).start();
    let setting = format!("redis_feed.url={}", url(&redis));
    let made = server.create_app(&[&setting, "redis_feed.prefix=a_"], &[(key.0, &key.1)]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    server.expect_metric("fanfare_redis_feed_connections_up", 1.0);
    assert!(!is_stored_in_clear(&server));
    let json = server.commanded(&["app", "show", APP.id, "--json"]);
    assert!(!json.contains("sealed:"), "without the key there is nothing to show: {json}");
}

#[test]
fn a_url_that_was_stored_before_there_was_a_master_key_is_sealed_with_the_secrets() {
    let redis = guarded();
    let setting = format!("redis_feed.url={}", url(&redis));
    let server = TestServer::with_stored_app(&[&setting, "redis_feed.prefix=a_"]);
    let file = server.folder().join("key");
    fs::write(&file, "a".repeat(64)).expect("the folder can be written to");
    let folder = server.stop();
    let setup =
        Setup::bare().in_folder(folder).command(Some("app")).env("FANFARE_MASTER_KEY", &"a".repeat(64));
    let refused = setup.run_with(&["seal-secrets"]);
    assert_eq!((refused.status, &*refused.stdout), (64, ""), "{}", refused.stderr);
    for part in ["3 secrets are to be sealed", "every server's apps.master_key_file", "--yes"] {
        assert!(refused.stderr.contains(part), "{part} is not in {}", refused.stderr);
    }
    let update = ["update", APP.id, "--set", &setting];
    for arguments in [&["rotate-key", APP.id][..], &["create"], &update] {
        let ended = setup.run_with(arguments);
        assert_eq!(ended.status, 64, "a key that servers may lack seals nothing by the way: {arguments:?}");
        assert!(ended.stderr.contains("fanfare app seal-secrets"), "{}", ended.stderr);
    }
    let sealed = setup.run_with(&["seal-secrets", "--yes"]);
    assert_eq!((sealed.status, &*sealed.stdout), (0, "3 secrets were sealed anew\n"), "{}", sealed.stderr);
}

#[test]
fn a_private_authority_is_believed_for_the_redis_of_node_and_apps() {
    let certificates = certificates::directory();
    let redis = Redis::tls(certificates.path());
    let ca = certificates.path().join("ca.pem");
    let app = format!("redis_feed = {{ url = \"rediss://127.0.0.1:{}\", prefix = \"a_\" }}", redis.port);
    let server = Setup::with_app(&app).config(&format!("[redis_feed]\nca_file = {ca:?}")).start();
    server.expect_metric("fanfare_redis_feed_connections_up", 1.0);
    let without = Setup::with_app(&app).start();
    eventually("it is told", || without.process.stderr().contains("redis_feed.ca_file").then_some(()));
}
