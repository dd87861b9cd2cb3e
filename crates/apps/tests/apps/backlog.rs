//! Requests of webhooks kept in the database: one suite, run against SQLite and against Postgres.

use std::path::Path;
use std::time::Duration;

use fanfare_apps::{
    Apps, BacklogBounds, BacklogRoom, BackloggedUrl, Database, DroppedRequest, KeptOfUrl, LeaseOutcome,
    MOST_KEPT_COUNTED, NewApp, RequestLease, UndeliveredRequest,
};
use fanfare_protocol::app::Limits;
use fanfare_protocol::ids::AppId;
use fanfare_testing::cable::{Cable, Mode};
use fanfare_testing::postgres::Postgres;
use tokio::task::JoinSet;

use crate::support::{Stage, kept};

on_both!(
    what_is_kept_comes_back_byte_for_byte_also_after_a_restart_the_first_in_front,
    a_url_is_leased_to_one_node_at_a_time,
    of_many_that_ask_at_once_one_gets_the_lease,
    a_delivered_request_leaves_and_a_failed_one_is_due_later,
    what_is_kept_is_counted_by_url_leased_requests_too_and_of_very_many_no_more_than_are_counted,
    the_lease_of_a_node_that_died_ends_by_itself_and_its_late_word_changes_nothing,
    over_each_bound_the_oldest_go_and_are_told,
    what_has_become_too_old_is_dropped,
    the_requests_of_a_url_go_alone_and_those_of_an_app_with_the_app,
    a_lease_that_is_given_back_can_be_taken_at_once,
    once_a_url_answers_all_that_is_kept_is_due_the_oldest_first,
    hook_023_a_request_that_is_always_refused_is_made_due_once_and_goes_behind_the_others,
    what_is_too_much_for_one_statement_goes_in_several,
);

const URL: &str = "http://a.test/hook";
const OTHER_URL: &str = "http://b.test/hook";
const LEASE: Duration = Duration::from_secs(60);
/// What a request of the length of its URL takes beside its body.
const ROW: usize = 200 + "key-7".len() + 2 * ("7".len() + URL.len());
const ROOM: BacklogRoom = BacklogRoom { requests: 1000, bytes: 1 << 20 };
const BOUNDS: BacklogBounds =
    BacklogBounds { age: Duration::from_secs(86_400), of_url: ROOM, of_app: ROOM, in_all: ROOM };

fn app() -> AppId {
    AppId::from("7")
}

fn request(body: &str) -> UndeliveredRequest {
    UndeliveredRequest {
        key: "key-7".to_owned(),
        body: body.to_owned().into_bytes().into(),
        events: 2,
        attempts: 1,
        age: Duration::from_secs(5),
        due_in: Duration::ZERO,
    }
}

async fn keep(apps: &Apps, url: &str, bodies: &[&str]) {
    let requests: Vec<_> = bodies.iter().map(|body| request(body)).collect();
    let dropped = apps.keep_requests((&app(), url), &requests, &BOUNDS).await.unwrap();
    assert_eq!(dropped, []);
}

async fn lease(apps: &Apps, url: &str) -> RequestLease {
    apps.lease_requests((&app(), url), 100, LEASE).await.unwrap()
}

fn bodies(lease: &RequestLease) -> Vec<String> {
    lease.requests.iter().map(|request| String::from_utf8(request.body.to_vec()).unwrap()).collect()
}

/// The bodies of all kept requests of a URL, which are delivered with that.
async fn taken(apps: &Apps, url: &str) -> Vec<String> {
    let lease = lease(apps, url).await;
    for request in &lease.requests {
        apps.settle_request(&lease, request, LeaseOutcome::Delivered).await.unwrap();
    }
    bodies(&lease)
}

async fn what_is_kept_comes_back_byte_for_byte_also_after_a_restart_the_first_in_front(stage: Stage) {
    let apps = stage.open(60).await;
    let odd = "{\"data\":\"\\u0000 \u{fffd} 'quoted' \u{1f980}\"}";
    keep(&apps, URL, &["first", odd]).await;
    keep(&apps, URL, &["third"]).await;
    keep(&apps, OTHER_URL, &["of another"]).await;
    drop(apps);
    let apps = stage.open(60).await;
    let urls = apps.backlog(10).await.unwrap();
    let listed = |url: &str| BackloggedUrl { app: app(), url: url.to_owned(), due_in: Duration::ZERO };
    assert_eq!(urls.len(), 2);
    assert!(urls.contains(&listed(URL)) && urls.contains(&listed(OTHER_URL)), "{urls:?}");
    let lease = lease(&apps, URL).await;
    assert_eq!(bodies(&lease), ["first", odd, "third"]);
    let first = &lease.requests[0];
    assert_eq!((&*first.key, first.events, first.attempts), ("key-7", 2, 1));
}

async fn a_url_is_leased_to_one_node_at_a_time(stage: Stage) {
    let (one, other) = (stage.open(60).await, stage.open(60).await);
    keep(&one, URL, &["a", "b"]).await;
    let of_one = one.lease_requests((&app(), URL), 1, LEASE).await.unwrap();
    assert_eq!(bodies(&of_one), ["a"]);
    assert!(lease(&other, URL).await.requests.is_empty(), "not even the one that is not leased");
    let due = other.backlog(10).await.unwrap()[0].due_in;
    assert_eq!(due, Duration::ZERO, "the other request is due as soon as the URL is free");
    one.settle_request(&of_one, &of_one.requests[0], LeaseOutcome::Delivered).await.unwrap();
    assert_eq!(bodies(&lease(&other, URL).await), ["b"]);
    let due = one.backlog(10).await.unwrap()[0].due_in;
    assert!(due > LEASE / 2, "{due:?}");
}

async fn what_is_kept_is_counted_by_url_leased_requests_too_and_of_very_many_no_more_than_are_counted(
    stage: Stage,
) {
    let apps = stage.open(60).await;
    keep(&apps, URL, &["a", "b", "c"]).await;
    let of_one = apps.lease_requests((&app(), URL), 1, LEASE).await.unwrap();
    assert_eq!(of_one.requests.len(), 1);
    let [none, kept] = apps.kept_of_urls(&app(), &[OTHER_URL, URL]).await.unwrap()[..] else { panic!() };
    assert_eq!((none, kept.requests), (KeptOfUrl::default(), 3));
    // As old as the first event of the first request.
    let oldest = kept.oldest.unwrap();
    assert!((Duration::from_secs(5)..LEASE).contains(&oldest), "{oldest:?}");
    assert_eq!(apps.kept_of_urls(&AppId::from("8"), &[URL]).await.unwrap(), [KeptOfUrl::default()]);
    let room = BacklogRoom { requests: 2 * MOST_KEPT_COUNTED, bytes: 1 << 30 };
    let bounds = BacklogBounds { of_url: room, of_app: room, in_all: room, ..BOUNDS };
    let more: Vec<_> = (0..MOST_KEPT_COUNTED).map(|_| request("x")).collect();
    for some in more.chunks(500) {
        apps.keep_requests((&app(), URL), some, &bounds).await.unwrap();
    }
    let kept = apps.kept_of_urls(&app(), &[URL]).await.unwrap();
    assert_eq!(kept[0].requests, MOST_KEPT_COUNTED + 1, "more than are counted");
}

async fn of_many_that_ask_at_once_one_gets_the_lease(stage: Stage) {
    let apps = stage.open(60).await;
    keep(&apps, URL, &["a", "b", "c", "d"]).await;
    let mut asking = JoinSet::new();
    for _ in 0..4 {
        let node = stage.open(60).await;
        asking.spawn(async move { node.lease_requests((&app(), URL), 1, LEASE).await.unwrap() });
    }
    let leases: Vec<usize> = asking.join_all().await.iter().map(|lease| lease.requests.len()).collect();
    assert_eq!(leases.iter().sum::<usize>(), 1, "{leases:?}");
}

async fn a_delivered_request_leaves_and_a_failed_one_is_due_later(stage: Stage) {
    let apps = stage.open(60).await;
    keep(&apps, URL, &["a", "b"]).await;
    let leased = lease(&apps, URL).await;
    apps.settle_request(&leased, &leased.requests[0], LeaseOutcome::Delivered).await.unwrap();
    let failed = LeaseOutcome::Failed(Duration::from_secs(30));
    apps.settle_request(&leased, &leased.requests[1], failed).await.unwrap();
    assert!(lease(&apps, URL).await.requests.is_empty());
    let due = apps.backlog(10).await.unwrap()[0].due_in;
    assert!(due > Duration::from_secs(15) && due <= Duration::from_secs(30), "{due:?}");
    let mut operator = stage.operator().await;
    let attempts = "SELECT CAST(attempts AS text) FROM webhook_requests";
    assert_eq!(operator.texts(attempts).await, ["2"]);
}

async fn the_lease_of_a_node_that_died_ends_by_itself_and_its_late_word_changes_nothing(stage: Stage) {
    let apps = stage.open(60).await;
    keep(&apps, URL, &["a"]).await;
    let short = apps.lease_requests((&app(), URL), 1, Duration::from_millis(100)).await.unwrap();
    assert_eq!(bodies(&short), ["a"]);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let later = loop {
        let later = lease(&apps, URL).await;
        if !later.requests.is_empty() {
            break later;
        }
        assert!(tokio::time::Instant::now() < deadline, "the lease never ends");
    };
    apps.settle_request(&short, &short.requests[0], LeaseOutcome::Delivered).await.unwrap();
    apps.settle_request(&short, &short.requests[0], LeaseOutcome::Failed(LEASE)).await.unwrap();
    apps.release_requests(&short).await.unwrap();
    assert!(lease(&apps, URL).await.requests.is_empty(), "it is still the other's");
    apps.release_requests(&later).await.unwrap();
    assert_eq!(taken(&apps, URL).await, ["a"]);
}

async fn over_each_bound_the_oldest_go_and_are_told(stage: Stage) {
    let apps = stage.open(60).await;
    let room = |requests, bytes| BacklogRoom { requests, bytes };
    let full = async |app: &str, url: &str, body: &str, bounds: BacklogBounds| -> Vec<DroppedRequest> {
        apps.keep_requests((&AppId::from(app), url), &[request(body)], &bounds).await.unwrap()
    };
    let of = |app: &str| DroppedRequest { app: AppId::from(app), events: 2 };
    let bounds =
        BacklogBounds { of_url: room(2, 1000), of_app: room(3, 2000), in_all: room(4, 2000), ..BOUNDS };
    assert_eq!(full("7", URL, "a", bounds).await, []);
    assert_eq!(full("7", URL, "b", bounds).await, []);
    assert_eq!(full("7", URL, "c", bounds).await, [of("7")], "a URL's number");
    assert_eq!(full("7", OTHER_URL, "d", bounds).await, []);
    assert_eq!(full("7", OTHER_URL, "e", bounds).await, [of("7")], "an app's number");
    assert_eq!(full("8", URL, "f", bounds).await, []);
    assert_eq!(full("8", URL, "g", bounds).await, [of("7")], "the number of all");
    assert_eq!(taken(&apps, URL).await, [""; 0]);
    assert_eq!(taken(&apps, OTHER_URL).await, ["d", "e"]);
    let long = "x".repeat(60);
    // Each takes its row beside its body: two bodies would have room.
    let bytes = ROW + 120;
    let bounds = BacklogBounds { of_url: room(100, bytes), ..BOUNDS };
    assert_eq!(full("7", URL, &long, bounds).await, []);
    assert_eq!(full("7", URL, &format!("{long}y"), bounds).await, [of("7")], "a URL's bytes");
    assert_eq!(taken(&apps, URL).await, [format!("{long}y")]);
    let bounds = BacklogBounds { of_app: room(100, bytes), ..BOUNDS };
    assert_eq!(full("7", URL, &long, bounds).await, []);
    assert_eq!(full("7", OTHER_URL, &long, bounds).await, [of("7")], "an app's bytes");
    let bounds = BacklogBounds { in_all: room(100, bytes), ..BOUNDS };
    let mut dropped = full("9", URL, &long, bounds).await;
    dropped.sort_by_key(|dropped| dropped.app.as_str().to_owned());
    assert_eq!(dropped, [of("7"), of("8"), of("8")], "the bytes of all");
}

async fn once_a_url_answers_all_that_is_kept_is_due_the_oldest_first(stage: Stage) {
    let apps = stage.open(60).await;
    keep(&apps, URL, &["oldest", "older", "newest"]).await;
    keep(&apps, OTHER_URL, &["another"]).await;
    let failed = lease(&apps, URL).await;
    for (request, seconds) in failed.requests.iter().zip([60, 30]) {
        let later = LeaseOutcome::Failed(Duration::from_secs(seconds));
        apps.settle_request(&failed, request, later).await.unwrap();
    }
    apps.release_requests(&failed).await.unwrap();
    let answered = lease(&apps, URL).await;
    assert_eq!(bodies(&answered), ["newest"]);
    apps.settle_request(&answered, &answered.requests[0], LeaseOutcome::Delivered).await.unwrap();
    apps.hasten_requests(&app(), URL).await.unwrap();
    assert_eq!(bodies(&lease(&apps, URL).await), ["oldest", "older"]);
}

async fn hook_023_a_request_that_is_always_refused_is_made_due_once_and_goes_behind_the_others(stage: Stage) {
    let apps = stage.open(60).await;
    keep(&apps, URL, &["refused", "b", "c"]).await;
    let refuse = async |again: Duration| {
        let leased = apps.lease_requests((&app(), URL), 1, LEASE).await.unwrap();
        let refused = LeaseOutcome::Failed(again);
        apps.settle_request(&leased, &leased.requests[0], refused).await.unwrap();
        bodies(&leased)
    };
    assert_eq!(refuse(LEASE).await, ["refused"]);
    apps.hasten_requests(&app(), URL).await.unwrap();
    // Moments are milliseconds: of two requests that are due in the same one, the older goes first.
    let kept = std::time::Instant::now();
    while kept.elapsed() < Duration::from_millis(2) {
        tokio::task::yield_now().await;
    }
    assert_eq!(refuse(Duration::ZERO).await, ["refused"], "it is the oldest");
    let all = lease(&apps, URL).await;
    assert_eq!(bodies(&all), ["b", "c", "refused"], "the others were due before");
    apps.settle_request(&all, &all.requests[2], LeaseOutcome::Failed(LEASE)).await.unwrap();
    apps.release_requests(&all).await.unwrap();
    apps.hasten_requests(&app(), URL).await.unwrap();
    assert_eq!(taken(&apps, URL).await, ["b", "c"], "its backoff is its own from here on");
}

async fn what_is_too_much_for_one_statement_goes_in_several(stage: Stage) {
    const MANY: usize = 1200;
    let apps = stage.open(60).await;
    let fill = async || {
        let requests: Vec<_> = (0..MANY).map(|number| request(&number.to_string())).collect();
        assert_eq!(apps.keep_requests((&app(), URL), &requests, &BOUNDS).await.unwrap().len(), MANY - 1000);
    };
    fill().await;
    let mut dropped = 0;
    loop {
        let some = apps.drop_requests(&app(), URL).await.unwrap().len();
        dropped += some;
        if some == 0 {
            break;
        }
        assert!(some <= 500, "{some} in one statement");
    }
    assert_eq!(dropped, 1000);
    fill().await;
    let some = apps.drop_old_requests(Duration::ZERO).await.unwrap().len();
    assert!((1..=500).contains(&some), "{some} in one statement");
    // Smaller bounds are reached step by step, with each request that is kept.
    let narrow = BacklogBounds { of_url: BacklogRoom { requests: 2, bytes: 1 << 20 }, ..BOUNDS };
    apps.keep_requests((&app(), URL), &[request("last")], &narrow).await.unwrap();
    assert_eq!(taken(&apps, URL).await.last().map(String::as_str), Some("last"));
}

#[tokio::test]
async fn a_crowd_is_kept_in_time_where_the_database_is_far_away() {
    let postgres = Postgres::start();
    let cable = Cable::lay(postgres.port()).unwrap();
    let url = postgres.url().replace(&format!(":{}/", postgres.port()), &format!(":{}/", cable.port));
    let database = Database::parse(&url, Path::new("/nowhere")).unwrap();
    let apps = Apps::open(Vec::new(), Some(database), kept(Limits::default(), 60)).await.unwrap();
    cable.set(Mode::Delay(Duration::from_millis(4)));
    let requests: Vec<_> = (0..500).map(|number| request(&number.to_string())).collect();
    apps.keep_requests((&app(), URL), &requests, &BOUNDS)
        .await
        .expect("a way to the database for each would take too long");
    cable.set(Mode::Pass);
    let kept: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&lease(&apps, URL).await), kept, "in their order");
}

async fn what_has_become_too_old_is_dropped(stage: Stage) {
    let apps = stage.open(60).await;
    keep(&apps, URL, &["a"]).await;
    let older = UndeliveredRequest { age: Duration::from_secs(100), ..request("older") };
    apps.keep_requests((&app(), URL), &[older], &BOUNDS).await.unwrap();
    let dropped = apps.drop_old_requests(Duration::from_secs(90)).await.unwrap();
    assert_eq!(dropped, [DroppedRequest { app: app(), events: 2 }]);
    assert_eq!(taken(&apps, URL).await, ["a"]);
}

async fn the_requests_of_a_url_go_alone_and_those_of_an_app_with_the_app(stage: Stage) {
    let apps = stage.open(60).await;
    apps.create(NewApp { id: Some("7".to_owned()), ..NewApp::default() }).await.unwrap();
    keep(&apps, URL, &["a", "b"]).await;
    keep(&apps, OTHER_URL, &["c"]).await;
    assert_eq!(apps.drop_requests(&app(), URL).await.unwrap().len(), 2);
    assert_eq!(apps.backlog(10).await.unwrap().len(), 1);
    apps.delete("7").await.unwrap();
    assert_eq!(apps.backlog(10).await.unwrap(), []);
}

async fn a_lease_that_is_given_back_can_be_taken_at_once(stage: Stage) {
    let apps = stage.open(60).await;
    keep(&apps, URL, &["a"]).await;
    let leased = lease(&apps, URL).await;
    apps.release_requests(&leased).await.unwrap();
    assert_eq!(taken(&apps, URL).await, ["a"]);
    assert_eq!(apps.backlog(10).await.unwrap(), []);
}
