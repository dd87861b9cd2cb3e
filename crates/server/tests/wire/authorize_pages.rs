//! CORS of the authorization endpoint: the headers that browsers decide by.

use crate::support::OTHER;
use crate::support::application::Application;
use crate::support::authorization::{Post, expect_denial_logged};
use crate::support::http::{Answer, Head};
use crate::support::server::TestServer;
use crate::support::setup::Setup;

const LISTED: [&str; 3] = ["https://app.example.com", "https://a.b.example.org", "http://localhost:5173"];
const STRANGERS: [&str; 5] = [
    "https://evil.test",
    "http://app.example.com",
    "https://app.example.com.evil.test",
    "https://example.org",
    "null",
];

fn server_of(application: &Application) -> TestServer {
    let settings = format!(
        "{}authorization.origins = [\"https://app.example.com\", \"https://*.example.org\", \"http://localhost:5173\"]",
        application.settings()
    );
    Setup::with_app(&settings).start()
}

fn cors(head: &Head) -> [Option<&str>; 3] {
    ["access-control-allow-origin", "access-control-allow-credentials", "vary"].map(|name| head.header(name))
}

fn preflight(server: &TestServer, origin: &str, headers: &str) -> Answer {
    Post::form("")
        .method("OPTIONS")
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", headers)
        .send(server)
}

const VARY: Option<&str> = Some("Origin, Access-Control-Request-Headers");

#[test]
fn listed_origins_may_read_every_answer_a_refusal_too_and_use_cookies() {
    let application = Application::saying(200, "true");
    let server = server_of(&application);
    for origin in LISTED {
        for (channel, status) in
            [("private-a", 200), ("presence-a", 403), ("news", 403), ("private-%20", 400)]
        {
            let post = Post::channel(channel).header("Origin", origin).header("Sec-Fetch-Site", "cross-site");
            let answer = post.send(&server);
            assert_eq!(answer.head.status, status, "{origin} {channel}");
            assert_eq!(cors(&answer.head), [Some(origin), Some("true"), VARY], "{origin} {channel}");
        }
    }
}

#[test]
fn a_page_of_another_origin_is_refused_where_the_browser_says_that_it_is_one() {
    let application = Application::saying(200, "true");
    let server = server_of(&application);
    for origin in STRANGERS {
        for site in ["cross-site", "same-site"] {
            let post = Post::channel("private-a").header("Origin", origin).header("Sec-Fetch-Site", site);
            let answer = post.send(&server);
            answer.refused(403, "authorization.origins");
            assert_eq!(cors(&answer.head), [Some(origin), Some("true"), VARY], "it may read why: {origin}");
        }
    }
    assert_eq!(application.questions().len(), 0);
    expect_denial_logged(&server, &["pages of https://evil.test may not ask", "status=403"]);
}

#[test]
fn without_an_origin_and_from_the_servers_own_nothing_need_be_listed() {
    let application = Application::saying(200, "true");
    let server = server_of(&application);
    let own = [
        Post::channel("private-a"),
        Post::channel("private-a")
            .header("Origin", "https://own.test")
            .header("Sec-Fetch-Site", "same-origin"),
        // An older browser, or plain HTTP: the browser itself keeps the answer from a stranger.
        Post::channel("private-a").header("Origin", "https://own.test"),
    ];
    for post in own {
        let answer = post.send(&server);
        assert_eq!(answer.head.status, 200);
        assert_eq!(cors(&answer.head), [None, None, VARY]);
    }
}

#[test]
fn a_preflight_is_answered_for_listed_origins_with_the_headers_that_it_names() {
    let application = Application::saying(200, "true");
    let server = server_of(&application);
    for origin in LISTED {
        let answer = preflight(&server, origin, "authorization, x-csrf-token");
        assert_eq!((answer.head.status, answer.body.as_str()), (204, ""));
        assert_eq!(cors(&answer.head), [Some(origin), Some("true"), VARY]);
        assert_eq!(answer.head.header("access-control-allow-methods"), Some("POST"));
        assert_eq!(answer.head.header("access-control-allow-headers"), Some("authorization, x-csrf-token"));
        assert!(answer.head.header("access-control-max-age").is_some());
    }
    let long = "x".repeat(1025);
    for headers in ["*", "a;b", &long] {
        let answer = preflight(&server, LISTED[0], headers);
        assert_eq!(answer.head.header("access-control-allow-headers"), None, "{headers}");
    }
    assert_eq!(application.questions().len(), 0, "a preflight asks nobody");
}

#[test]
fn a_preflight_of_a_stranger_is_refused_and_the_log_names_the_setting() {
    let application = Application::saying(200, "true");
    let server = server_of(&application);
    for origin in STRANGERS {
        let answer = preflight(&server, origin, "authorization");
        answer.refused(403, "authorization.origins");
        assert_eq!(answer.head.header("access-control-allow-methods"), None, "{origin}");
    }
    expect_denial_logged(&server, &["app=\"3\"", "pages of https://evil.test may not ask"]);
    let unset = Setup::with_app(&application.settings()).start();
    assert_eq!(preflight(&unset, LISTED[0], "").head.status, 403, "no origin is listed");
}

/// Paths where no application is asked, and the answer there.
const UNASKED: [(&str, u16, &str); 4] = [
    ("/app/278d425bdf160c739803/auth", 404, "set authorization.url of the app to its URL"),
    ("/app/278d425bdf160c739803/user-auth", 404, "set authorization.user_url of the app to its URL"),
    ("/app/nobody/auth", 404, "There is no app with the key nobody"),
    ("/app/otherkey0123456789ab/auth", 403, "This app is disabled"),
];

fn server_that_asks_nobody() -> TestServer {
    Setup::new().app(OTHER, "enabled = false\nauthorization.url = \"http://127.0.0.1:1/\"").start()
}

#[test]
fn where_no_application_is_asked_a_page_of_any_origin_may_read_why() {
    let server = server_that_asks_nobody();
    for (path, status, says) in UNASKED {
        for site in ["cross-site", "same-site"] {
            let post = Post::channel("private-a").path(path).header("Sec-Fetch-Site", site);
            let answer = post.header("Origin", "https://any.test").send(&server);
            answer.refused(status, says);
            assert_eq!(cors(&answer.head), [Some("https://any.test"), Some("true"), VARY], "{path}");
        }
        let plain = Post::channel("private-a").path(path).send(&server);
        plain.refused(status, says);
        assert_eq!(cors(&plain.head), [None, None, VARY], "no page asks: {path}");
        expect_denial_logged(&server, &[&format!("status={status}")]);
    }
    expect_denial_logged(&server, &["key=\"nobody\"", "There is no app with the key nobody"]);
}

#[test]
fn where_no_application_is_asked_a_preflight_lets_the_page_come_to_read_why() {
    let server = server_that_asks_nobody();
    for (path, _, _) in UNASKED {
        let asked = Post::form("").path(path).method("OPTIONS").header("Origin", "https://any.test");
        let answer = asked.header("Access-Control-Request-Headers", "x-csrf-token").send(&server);
        assert_eq!(answer.head.status, 204, "{path}");
        assert_eq!(cors(&answer.head), [Some("https://any.test"), Some("true"), VARY], "{path}");
        assert_eq!(answer.head.header("access-control-allow-headers"), Some("x-csrf-token"), "{path}");
        assert_eq!(answer.head.header("access-control-max-age"), None, "what is allowed now may soon not be");
    }
}

#[test]
fn a_page_may_read_that_its_method_is_the_wrong_one() {
    let server = server_that_asks_nobody();
    for method in ["GET", "PUT"] {
        let answer = Post::form("").method(method).header("Origin", "https://any.test").send(&server);
        answer.refused(405, "This path answers to POST only");
        assert_eq!(cors(&answer.head), [Some("https://any.test"), Some("true"), VARY]);
        assert_eq!(answer.head.header("allow"), Some("POST"));
    }
}
