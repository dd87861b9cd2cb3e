//! Settings that a running server takes over on SIGHUP, as clients, back ends and operators see them; and what it refuses.

use std::fs;

use rustix::process::Signal;

use crate::support::api::Request;
use crate::support::receiver::Receiver;
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::socket::{FIN, Socket, TEXT, masked};
use crate::support::upgrade::Upgrade;
use crate::support::{APP, App, OTHER, PONG, eventually};

/// An app that is in no file at first.
const NEW: App = App { id: "55", key: "newkey0123456789abcd", secret: "newsecret012345678901" };

/// The lines of an app.
fn app(App { id, key, secret }: App, settings: &str) -> String {
    format!("[[apps.list]]\nid = \"{id}\"\nkey = \"{key}\"\nsecret = \"{secret}\"\n{settings}\n")
}

/// Lines of the log with this text.
fn logged(server: &TestServer, text: &str) -> usize {
    server.process.stderr().lines().filter(|line| line.contains(text)).count()
}

/// Puts this file in the place of the server's, and waits until the log says so often that a reload has ended so.
#[track_caller]
fn reload(server: &TestServer, toml: &str, said: &str) {
    fs::write(server.folder().join("fanfare.toml"), toml).expect("the folder can be written to");
    let before = logged(server, said);
    server.process.signal(Signal::HUP);
    eventually(said, || (logged(server, said) > before).then_some(()));
}

/// As [`reload`], which must take over everything.
#[track_caller]
fn taken_over(server: &TestServer, toml: &str) {
    reload(server, toml, "settings reloaded");
}

/// Sends so many client events in one write.
fn burst(socket: &mut Socket, count: usize) {
    let event = r#"{"event":"client-e","data":1,"channel":"private-a"}"#;
    socket.raw(&masked(FIN | TEXT, event.as_bytes()).repeat(count));
    socket.send(r#"{"event":"pusher:ping"}"#);
}

#[test]
fn apps_of_the_file_come_change_and_go_and_only_the_connections_of_those_that_go_are_closed() {
    let server = Setup::new().app(OTHER, "").start();
    let (mut stays, mut goes) = (server.connect(), server.connect_to(OTHER));
    stays.subscribe("news");
    taken_over(&server, &format!("{}{}", app(APP, "client_events = true"), app(NEW, "")));
    goes.expect_close_code(4001);
    server.open(&pusher_js(OTHER)).expect_close_code(4001);
    assert_eq!(server.api_of(OTHER).get("/channels", &[]).head.status, 404);
    let mut new = server.connect_to(NEW);
    new.subscribe("news");
    server.api_of(NEW).publish("news", "e", "of the new app");
    new.expect_event("news", "e", "of the new app");
    server.api().publish("news", "e", "of the old app");
    stays.expect_event("news", "e", "of the old app");
    server.process.log_line("the names", |line| {
        line.contains("apps.list (app 3 changed), apps.list (app 55 added), apps.list (app 44 removed)")
            .then_some(())
    });
    assert!(!server.process.stderr().contains(NEW.secret), "no secret is logged");

    taken_over(&server, &format!("{}{}", app(APP, ""), app(NEW, "enabled = false")));
    new.expect_close_code(4003);
    stays.expect_nothing_more();
    taken_over(&server, &format!("{}{}", app(APP, ""), app(NEW, "")));
    server.connect_to(NEW).expect_nothing_more();
}

#[test]
fn limits_and_rates_hold_for_connections_that_are_open() {
    let server = Setup::with_app("client_events = true").start();
    let mut socket = server.connect();
    socket.subscribe_private(APP, "private-a");
    socket.subscribe("one");
    burst(&mut socket, 5);
    socket.expect_text(PONG);
    let limits = "[limits]\nclient_events_per_second = 1\nchannels_per_connection = 2\nevent_bytes = 10\n";
    taken_over(&server, &format!("{limits}{}", app(APP, "client_events = true")));
    socket.ask_for("two");
    let (_, said) = socket.error();
    assert!(said.contains("limits.channels_per_connection"), "{said}");
    burst(&mut socket, 5);
    let (code, said) = socket.error();
    assert_eq!(code, Some(4301));
    assert!(said.contains("more than 1 client events a second"), "{said}");
    let event = r#"{"name":"e","channel":"one","data":"longer than ten bytes"}"#;
    server.api().send(&Request::post("/apps/3/events", event)).refused(413, "(10 bytes)");
}

#[test]
fn the_bound_of_an_outbox_holds_for_connections_that_are_open() {
    let server = Setup::new().start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let small =
        "[limits]\noutbox_bytes = 100000\nevent_bytes = 10000\nclient_event_bytes = 1000\nmembers = 1\n";
    taken_over(&server, &format!("{small}{}", app(APP, "")));
    let mut api = server.api();
    let data = "x".repeat(10_000);
    // The socket takes some, the outbox the rest, until that is too much.
    eventually("the slow consumer is closed", || {
        api.publish("news", "e", &data);
        (server.metric("fanfare_closes_total{code=\"4100\",reason=\"slow_reader\"}") > 0.5).then_some(())
    });
    drop(socket);
}

#[test]
fn origins_of_an_app_hold_for_newcomers() {
    let server = Setup::new().start();
    let open = |origin: &str| Upgrade::to(&pusher_js(APP)).header("Origin", origin).open(server.addr).1;
    let mut before = open("https://a.example.com").established(50);
    taken_over(&server, &app(APP, "allowed_origins = [\"b.example.com\"]"));
    open("https://a.example.com").expect_close_code(4009);
    open("https://b.example.com").established(50).expect_nothing_more();
    before.expect_nothing_more();
}

#[test]
fn timeouts_and_requirements_of_clients_hold_for_newcomers() {
    let server = Setup::new().start();
    let mut before = server.connect();
    let toml = "[timeouts]\nactivity = 33\nkeep_alive = 44\n[listen]\nversion_required = true\npath_prefix = \"/p\"\n";
    taken_over(&server, &format!("{toml}{}", app(APP, "")));
    server.open(&format!("/p{}", pusher_js(APP))).established(33).expect_nothing_more();
    server.open(&format!("/p/app/{}", APP.key)).expect_close_code(4008);
    assert_eq!(server.public("/p/up").head.header("keep-alive"), Some("timeout=44"));
    before.expect_nothing_more();
}

#[test]
fn proxies_are_trusted_from_then_on_and_no_longer() {
    let server = Setup::with_app("force_tls = true").start();
    let open = || Upgrade::to(&pusher_js(APP)).header("X-Forwarded-Proto", "https").open(server.addr).1;
    let mut before = open().established(50);
    taken_over(&server, &format!("[listen]\ntrusted_proxies = []\n{}", app(APP, "force_tls = true")));
    open().expect_close_code(4000);
    before.expect_nothing_more();
    taken_over(&server, &app(APP, "force_tls = true"));
    open().established(50).expect_nothing_more();
}

#[test]
fn the_filter_of_the_log_is_taken_over() {
    let server = Setup::new().start();
    let mut socket = server.connect();
    let refused = "command refused";
    socket.send("no command");
    socket.error();
    taken_over(&server, &format!("[log]\nfilter = \"info,fanfare::connection=debug\"\n{}", app(APP, "")));
    assert_eq!(logged(&server, refused), 0, "{}", server.process.stderr());
    socket.send("no command");
    socket.error();
    server.process.log_line(refused, |line| line.contains(refused).then_some(()));
}

#[test]
fn webhooks_of_an_app_and_their_times_are_taken_over() {
    let (first, second) = (Receiver::new(), Receiver::new());
    let events = &["channel_existence"];
    let file = |receiver: &Receiver, delay: u32| {
        format!("[webhooks]\ndelay = {delay}\n{}{}", app(APP, ""), receiver.setting(events))
    };
    let server = Setup::new().config("[webhooks]\ndelay = 60000\n").start();
    taken_over(&server, &file(&first, 60_000));
    let mut socket = server.connect();
    socket.subscribe("news");
    first.requests(1);
    taken_over(&server, &file(&second, 0));
    socket.subscribe("others");
    socket.unsubscribe("others");
    // Without a delay both come at once, to the new URL.
    eventually("both events", || {
        let bodies: String = second.so_far().into_iter().map(|request| request.body).collect();
        let both = ["channel_occupied", "channel_vacated"];
        both.iter().all(|name| bodies.contains(&format!(r#""{name}","channel":"others""#))).then_some(())
    });
    assert_eq!(first.so_far().len(), 1);
}

#[test]
fn a_faulty_file_changes_nothing_and_every_fault_is_named() {
    let server = Setup::new().start();
    let mut socket = server.connect();
    let successful = "fanfare_config_last_reload_successful";
    assert!(server.metric(successful) > 0.5);
    let faulty =
        format!("[limits]\nevent_bytes = 10\nmembers = 0\n[log]\nfilter = \"loud\"\n{}", app(NEW, ""));
    reload(&server, &faulty, "the reload is refused whole");
    for fault in ["fanfare.toml:3: limits.members must be", "fanfare.toml:5: log.filter must be"] {
        assert_eq!(logged(&server, fault), 1, "{fault}: {}", server.process.stderr());
    }
    server.expect_metric(successful, 0.0);
    server.open(&pusher_js(NEW)).expect_close_code(4001);
    let event = r#"{"name":"e","channel":"one","data":"longer than ten bytes"}"#;
    assert_eq!(server.api().send(&Request::post("/apps/3/events", event)).head.status, 200);
    socket.expect_nothing_more();
    taken_over(&server, &app(APP, ""));
    server.expect_metric(successful, 1.0);
}

#[test]
fn what_needs_a_restart_is_named_and_keeps_its_value_until_then() {
    let server = Setup::new().config("[limits]\nconnections = 2\n").start();
    let first = server.connect();
    taken_over(&server, &format!("[limits]\nconnections = 1\nbatch = 5\n{}", app(APP, "")));
    server.process.log_line("the name", |line| {
        line.ends_with("changed settings that need a restart, and stay as they were: limits.connections")
            .then_some(())
    });
    server.expect_metric("fanfare_config_settings_need_restart", 1.0);
    assert_eq!(server.admin("/ready").body, "ready; 1 changed settings need a restart, all goes on\n");
    let second = server.connect();
    server.open(&pusher_js(APP)).expect_close_code(4100);
    // The same value as at the start needs none.
    taken_over(&server, &format!("[limits]\nconnections = 2\nbatch = 5\n{}", app(APP, "")));
    server.expect_metric("fanfare_config_settings_need_restart", 0.0);
    assert_eq!(server.admin("/ready").body, "ready\n");
    drop((first, second));
}

#[test]
fn a_file_without_apps_leaves_the_server_without_a_database_until_a_restart() {
    let server = Setup::new().start();
    let mut socket = server.connect();
    taken_over(&server, "[limits]\nbatch = 5\n");
    socket.expect_close_code(4001);
    server.process.log_line("the database", |line| {
        line.ends_with("and stay as they were: apps.database").then_some(())
    });
    assert!(!server.folder().join("fanfare-data").exists(), "no database is made");
}
