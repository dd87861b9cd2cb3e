//! Socket.IO: the application's leave for private and presence channels, and the refusals.

use crate::support::application::{Application, Reply};
use crate::support::echo::{Echo, speaking, subscribe};
use crate::support::echo_polling::Polling;
use crate::support::server::TestServer;
use crate::support::signing::channel_auth;
use crate::support::{APP, eventually};

const PRIVATE: &str = "private-orders";

fn server_of(application: &Application) -> TestServer {
    speaking(&application.settings()).start()
}

/// As [`server_of`], for a client that subscribes to many channels at once.
fn server_for_many_subscriptions(application: &Application) -> TestServer {
    speaking(&application.settings()).config("[limits]\nsubscriptions_per_second = 1000\n").start()
}

#[test]
fn sio_060_the_application_is_asked_as_its_endpoint_would_be() {
    let application = Application::saying(200, "true");
    let server = server_of(&application);
    let mut echo = Echo::connect(&server, 4);
    echo.subscribe_with("private-a=b", r#"{"Authorization":"Bearer x"}"#);
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 1.0);
    let question = &application.questions()[0];
    assert_eq!(question.line, "POST /broadcasting/auth");
    assert_eq!(question.body, format!("socket_id={}&channel_name=private-a%3Db", echo.id));
    for (name, value) in [
        ("authorization", "Bearer x"),
        ("accept", "application/json"),
        ("x-requested-with", "XMLHttpRequest"),
        ("x-socket-id", &*echo.id),
        ("x-forwarded-for", "127.0.0.1"),
    ] {
        assert_eq!(question.header(name).as_deref(), Some(value), "{name}");
    }
    server.api().publish("private-a=b", "e", "1");
    echo.expect_event("e", "private-a=b", "1");
    server.expect_metric("fanfare_authorizations_total{app=\"3\",outcome=\"allowed\"}", 1.0);
}

#[test]
fn sio_059_and_sio_060_a_refusal_is_the_status_that_the_endpoint_would_answer() {
    let application = Application::start(|question| {
        let channel = question.body.split("channel_name=").nth(1).unwrap_or_default();
        match channel.rsplit('-').next().unwrap_or_default() {
            "empty" => Reply::Body(200, ""),
            "page" => Reply::Body(200, "<html>"),
            status => Reply::Body(status.parse().expect("a status"), "{}"),
        }
    });
    let server = server_of(&application);
    let mut echo = Echo::connect(&server, 3);
    for (answer, status) in [
        ("401", 401),
        ("403", 403),
        ("419", 419),
        ("422", 422),
        ("429", 429),
        ("302", 401),
        ("404", 502),
        ("500", 502),
        ("empty", 403),
        ("page", 403),
    ] {
        let channel = format!("private-{answer}");
        echo.subscribe(&channel);
        echo.expect_refused(&channel, status);
    }
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 0.0);
    let server = speaking("").start();
    let mut nobody_asked = Echo::connect(&server, 3);
    nobody_asked.subscribe(PRIVATE);
    nobody_asked.expect_refused(PRIVATE, 404);
}

#[test]
fn sio_061_an_application_that_signs_has_its_signature_checked() {
    let application = Application::start(|question| {
        let field = |name: &str| {
            let pairs = question.body.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .filter(|(own, _)| *own == name)
                .map(|(_, value)| value.to_owned())
                .next()
                .unwrap_or_default()
        };
        let (socket, channel) = (field("socket_id"), field("channel_name"));
        let data = r#"{"user_id":"u","user_info":{"a": 1}}"#;
        let data = channel.starts_with("presence-").then_some(data);
        let signed = if channel.ends_with("forged") { "private-other" } else { &*channel };
        let mut answer = serde_json::json!({ "auth": channel_auth(APP, &socket, signed, data) });
        if let Some(data) = data {
            answer["channel_data"] = data.into();
        }
        let body = answer.to_string();
        Reply::Raw(
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
                .into_bytes(),
        )
    });
    let server = server_of(&application);
    let mut echo = Echo::connect(&server, 3);
    echo.subscribe("presence-room");
    let member = r#"[{"user_id":"u","user_info":{"a": 1}}]"#;
    echo.expect_event("presence:subscribed", "presence-room", member);
    echo.subscribe("private-forged");
    echo.expect_refused("private-forged", 403);
    echo.subscribe("private-ok");
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 2.0);
}

#[test]
fn sio_062_the_handshakes_headers_say_who_asks_and_a_pages_own_cookie_wins() {
    let application = Application::saying(200, "true");
    let settings = format!("{}authorization.headers = [\"X-Tenant\"]", application.settings());
    let server = speaking(&settings).start();
    let mut echo = Echo::with_headers(
        &server,
        &[
            ("Cookie", "laravel_session=abc"),
            ("Referer", "http://localhost/orders"),
            ("User-Agent", "Browser/1"),
            ("X-Tenant", "handshake"),
        ],
    );
    echo.subscribe_with(
        "private-a",
        r#"{"X-Tenant":"7","Host":"evil.test","Content-Length":"3","X-Forwarded-For":"6.6.6.6","Referer":"evil","n":1}"#,
    );
    application.expect_questions(1);
    echo.subscribe_with("private-b", r#"{"Cookie":"own=1"}"#);
    application.expect_questions(2);
    let questions = application.questions();
    for (name, value) in [
        ("cookie", "laravel_session=abc"),
        ("referer", "http://localhost/orders"),
        ("user-agent", "Browser/1"),
        ("x-tenant", "7"),
        ("x-forwarded-for", "127.0.0.1"),
        ("host", &*application.addr.to_string()),
    ] {
        assert_eq!(questions[0].header(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(questions[1].header("cookie").as_deref(), Some("own=1"));
}

#[test]
fn sio_063_a_strangers_page_does_not_ask_with_its_visitors_cookie() {
    let application = Application::saying(200, "true");
    let settings = format!("{}authorization.origins = [\"https://listed.test\"]", application.settings());
    let server = speaking(&settings).start();
    for (at, (origin, passes)) in
        [("https://shop.test", true), ("https://listed.test", true), ("https://evil.test", false)]
            .into_iter()
            .enumerate()
    {
        let headers = [("Host", "shop.test:6001"), ("Origin", origin), ("Cookie", "s=1")];
        let mut echo = Echo::with_headers(&server, &headers);
        echo.subscribe_with(PRIVATE, r#"{"Authorization":"Bearer x"}"#);
        application.expect_questions(at + 1);
        let question = application.questions().pop().expect("a question");
        assert_eq!(question.header("cookie").is_some(), passes, "{origin}");
        assert_eq!(question.header("authorization").as_deref(), Some("Bearer x"));
    }
}

#[test]
fn sio_063_a_cookie_that_is_not_passed_on_is_the_reason_in_the_log_of_a_refusal() {
    let application = Application::saying(403, "{}");
    let server = server_of(&application);
    let refused = |headers: &[(&str, &str)], set: &str, what: &str, word: &str| {
        let mut echo = Echo::with_headers(&server, headers);
        echo.subscribe_with(PRIVATE, set);
        echo.expect_refused(PRIVATE, 403);
        let id = echo.id.clone();
        let is_ours = |line: &str| line.contains("not authorized") && line.contains(&id);
        let line = server.process.log_line(what, |line| is_ours(line).then(|| line.to_owned()));
        assert!(line.contains(word), "{what}: {line}");
        line
    };
    let strange = [("Host", "ws.shop.test"), ("Origin", "https://shop.test"), ("Cookie", "s=hush")];
    let word = "the page's cookie was not passed on, because its origin https://shop.test has another host";
    let line = refused(&strange, "{}", "a cookie of another host's page", word);
    assert!(line.contains("authorization.origins") && !line.contains("hush"), "{line}");
    let own = [("Host", "shop.test"), ("Origin", "https://shop.test"), ("Cookie", "s=hush")];
    let line = refused(&own, "{}", "a cookie of this host's page", "the application answered 403");
    assert!(!line.contains("cookie was not passed on"), "{line}");
    let word = "the page sent neither a cookie nor an Authorization header";
    refused(&own[..2], "{}", "a page without a cookie", word);
    let line =
        refused(&strange, r#"{"Authorization":"Bearer x"}"#, "a token", "the application answered 403");
    assert!(!line.contains("cookie was not passed on"), "{line}");
}

#[test]
fn sio_063_a_polling_client_that_keeps_its_cookie_from_another_origin_is_told_the_option_in_the_log() {
    let application = Application::saying(403, "{}");
    let server = server_of(&application);
    for (version, origin, is_told) in [
        (4, "http://localhost:8000", true),
        (4, "http://localhost", false),
        (3, "http://localhost:8000", false),
    ] {
        let mut polling = Polling::connect_from(&server, version, Some(origin));
        polling.post(&subscribe(PRIVATE, "{}"));
        let id = polling.id.clone();
        let line = server.process.log_line("the refusal", |line| {
            (line.contains("not authorized") && line.contains(&id)).then(|| line.to_owned())
        });
        assert!(line.contains("neither a cookie nor an Authorization header"), "{line}");
        assert_eq!(line.contains("withCredentials: true"), is_told, "{version} {origin}: {line}");
        assert!(line.contains(&format!("asked=\"{}\"", application.addr)), "{line}");
    }
}

#[test]
fn sio_064_names_decide_who_is_asked() {
    let application = Application::saying(200, "true");
    let server = server_of(&application);
    let mut echo = Echo::connect(&server, 3);
    echo.join("my-private-orders");
    let long = "x".repeat(165);
    for (channel, status) in [
        ("private-encrypted-a", 403),
        ("#server-to-user-1", 403),
        ("bad name", 422),
        ("", 422),
        (&*long, 422),
    ] {
        echo.subscribe(channel);
        echo.expect_refused(channel, status);
    }
    assert!(application.questions().is_empty());
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 1.0);
}

#[test]
fn sio_064_a_connection_has_as_many_channels_as_allowed() {
    let server = speaking("").config("[limits]\nchannels_per_connection = 2\n").start();
    let mut echo = Echo::connect(&server, 3);
    echo.join("a");
    echo.join("b");
    echo.subscribe("c");
    echo.expect_refused("c", 429);
}

#[test]
fn sio_103_a_presence_channel_that_is_full_is_refused() {
    let application = Application::start(|question| {
        Reply::Body(
            200,
            match question.header("authorization").as_deref() {
                Some("1") => r#"{"channel_data":{"user_id":1}}"#,
                _ => r#"{"channel_data":{"user_id":2}}"#,
            },
        )
    });
    let server = speaking(&format!("limits.members = 1\n{}", application.settings())).start();
    let (mut one, mut other) = (Echo::connect(&server, 3), Echo::connect(&server, 3));
    one.subscribe_with("presence-a", r#"{"Authorization":"1"}"#);
    one.expect_event("presence:subscribed", "presence-a", r#"[{"user_id":"1","user_info":{}}]"#);
    other.subscribe_with("presence-a", r#"{"Authorization":"2"}"#);
    other.expect_refused("presence-a", 413);
}

#[test]
fn sio_051_a_second_subscribe_makes_no_second_member_and_asks_nobody() {
    let application = Application::start(|question| match question.header("authorization").as_deref() {
        Some("hang") => Reply::Hang,
        _ => Reply::Body(200, r#"{"channel_data":{"user_id":1}}"#),
    });
    let server = server_of(&application);
    let mut echo = Echo::connect(&server, 3);
    let subscribed = r#"[{"user_id":"1","user_info":{}}]"#;
    for _ in 0..3 {
        echo.subscribe("presence-a");
        echo.expect_event("presence:subscribed", "presence-a", subscribed);
    }
    assert_eq!(application.questions().len(), 1);
    // While the application is being asked.
    for _ in 0..3 {
        echo.subscribe_with(PRIVATE, r#"{"Authorization":"hang"}"#);
    }
    application.expect_questions(2);
    echo.settle();
    assert_eq!(application.questions().len(), 2);
    application.let_go();
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 2.0);
    echo.join("news");
    echo.subscribe("news");
    echo.settle();
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 3.0);
}

#[test]
fn sio_052_whoever_has_left_or_gone_meanwhile_is_no_member() {
    let application = Application::start(|_| Reply::Hang);
    let server = server_of(&application);
    let (mut leaver, mut goer) = (Echo::connect(&server, 3), Echo::connect(&server, 3));
    leaver.subscribe(PRIVATE);
    goer.subscribe(PRIVATE);
    application.expect_questions(2);
    leaver.unsubscribe(PRIVATE);
    leaver.settle();
    goer.socket.close();
    eventually("the session has gone", || {
        (server.metric("fanfare_connections{app=\"3\"}") < 1.5).then_some(())
    });
    application.let_go();
    leaver.join("news");
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 1.0);
    server.api().publish(PRIVATE, "e", "1");
    leaver.settle();
}

#[test]
fn sio_065_a_question_that_was_taken_back_counts_until_the_application_has_answered() {
    let application = Application::start(|_| Reply::Hang);
    let server = server_for_many_subscriptions(&application);
    let mut echo = Echo::connect(&server, 3);
    for number in 0..32 {
        echo.subscribe(&format!("private-{number}"));
        echo.unsubscribe(&format!("private-{number}"));
    }
    application.expect_questions(32);
    echo.subscribe("private-more");
    echo.expect_refused("private-more", 503);
    application.let_go();
    eventually("the application is asked again", || {
        echo.subscribe("private-more");
        (application.questions().len() > 32).then_some(())
    });
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 1.0);
}

#[test]
fn sio_065_questions_wait_beside_everything_else_and_are_bounded() {
    let application = Application::start(|_| Reply::Hang);
    let server = server_for_many_subscriptions(&application);
    let mut echo = Echo::connect(&server, 3);
    for number in 0..32 {
        echo.subscribe(&format!("private-{number}"));
    }
    echo.join("news");
    echo.subscribe("private-32");
    echo.expect_refused("private-32", 503);
    server.api().publish("news", "e", "1");
    echo.expect_event("e", "news", "1");
    application.let_go();
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 33.0);
    echo.settle();
}
