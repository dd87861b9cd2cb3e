//! What the doctor finds by itself, and that nobody hears of the doctor.

use std::fs;

use crate::support::application::Application;
use crate::support::examined::{Examined, doctor, examine, examine_at_home};
use crate::support::receiver::Receiver;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, eventually};
use fanfare_testing::redis::Redis;

const WELL: [&str; 5] = ["TCP", "app key", "signature", "clock", "publish and receive"];

/// The doctor, without a word more, where the server keeps its data.
fn alone(server: &TestServer, arguments: &[&str]) -> Examined {
    examine_at_home(server.folder(), &[("PORT", &server.addr.port().to_string())], arguments)
}

#[test]
fn without_options_the_doctor_looks_at_this_machines_server_and_its_first_app() {
    let server = Setup::bare().start();
    alone(&server, &[]).expect_well(&WELL);
}

#[test]
fn a_server_is_found_from_elsewhere_by_the_options_that_it_was_started_with() {
    let server = Setup::bare().start();
    let data = server.folder().join("fanfare-data");
    let arguments = ["--data-dir", &*data.to_string_lossy(), "--listen", &server.addr.to_string()];
    examine(&arguments).expect_well(&WELL);
}

#[test]
fn the_command_that_the_start_prints_finds_a_server_at_another_port_with_other_data() {
    let data = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = data.path().to_str().expect("it is text");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let listen = port.expect("a free port").to_string();
    let options = ["--listen", &listen, "--admin-listen", "127.0.0.1:0", "--data-dir", folder];
    let server = Setup::bare().command(Some("serve")).arguments(&options).start();
    let printed = eventually("the start prints the doctor's line", || {
        let lines = server.process.lines_so_far();
        lines.into_iter().find_map(|line| line.split_once(" doctor ").map(|(_, options)| options.to_owned()))
    });
    let elsewhere = tempfile::tempdir().expect("a temporary folder can be made");
    let words: Vec<&str> = printed.split(' ').collect();
    examine_at_home(elsewhere.path(), &[], &words).expect_well(&WELL);
}

#[test]
fn an_app_of_the_database_is_found_by_its_id_with_its_feed_and_its_application() {
    let redis = Redis::start();
    let application = Application::raw("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    let url = format!("redis_feed.url=redis://127.0.0.1:{}", redis.port);
    let asked = format!("authorization.url=http://{}/broadcasting/auth", application.addr);
    let server = TestServer::with_stored_app(&[&url, "redis_feed.prefix=shop_", &asked]);
    let arguments = ["--app-id", APP.id, "--watch", "1", "--channel", "private-a"];
    let port = server.addr.port().to_string();
    fs::write(server.folder().join("empty.toml"), "").expect("the folder can be written to");
    let arguments = [&["--config", "empty.toml"], &arguments[..]].concat();
    let examined = examine_at_home(server.folder(), &[("PORT", &port)], &arguments);
    for hop in WELL.iter().chain(&["Redis"]) {
        examined.expect(hop, "passed", &[]);
    }
    examined.expect_failed("authorization", &["private-a", "403"]);
}

#[test]
fn a_channel_without_anybody_to_ask_is_told_in_the_words_of_what_was_given() {
    let ended = doctor(&["--url", "ws://127.0.0.1:1", "--channel", "private-a"]);
    assert_eq!(ended.status, 64);
    assert!(
        ended.stderr.starts_with("fanfare: --channel: no URL is known that could be asked"),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_configurations_warnings_are_among_the_findings() {
    let server = Setup::bare().start();
    fs::write(server.folder().join("f.toml"), "[webhooks]\ntimeout = 5\n").expect("it can be written");
    alone(&server, &["--config", "f.toml"]).expect(
        "configuration",
        "noted",
        &["webhooks.timeout is 5 milliseconds"],
    );
}

/// Every group of events but `users`: the doctor signs in, as docs/doctor.md says.
const ALL_OF_CHANNELS: [&str; 5] =
    ["channel_existence", "presence", "client_events", "cache_miss", "subscription_count"];

#[test]
fn no_webhook_of_channels_hears_of_the_doctor_and_no_list_of_channels_shows_one() {
    let receiver = Receiver::new();
    let app = format!("client_events = true\n{}", receiver.setting(&ALL_OF_CHANNELS));
    let server = Setup::bare().config("[webhooks]\ndelay = 0").app(APP, &app).start();
    let url = format!("ws://{}", server.addr);
    let arguments = ["--url", &*url, "--key", APP.key, "--app-id", APP.id, "--secret", APP.secret];
    for _ in 0..2 {
        examine(&arguments).expect_well(&WELL);
    }
    // What happens later is told later: had the doctor been told of, it would stand in front.
    let mut socket = server.connect();
    socket.subscribe("news");
    receiver.expect(&["channel_occupied news", "subscription_count news subscription_count=1"]);
    let listed = server.api().get("/channels", &[]);
    assert_eq!(listed.body, r#"{"channels":{"news":{}}}"#);
}
