//! A thousand requests at once, and an application that hangs: which wait, which are refused, and who is unaffected.

use crate::support::application::{Application, Reply};
use crate::support::authorization::{Post, expect_denial_logged};
use crate::support::echo::{Echo, ON};
use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{APP, OTHER, eventually};

const PRIVATE: &str = "private-orders";

/// An app whose application hangs, and another whose application answers at once.
fn two_apps(hanging: &Application, quick: &Application, limits: &str) -> TestServer {
    Setup::with_app(&hanging.settings()).app(OTHER, &quick.settings()).config(limits).start()
}

fn begin(server: &TestServer, count: usize) -> Vec<Http> {
    (0..count).map(|_| Post::channel(PRIVATE).begin(server.addr)).collect()
}

fn outcome(name: &str) -> String {
    format!("fanfare_authorizations_total{{app=\"3\",outcome=\"{name}\"}}")
}

#[test]
fn beyond_those_who_are_asked_some_wait_and_the_rest_are_turned_away_at_once() {
    let hanging = Application::start(|_| Reply::Hang);
    let server = two_apps(
        &hanging,
        &Application::saying(200, "true"),
        "[limits]\nauthorizations = 2\nauthorizations_waiting = 3\n[timeouts]\napplication = 60",
    );
    let mut all = begin(&server, 5);
    hanging.expect_questions(2);
    // Five requests hold all slots: every further one is refused as soon as the five are there.
    let mut turned_away = begin(&server, 4);
    server.expect_metric(&outcome("busy"), 4.0);
    // Whichever four of the nine were refused: the five others are answered when the application goes on.
    all.append(&mut turned_away);
    hanging.let_go();
    let answers: Vec<_> = all.iter_mut().map(Http::answer).collect();
    let (yes, no): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.head.status == 200);
    assert_eq!((yes.len(), no.len()), (5, 4));
    for answer in no {
        answer.refused(503, "try again");
        assert_eq!(answer.head.header("retry-after"), Some("1"));
    }
    assert_eq!(hanging.questions().len(), 5);
    expect_denial_logged(&server, &["limits.authorizations", "status=503"]);
}

#[test]
fn whoever_hangs_up_keeps_the_place_until_the_application_has_answered() {
    let hanging = Application::start(|_| Reply::Hang);
    let server = Setup::bare()
        .config(&format!("{ON}[limits]\nauthorizations_node = 4\n[timeouts]\napplication = 60"))
        .app(APP, &hanging.settings())
        .start();
    let mut echo = Echo::connect(&server, 3);
    echo.subscribe(PRIVATE);
    let crowd = begin(&server, 1);
    hanging.expect_questions(2);
    drop((echo, crowd));
    server.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
    // The request may be of a client that has only finished sending, and waits.
    server.expect_metric("fanfare_http_connections{listener=\"public\"}", 1.0);
    assert_eq!(Post::channel(PRIVATE).send(&server).head.status, 503, "the application works on two");
    hanging.let_go();
    eventually("there is room again", || {
        (Post::channel(PRIVATE).send(&server).head.status == 200).then_some(())
    });
    server.expect_metric("fanfare_http_connections{listener=\"public\"}", 0.0);
}

#[test]
fn whoever_waits_for_a_turn_waits_no_longer_than_for_an_answer() {
    let hanging = Application::start(|_| Reply::Hang);
    let server = two_apps(
        &hanging,
        &Application::saying(200, "true"),
        "[limits]\nauthorizations = 1\n[timeouts]\napplication = 1",
    );
    let mut all = begin(&server, 3);
    let mut statuses: Vec<u16> = all.iter_mut().map(|http| http.answer().head.status).collect();
    statuses.sort_unstable();
    // The first times out. Then one gets the permit and times out as well, or had timed out already.
    assert!(
        statuses.ends_with(&[504]) && statuses.iter().all(|status| [503, 504].contains(status)),
        "{statuses:?}"
    );
}

#[test]
fn all_apps_together_have_a_bound_of_which_one_leaves_some_to_others() {
    let hanging = Application::start(|_| Reply::Hang);
    let quick = Application::saying(200, "true");
    let settings = "[limits]\nauthorizations_node = 4\n[timeouts]\napplication = 60";
    let server = two_apps(&hanging, &quick, settings);
    let mut crowd = begin(&server, 2);
    hanging.expect_questions(2);
    let refused = Post::channel(PRIVATE).send(&server);
    assert_eq!((refused.head.status, refused.head.header("retry-after")), (503, Some("1")));
    expect_denial_logged(&server, &["limits.authorizations_node", "status=503"]);
    for _ in 0..20 {
        assert_eq!(
            Post::channel(PRIVATE).to(OTHER).send(&server).head.status,
            200,
            "there is room for others"
        );
    }
    hanging.let_go();
    for http in &mut crowd {
        assert_eq!(http.answer().head.status, 200);
    }
}

#[test]
fn an_address_leaves_as_many_places_of_an_app_to_others_as_it_has() {
    const STRANGER: (&str, &str) = ("X-Forwarded-For", "198.51.100.1");
    let hanging = Application::start(|_| Reply::Hang);
    let limits = "[limits]\nauthorizations = 2\nauthorizations_waiting = 38\n[timeouts]\napplication = 60";
    let server = Setup::bare().config(&format!("{ON}{limits}")).app(APP, &hanging.settings()).start();
    let mut echo = Echo::with_headers(&server, &[STRANGER]);
    (0..12).for_each(|number| echo.subscribe(&format!("private-{number}")));
    hanging.expect_questions(2);
    echo.settle();
    let post = Post::channel(PRIVATE).header(STRANGER.0, STRANGER.1);
    let mut crowd: Vec<_> = (0..12).map(|_| post.begin(server.addr)).collect();
    server.expect_metric(&outcome("busy"), 4.0);
    expect_denial_logged(&server, &["questions of the client's address", "status=503"]);
    echo.subscribe("private-13");
    echo.expect_refused("private-13", 503);
    let mut others: Vec<_> = (2..10)
        .map(|last| Post::channel(PRIVATE).header("X-Forwarded-For", &format!("198.51.100.{last}")))
        .map(|post| post.begin(server.addr))
        .collect();
    hanging.let_go();
    assert!(others.iter_mut().all(|http| http.answer().head.status == 200), "others find places");
    let refused = crowd.iter_mut().map(Http::answer).filter(|answer| answer.head.status == 503).count();
    assert_eq!(refused, 4, "of 40 places an address has as many as it leaves free");
}

#[test]
fn a_thousand_authorizations_that_hang_delay_no_event_no_publish_and_no_other_app() {
    let hanging = Application::start(|_| Reply::Hang);
    let quick = Application::saying(200, "true");
    let settings = "[limits]\nauthorizations_node = 2001\n[timeouts]\napplication = 60";
    let server = two_apps(&hanging, &quick, settings);
    let (mut mine, mut theirs) = (server.connect(), server.connect_to(OTHER));
    mine.subscribe("news");
    theirs.subscribe("news");
    let mut crowd = begin(&server, 1000);
    hanging.expect_questions(64);
    let mut api = server.api();
    for number in 0..100 {
        let data = number.to_string();
        api.publish("news", "e", &data);
        mine.expect_event("news", "e", &data);
    }
    for _ in 0..20 {
        assert_eq!(Post::channel(PRIVATE).to(OTHER).send(&server).head.status, 200);
    }
    server.connect().expect_nothing_more();
    theirs.expect_nothing_more();
    assert_eq!(hanging.questions().len(), 64, "all of it happened while the application hung");
    hanging.let_go();
    let answered = crowd.iter_mut().map(Http::answer).filter(|answer| answer.head.status == 200).count();
    assert_eq!(answered, 1000, "everybody's turn comes");
}
