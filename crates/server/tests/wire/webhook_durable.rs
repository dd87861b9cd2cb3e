//! Durable webhooks: what was not delivered outlives the server, and is delivered once somebody accepts it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fanfare_testing::postgres::Postgres;
use fanfare_testing::redis::Redis;
use serde_json::{Value, json};

use crate::cluster_webhooks::pair_that_tells;
use crate::support::application::{Question, Reply};
use crate::support::receiver::{Receiver, events_of, expect_signed};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, OTHER, eventually, eventually_within};
use crate::webhook_deliveries::deliveries;

const KEPT: &str = "fanfare_webhook_requests_kept_total{app=\"3\"}";
const NOT_KEPT: &str = "fanfare_webhook_requests_not_kept_total{app=\"3\"}";
const FAILURES: &str = "fanfare_webhook_failures_total{app=\"3\"}";
const KEPT_DROPPED: &str = "fanfare_webhook_kept_dropped_total{app=\"3\"}";
const DELIVERIES: &str = "fanfare_webhook_deliveries_total{app=\"3\"}";

/// A lease of a killed node, of two attempts and five seconds, has to end.
const LONG: Duration = Duration::from_secs(40);

/// A receiver that refuses until it is told to accept.
struct Moody {
    receiver: Receiver,
    accepts: Arc<AtomicBool>,
}

impl Moody {
    fn refusing() -> Self {
        let accepts = Arc::<AtomicBool>::default();
        let says = Arc::clone(&accepts);
        let receiver = Receiver::saying(move |_| match says.load(Ordering::SeqCst) {
            true => Reply::Body(200, ""),
            false => Reply::Body(503, "no"),
        });
        Self { receiver, accepts }
    }

    /// Accepts from now on; returns the number of requests before.
    fn accept(&self) -> usize {
        let before = self.receiver.so_far().len();
        self.accepts.store(true, Ordering::SeqCst);
        before
    }

    fn refuse(&self) {
        self.accepts.store(false, Ordering::SeqCst);
    }

    /// The requests since `before`, once there are so many.
    #[track_caller]
    fn accepted(&self, before: usize, count: usize) -> Vec<Question> {
        eventually_within(LONG, &format!("{count} accepted requests"), || {
            let requests = self.receiver.so_far();
            (requests.len() >= before + count).then(|| requests[before..].to_vec())
        })
    }
}

/// The webhook of the app of the configuration.
fn durable(receiver: &Receiver) -> String {
    format!("{}durable = true\n", receiver.setting(&["channel_existence"]))
}

/// Settings of a server that retries at once, with its database.
fn retrying(database: &str, more: &str) -> Setup {
    let timeout = if more.contains("timeout") { "" } else { "timeout = 500\n" };
    let retry = if more.contains("retry") { "" } else { "retry = 20\n" };
    let config = format!("[apps]\ndatabase = {database:?}\n[webhooks]\n{retry}{timeout}{more}");
    Setup::bare().config(&config)
}

fn start(receiver: &Receiver, more: &str) -> TestServer {
    retrying("sqlite", more).app(APP, &durable(receiver)).start()
}

/// Has channels become occupied.
fn occupy(server: &TestServer, count: usize) {
    let mut socket = server.connect();
    for number in 0..count {
        socket.subscribe(&format!("c{number:02}"));
    }
    // The channels stay occupied until the server ends.
    std::mem::forget(socket);
}

/// Which request the last attempt was of.
fn last_request(server: &TestServer) -> Value {
    deliveries(server)["webhooks"][0]["deliveries"][0]["request"].take()
}

fn told(requests: &[Question]) -> Vec<String> {
    requests.iter().flat_map(events_of).collect()
}

#[test]
fn hook_005_what_was_refused_is_delivered_after_kill_9_the_same_and_signed_and_then_is_gone() {
    let moody = Moody::refusing();
    let server = start(&moody.receiver, "");
    occupy(&server, 1);
    let first = moody.receiver.requests(1).remove(0);
    server.expect_metric(KEPT, 1.0);
    let request = last_request(&server);
    let folder = server.killed();
    let before = moody.accept();
    let again = || retrying("sqlite", "").app(APP, &durable(&moody.receiver));
    let server = again().in_folder(folder).start();
    let delivered = moody.accepted(before, 1).remove(0);
    assert_eq!((&delivered.head, &delivered.body), (&first.head, &first.body));
    expect_signed(&delivered, APP);
    server.expect_metric(DELIVERIES, 1.0);
    assert!(request.is_string() && last_request(&server) == request, "the id of the request, too");
    let database = server.killed();
    // Of what is kept later, nothing older comes along.
    moody.refuse();
    let server = again().in_folder(database).start();
    server.connect().subscribe("later");
    server.expect_metric(KEPT, 1.0);
    let before = moody.accept();
    let later = moody.accepted(before, 1);
    assert!(told(&later).iter().all(|event| event.contains("later")), "{later:?}");
}

#[test]
fn what_waits_at_the_end_of_a_drain_is_delivered_by_the_next_start_in_order() {
    let accepts = Arc::<AtomicBool>::default();
    let says = Arc::clone(&accepts);
    let receiver = Receiver::saying(move |_| match says.load(Ordering::SeqCst) {
        true => Reply::Body(200, ""),
        false => Reply::Hang,
    });
    let config = "[apps]\ndatabase = \"sqlite\"\n[webhooks]\ndelay = 0\n[timeouts]\ndrain = 1";
    let setup = || Setup::bare().config(config).app(APP, &durable(&receiver));
    let server = setup().start();
    let mut socket = server.connect();
    socket.subscribe("news");
    receiver.requests(1);
    socket.unsubscribe("news");
    socket.subscribe("news");
    let folder = server.stop();
    let before = receiver.so_far().len();
    accepts.store(true, Ordering::SeqCst);
    let _server = setup().in_folder(folder).start();
    let wanted =
        ["channel_occupied news", "channel_vacated news", "channel_occupied news", "channel_vacated news"];
    let delivered = eventually_within(LONG, "all events", || {
        let delivered = receiver.so_far()[before..].to_vec();
        (delivered.len() >= wanted.len()).then_some(delivered)
    });
    assert_eq!(told(&delivered), wanted);
    delivered.iter().for_each(|request| expect_signed(request, APP));
}

/// A receiver that refuses, then accepts slowly, and how many requests were accepted, and how many were there at once.
fn slow(accepts: &Arc<AtomicBool>) -> (Receiver, Arc<[AtomicUsize; 3]>) {
    let counts = Arc::<[AtomicUsize; 3]>::default();
    let (says, seen) = (Arc::clone(accepts), Arc::clone(&counts));
    let receiver = Receiver::saying(move |_| {
        if !says.load(Ordering::SeqCst) {
            return Reply::Body(503, "no");
        }
        let [accepted, now, most] = &*seen;
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(100));
        now.fetch_sub(1, Ordering::SeqCst);
        accepted.fetch_add(1, Ordering::SeqCst);
        Reply::Body(200, "")
    });
    (receiver, counts)
}

#[test]
fn hook_023_a_request_that_is_always_refused_keeps_its_backoff_and_holds_up_no_others() {
    const COUNT: usize = 20;
    let accepts = Arc::<AtomicBool>::default();
    let says = Arc::clone(&accepts);
    let receiver = Receiver::deciding(move |request| {
        match says.load(Ordering::SeqCst) && !request.body.contains("c00") {
            true => Reply::Body(200, ""),
            false => Reply::Body(503, "no"),
        }
    });
    let server = start(&receiver, "timeout = 5000\nretry = 2000");
    occupy(&server, COUNT);
    server.expect_metric(KEPT, COUNT as f64);
    accepts.store(true, Ordering::SeqCst);
    let others = (COUNT - 1) as f64;
    eventually_within(LONG, "all others", || (server.metric(DELIVERIES) > others - 0.5).then_some(()));
    let refused = receiver.so_far().iter().filter(|request| request.body.contains("c00")).count();
    assert!(refused < COUNT / 2, "it was tried {refused} times, as if each delivery made it due");
}

#[test]
fn a_server_with_an_older_configuration_leaves_kept_requests_of_an_unknown_app_and_url_to_others() {
    let postgres = Postgres::start();
    let (moody, known) = (Moody::refusing(), Moody::refusing());
    let setup = || retrying(&postgres.url(), "").app(OTHER, &durable(&known.receiver));
    let newer = setup().app(APP, &durable(&moody.receiver)).start();
    occupy(&newer, 1);
    newer.connect_to(OTHER).subscribe("news");
    newer.expect_metric(KEPT, 1.0);
    newer.expect_metric(&KEPT.replace('3', OTHER.id), 1.0);
    newer.killed();
    let before = known.accept();
    let older = setup().start();
    // It sends what it knows: so it has looked at all that is kept. Its end waits for what it does with that.
    known.accepted(before, 1);
    older.stop();
    let before = moody.accept();
    let _newer = setup().app(APP, &durable(&moody.receiver)).start();
    assert_eq!(told(&moody.accepted(before, 1)), ["channel_occupied c00"]);
}

#[test]
fn of_two_servers_on_one_database_one_at_a_time_delivers_what_a_third_has_kept_that_died() {
    const COUNT: u8 = 20;
    let postgres = Postgres::start();
    let accepts = Arc::<AtomicBool>::default();
    let (receiver, counts) = slow(&accepts);
    let setup = || retrying(&postgres.url(), "timeout = 5000").app(APP, &durable(&receiver));
    let server = setup().start();
    occupy(&server, COUNT.into());
    server.expect_metric(KEPT, COUNT.into());
    server.killed();
    let servers = [setup().start(), setup().start()];
    // Both are at work when the URL begins to answer.
    for server in &servers {
        eventually_within(LONG, "each has tried", || (server.metric(FAILURES) > 2.5).then_some(()));
    }
    accepts.store(true, Ordering::SeqCst);
    let delivered = || servers.iter().map(|server| server.metric(DELIVERIES)).sum::<f64>();
    eventually_within(LONG, "all are delivered", || (delivered() > f64::from(COUNT) - 0.5).then_some(()));
    for server in servers {
        server.stop();
    }
    let [accepted, _, most] = &*counts;
    assert_eq!((accepted.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (COUNT.into(), 1));
}

#[test]
fn when_a_url_has_too_many_kept_requests_the_oldest_go_and_are_counted_and_logged() {
    let moody = Moody::refusing();
    let server = start(&moody.receiver, "durable_url_requests = 3");
    occupy(&server, 10);
    server.expect_metric(KEPT, 10.0);
    server.expect_metric(KEPT_DROPPED, 7.0);
    server.expect_metric("fanfare_webhook_events_dropped_total{app=\"3\"}", 7.0);
    server.process.log_line("what was dropped", |line| {
        let parts = ["WARN", "kept requests of webhooks were dropped", "app=\"3\"", "no room"];
        parts.iter().all(|part| line.contains(part)).then_some(())
    });
    assert!(!server.process.stderr().contains("c00"), "no channel is logged");
    let folder = server.killed();
    let before = moody.accept();
    let setup = retrying("sqlite", "durable_url_requests = 3").app(APP, &durable(&moody.receiver));
    let server = setup.in_folder(folder).start();
    server.expect_metric(DELIVERIES, 3.0);
    assert_eq!(moody.accepted(before, 3).len(), 3);
}

#[test]
fn who_answers_at_once_leaves_no_trace_in_the_database() {
    let receiver = Receiver::new();
    let server = start(&receiver, "");
    let files = || {
        let of = |name: &str| fs::read(server.folder().join("fanfare-data").join(name)).unwrap_or_default();
        [of("fanfare.db"), of("fanfare.db-wal")]
    };
    assert!(!files()[0].is_empty(), "the database is looked for in the wrong place");
    // The server may still write of its own at first; what is written for deliveries is written each time.
    let is_untouched = (1..=3).any(|round| {
        let before = files();
        let mut socket = server.connect();
        for number in 0..50 {
            socket.subscribe(&format!("c{round}-{number}"));
        }
        server.expect_metric(DELIVERIES, f64::from(round * 50));
        std::mem::forget(socket);
        files() == before
    });
    assert!(is_untouched, "something was written");
    assert!(server.metric(KEPT) < 0.5);
}

#[test]
fn while_the_database_is_away_all_goes_on_and_requests_are_retried_from_memory() {
    let mut postgres = Postgres::start();
    let moody = Moody::refusing();
    let server = retrying(&postgres.url(), "").app(APP, &durable(&moody.receiver)).start();
    postgres.kill();
    let mut socket = server.connect();
    socket.subscribe("news");
    server.api().publish("news", "e", "d");
    socket.expect_event("news", "e", "d");
    eventually("it could not be kept", || (server.metric(NOT_KEPT) > 0.5).then_some(()));
    assert!(server.metric(KEPT) < 0.5);
    let before = moody.accept();
    assert_eq!(told(&moody.accepted(before, 1)), ["channel_occupied news"]);
    moody.refuse();
    postgres.restart();
    socket.subscribe("later");
    eventually_within(LONG, "it is kept again", || (server.metric(KEPT) > 0.5).then_some(()));
    let before = moody.accept();
    assert_eq!(told(&moody.accepted(before, 1))[0], "channel_occupied later");
}

#[test]
fn kept_requests_go_with_their_webhook_and_are_signed_anew_when_their_key_was_revoked() {
    let moody = Moody::refusing();
    let url = moody.receiver.url();
    let webhooks = format!(r#"webhooks=[{{"url":"{url}","events":["channel_existence"],"durable":true}}]"#);
    let server = Setup::bare().config("[webhooks]\nretry = 20").start();
    assert_eq!(server.create_app(&[&webhooks], &[]).status, 0);
    server.expect_app_known();
    occupy(&server, 1);
    server.expect_metric(KEPT, 1.0);
    let rotated = server.commanded(&["app", "rotate-key", APP.id]);
    server.commanded(&["app", "revoke-key", APP.id, APP.key]);
    eventually("the key is revoked", || {
        (server.api().get("/channels", &[]).head.status != 200).then_some(())
    });
    let before = moody.accept();
    let delivered = moody.accepted(before, 1).remove(0);
    let new = delivered.header("x-pusher-key").expect("HOOK-003");
    assert!(new != APP.key && rotated.contains(&new), "{rotated}");
    moody.refuse();
    server.commanded(&["app", "update", APP.id, "--set", &webhooks.replace("true", "true,\"enabled\":true")]);
    let mut socket = server.open(&format!("/app/{new}?protocol=7")).established(50);
    socket.subscribe("other");
    server.expect_metric(KEPT, 2.0);
    server.commanded(&["app", "update", APP.id, "--set", "webhooks=[]"]);
    eventually_within(LONG, "the request goes", || (server.metric(KEPT_DROPPED) > 0.5).then_some(()));
    let before = moody.accept();
    server.stop();
    assert_eq!(moody.receiver.so_far().len(), before, "nothing is told any more");
}

#[test]
fn without_a_database_a_durable_webhook_stops_the_start() {
    let receiver = Receiver::new();
    let ended = Setup::bare().app(APP, &durable(&receiver)).run();
    assert_eq!(ended.status, 64, "{}", ended.stderr);
    let wanted = "apps.list[1].webhooks[1].durable is true, but there is no database";
    assert!(ended.stderr.contains(wanted), "{}", ended.stderr);
}

#[test]
fn cl_032_and_cl_113_what_a_dead_sender_of_a_cluster_had_kept_is_delivered_once_by_another_node() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let moody = Moody::refusing();
    let database = postgres.url();
    let sections = format!("[apps]\ndatabase = {database:?}\n[webhooks]\nretry = 20\ntimeout = 500");
    let [sender, other] = pair_that_tells(&redis, &sections, &durable(&moody.receiver));
    let mut socket = other.connect();
    socket.subscribe("news");
    sender.expect_metric(KEPT, 1.0);
    // By now Redis has long been told that the event is done.
    eventually_within(LONG, "retries", || {
        (sender.metric(FAILURES) + other.metric(FAILURES) > 3.5).then_some(())
    });
    assert!(other.metric(KEPT) < 0.5, "one node keeps it");
    sender.killed();
    eventually_within(LONG, "the other sends for all", || {
        (other.metric("fanfare_bus_hooks_taken_over_total") > 15.5).then_some(())
    });
    let before = moody.accept();
    moody.accepted(before, 1);
    moody.refuse();
    socket.subscribe("sport");
    other.expect_metric(KEPT, 1.0);
    // What is older and kept is sent first.
    moody.accept();
    eventually_within(LONG, "both are delivered", || (other.metric(DELIVERIES) > 1.5).then_some(()));
    let mut told = told(&moody.receiver.so_far()[before..]);
    told.dedup();
    assert_eq!(told, ["channel_occupied news", "channel_occupied sport"]);
    other.expect_metric(DELIVERIES, 2.0);
    assert!(other.metric(KEPT) < 1.5, "the other was told of the event a second time");
}

#[test]
fn con_054_deliveries_tell_how_many_requests_are_kept_in_the_database_and_when_it_is_not_known() {
    let mut postgres = Postgres::start();
    let moody = Moody::refusing();
    for database in ["sqlite", &postgres.url()] {
        let server = retrying(database, "").app(APP, &durable(&moody.receiver)).start();
        let none = deliveries(&server);
        assert_eq!(none["backlog"], "counted", "{none}");
        assert_eq!(none["webhooks"][0]["backlog"], json!({"requests": 0, "more_than": null, "since": null}));
        occupy(&server, 1);
        server.expect_metric(KEPT, 1.0);
        let kept = eventually("the request is kept", || {
            Some(deliveries(&server)["webhooks"][0]["backlog"].take()).filter(|kept| kept["requests"] == 1)
        });
        assert!(kept["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{kept}");
        if database != "sqlite" {
            postgres.kill();
            // Its processes may answer until they see that the first one is gone.
            let away = eventually("the database is away", || {
                Some(deliveries(&server)).filter(|answer| answer["backlog"] == "database away")
            });
            assert_eq!(
                (&away["webhooks"][0]["backlog"], &away["webhooks"][0]["works"]),
                (&Value::Null, &json!(false))
            );
        }
    }
    let server = Setup::new().start();
    assert_eq!(deliveries(&server)["backlog"], "no database");
}
