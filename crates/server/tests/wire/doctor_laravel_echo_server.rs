//! The doctor on a server in the place of a laravel-echo-server: remedies name the options of the JSON file.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::doctor_laravel::publishing;
use crate::support::application::Application;
use crate::support::examined::{Examined, examine, examine_in};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use fanfare_testing::redis::{Redis, free_port};

const KEY: &str = "8e2a9d1b6e4f0c3a7d5b1e9f8a6c0b2d";

/// A folder with this file, and the path of the file.
fn file(options: &Value) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("laravel-echo-server.json");
    fs::write(&path, options.to_string()).expect("the folder can be written to");
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

/// A server, and a file as the server's with its real port.
fn serving(application: &Application, clients: &Value) -> (TestServer, TempDir, String) {
    let host = format!("http://{}", application.addr);
    let options = |port: u16| {
        json!({
            "host": "127.0.0.1", "port": port, "authHost": host, "clients": clients, "subscribers": {"http": true}
        })
    };
    let setup = Setup::bare();
    fs::write(setup.folder().join("laravel-echo-server.json"), options(6001).to_string()).expect("a file");
    let server = setup.arguments(&["--laravel-echo-server", "."]).start();
    let (folder, path) = file(&options(server.addr.port()));
    (server, folder, path)
}

/// What the doctor says of a Redis with these options, where no server runs.
fn examine_redis(redis: &Value) -> Examined {
    let options = json!({"port": free_port(), "databaseConfig": {"redis": redis}});
    let (_folder, path) = file(&options);
    examine(&["--laravel-echo-server", &path, "--watch", "1"])
}

#[test]
fn a_question_about_a_channel_does_not_keep_the_doctor_from_the_server() {
    let application = Application::saying(200, "true");
    let (server, _folder, path) = serving(&application, &json!([{"appId": "1", "key": KEY}]));
    let asked = ["--channel", "private-orders.1"];
    let by_option = examine(&[&["--laravel-echo-server", &path], &asked[..]].concat());
    let by_variable = examine_in(&[("FANFARE_LARAVEL_ECHO_SERVER", &path)], &asked);
    for examined in [by_option, by_variable] {
        examined.expect_well(&["TCP", "WebSocket upgrade", "signature", "publish and receive"]);
        examined.expect(
            "Socket.IO",
            "passed",
            &["over polling", "socket.io-client 2", "no WebSocket was tried"],
        );
        let words = ["says yes", "pages with Socket.IO can subscribe", "/app/laravel-echo-server/auth"];
        examined.expect("authorization", "passed", &words);
    }
    server.process.log_line("the close of the doctor's own session", |line| {
        let is_it =
            ["connection closed", "by_client", "socket_io_polling"].iter().all(|word| line.contains(word));
        is_it.then_some(())
    });
    let question = &application.questions()[0];
    assert_eq!(
        question.header("accept").as_deref(),
        Some("application/json"),
        "as Fanfare asks for such pages"
    );
}

#[test]
fn a_refusal_of_the_application_is_told_as_a_page_with_socket_io_sees_it() {
    let application = Application::saying(403, "{\"message\":\"\"}");
    let (_server, _folder, path) = serving(&application, &json!([{"appId": "1", "key": KEY}]));
    let examined = examine(&["--laravel-echo-server", &path, "--channel", "private-orders.1"]);
    let words = [
        "Echo reports subscription_error with 403",
        "routes/channels.php",
        "authHost and authEndpoint in",
        &path,
    ];
    examined.expect_failed("authorization", &words);
}

#[test]
fn an_application_that_is_away_is_named_by_the_options_of_the_file() {
    let host = format!("http://127.0.0.1:{}", free_port());
    let (_folder, path) =
        file(&json!({"port": free_port(), "authHost": host, "subscribers": {"http": true}}));
    let examined = examine(&["--laravel-echo-server", &path, "--channel", "private-x"]);
    examined.expect_failed("authorization", &["see to authHost and authEndpoint in", &path]);
    examined.expect("TCP", "failed", &[]);
    assert!(!examined.mentions("--auth-url"));
}

#[test]
fn an_app_whose_secret_is_another_at_each_start_is_not_signed_for() {
    let application = Application::saying(200, "true");
    let (_server, _folder, path) = serving(&application, &json!([]));
    let examined = examine(&["--laravel-echo-server", &path]);
    examined.expect_well(&["app key", "Socket.IO"]);
    examined.expect(
        "signature",
        "skipped",
        &["another secret at each start", "openssl rand", "PUSHER_APP_SECRET"],
    );
}

#[test]
fn a_redis_is_named_by_the_options_of_the_file() {
    let redis = Redis::with("requirepass hush-hush\n");
    let options = |more: Value| {
        let mut all = json!({"host": "127.0.0.1", "port": redis.port});
        all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        all
    };
    examine_redis(&options(json!({}))).expect_failed("TCP", &[]).expect(
        "Redis",
        "failed",
        &["wants a password: set databaseConfig.redis.password in"],
    );
    let wrong = examine_redis(&options(json!({"password": "hush-wrong"})));
    wrong.expect(
        "Redis",
        "failed",
        &["with databaseConfig.redis.username and databaseConfig.redis.password in"],
    );
    assert!(!wrong.mentions("hush") && !wrong.mentions("REDIS_PASSWORD"));
    let away = examine_redis(&json!({"host": "127.0.0.1", "port": free_port()}));
    away.expect("Redis", "failed", &["see to databaseConfig.redis.host, databaseConfig.redis.port in"]);
    assert!(!away.mentions("REDIS_HOST"));
}

#[test]
fn a_wrong_prefix_is_mended_in_the_file() {
    let redis = Redis::start();
    let options = |prefix: &str| json!({"host": "127.0.0.1", "port": redis.port, "keyPrefix": prefix});
    publishing(&redis, "my_app_database_private-orders.1", || {
        for (prefix, found) in [("laravel_database_", "set to `laravel_database_`"), ("", "no prefix is set")]
        {
            let examined = examine_redis(&options(prefix));
            let mend = "Set databaseConfig.redis.keyPrefix to \"my_app_database_\" in";
            examined.expect("Redis prefix", "failed", &["`my_app_database_`", found, mend]);
            assert!(!examined.mentions("REDIS_PREFIX=my"));
        }
    });
    publishing(&redis, "private-orders.1", || {
        let told = examine_redis(&options(""));
        told.expect("Redis prefix", "passed", &["publishes without a prefix"]);
        let mend = "Take databaseConfig.redis.keyPrefix out of";
        examine_redis(&options("shop_")).expect("Redis prefix", "failed", &[mend]);
    });
}
