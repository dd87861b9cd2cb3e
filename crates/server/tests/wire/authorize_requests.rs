//! Requests to an application, and refusals without asking the application.

use crate::support::application::Application;
use crate::support::authorization::{Post, SOCKET, expect_denial_logged};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::signing::channel_auth;
use crate::support::{APP, App, OTHER, eventually};

const PRIVATE: &str = "private-orders";

fn yes() -> Application {
    Application::saying(200, "true")
}

fn server_of(application: &Application) -> TestServer {
    Setup::with_app(&application.settings()).start()
}

fn signed(app: App) -> String {
    format!(r#"{{"auth":"{}"}}"#, channel_auth(app, SOCKET, PRIVATE, None))
}

#[test]
fn an_application_is_asked_by_form_and_shown_who_asks_but_nothing_of_the_connection() {
    let application = yes();
    let settings = format!("{}authorization.headers = [\"X-Tenant\"]", application.settings());
    let server = Setup::with_app(&settings).start();
    let shown = [
        ("Cookie", "laravel_session=abc; XSRF-TOKEN=def"),
        ("Authorization", "Bearer token"),
        ("X-CSRF-TOKEN", "csrf"),
        ("X-XSRF-TOKEN", "xsrf"),
        ("X-Socket-ID", "1.2"),
        ("Origin", "https://app.example.com"),
        ("Referer", "https://app.example.com/orders"),
        ("User-Agent", "Browser/1"),
        ("Accept-Language", "de"),
        ("X-Tenant", "7"),
    ];
    let hidden = [
        ("X-Forwarded-Host", "evil.test"),
        ("X-Http-Method-Override", "GET"),
        ("Accept-Encoding", "gzip"),
        ("Accept", "text/html"),
        ("X-Requested-With", "Evil"),
        ("Expect", "200-maybe"),
        ("Connection", "keep-alive, X-Tenant"),
    ];
    let post = shown
        .iter()
        .chain(&hidden)
        .fold(Post::channel("private-a%3Db"), |post, (name, value)| post.header(name, value));
    assert_eq!(post.send(&server).head.status, 200);
    let question = &application.questions()[0];
    assert_eq!(question.line, "POST /broadcasting/auth");
    assert_eq!(question.body, format!("socket_id={SOCKET}&channel_name=private-a%3Db"));
    for (name, value) in shown {
        assert_eq!(question.header(&name.to_lowercase()).as_deref(), Some(value), "{name}");
    }
    for (name, value) in [
        ("accept", "application/json"),
        ("x-requested-with", "XMLHttpRequest"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("host", &*application.addr.to_string()),
        ("x-forwarded-for", "127.0.0.1"),
    ] {
        assert_eq!(question.header(name).as_deref(), Some(value), "{name}");
    }
    for name in ["x-forwarded-host", "x-http-method-override", "accept-encoding", "expect", "connection"] {
        assert_eq!(question.header(name), None, "{name}");
    }
}

#[test]
fn the_application_sees_the_address_that_a_trusted_proxy_names_and_no_other() {
    let application = yes();
    let post = Post::channel(PRIVATE).header("X-Forwarded-For", "6.6.6.6, 203.0.113.9");
    post.send(&server_of(&application));
    let distrusting =
        Setup::with_app(&application.settings()).config("[listen]\ntrusted_proxies = [\"10.0.0.0/8\"]");
    post.send(&distrusting.start());
    let named: Vec<_> =
        application.questions().iter().filter_map(|question| question.header("x-forwarded-for")).collect();
    assert_eq!(named, ["203.0.113.9", "127.0.0.1"], "what the client itself may have written is left out");
}

#[test]
fn json_is_read_as_a_form_is() {
    let application = yes();
    let server = server_of(&application);
    let body = format!(r#"{{"socket_id":"{SOCKET}","channel_name":"{PRIVATE}","more":[1]}}"#);
    let json = |body: &str| Post::form(body).header("Content-Type", "application/json; charset=utf-8");
    json(&body).send(&server).expect(&signed(APP));
    for body in ["", "[]", "{", r#"{"socket_id":7,"channel_name":"private-a"}"#] {
        json(body).send(&server).refused(400, "");
    }
    assert_eq!(application.questions().len(), 1);
}

/// Laravel's redis broadcaster strips its prefix before looking for a callback, and only afterwards checks
/// the name as sent to see whether a login is needed.
#[test]
fn a_name_behind_a_redis_prefix_never_reaches_the_application() {
    let application = yes();
    let server = server_of(&application);
    for name in [
        "laravel_database_private-orders",
        "laravel-database-private-orders",
        "laravel_database_presence-room",
        "xprivate-orders",
        "Private-orders",
        "orders",
        "private",
        "privateorders",
        "%23server-to-user-7",
    ] {
        Post::channel(name)
            .send(&server)
            .refused_with(403, "Only names that begin with private- or presence- are authorized");
    }
    expect_denial_logged(&server, &["laravel_database_private-orders", "status=403", "was not asked"]);
    // A second field, and fields that PHP treats as the same one, are not passed on either.
    let form = format!(
        "socket_id={SOCKET}&channel_name={PRIVATE}&channel_name=laravel_database_private-x\
         &channel.name=laravel_database_private-x&channel_name[]=laravel_database_private-x"
    );
    Post::form(&form).send(&server).expect(&signed(APP));
    let asked: Vec<_> = application.questions().into_iter().map(|question| question.body).collect();
    assert_eq!(asked, [format!("socket_id={SOCKET}&channel_name={PRIVATE}")]);
    server.expect_metric("fanfare_authorizations_total{app=\"3\",outcome=\"refused\"}", 9.0);
}

#[test]
fn a_name_that_would_be_another_without_the_apps_redis_prefix_never_reaches_the_application() {
    let application = yes();
    let feed = "redis_feed.url = \"redis://127.0.0.1:1\"\nredis_feed.prefix = \"my_app_\"\n";
    let server = Setup::with_app(&(application.settings() + feed)).start();
    Post::channel("private-my_app_orders")
        .send(&server)
        .refused_with(403, "The channel is authorized under its name without the prefix it has in Redis");
    Post::channel("private-your_app_orders").send(&server);
    assert_eq!(application.questions().len(), 1);
}

#[test]
fn a_name_with_the_nodes_redis_prefix_is_refused_also_for_the_app_that_the_server_made_itself() {
    let application = yes();
    let feed = "[redis_feed]\nurl = \"redis://127.0.0.1:1\"\nprefix = \"my_app_\"";
    let server = Setup::bare().config(feed).start();
    let made: serde_json::Value =
        serde_json::from_str(&server.commanded(&["app", "list", "--json"])).expect("JSON");
    let text =
        |value: &serde_json::Value| -> &'static str { value.as_str().expect("a text").to_owned().leak() };
    let id = text(&made["apps"][0]["id"]);
    let url = format!("authorization.url=http://{}/auth", application.addr);
    let shown = server.commanded(&["app", "update", id, "--set", &url, "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let app = App { id, key: text(&shown["keys"][0]["key"]), secret: "" };
    eventually("the application is asked", || {
        (Post::channel(PRIVATE).to(app).send(&server).head.status == 200).then_some(())
    });
    Post::channel("private-my_app_orders")
        .to(app)
        .send(&server)
        .refused_with(403, "The channel is authorized under its name without the prefix it has in Redis");
}

#[test]
fn what_is_no_request_for_a_channel_is_refused_in_words() {
    let application = yes();
    let server = server_of(&application);
    let long = format!("private-{}", "x".repeat(157));
    for (form, mentions) in [
        ("", "Missing parameter: socket_id"),
        ("socket_id=1.2", "Missing parameter: channel_name"),
        ("channel_name=private-a", "Missing parameter: socket_id"),
        ("socket_id=1&channel_name=private-a", "Invalid socket id"),
        ("socket_id=undefined&channel_name=private-a", "Invalid socket id"),
        ("socket_id=1.2%0A&channel_name=private-a", "Invalid socket id"),
        ("socket_id=1.99999999999&channel_name=private-a", "Invalid socket id"),
        ("socket_id=1.2&channel_name=private-a%20b", "Invalid channel name: private-a b"),
        ("socket_id=1.2&channel_name=private-a:b", "Invalid channel name: private-a:b"),
        (&format!("socket_id=1.2&channel_name={long}"), "164"),
    ] {
        Post::form(form).send(&server).refused(400, mentions);
    }
    Post::form(&"x".repeat(16_385)).send(&server).refused(413, "16384 bytes");
    assert_eq!(application.questions().len(), 0);
}

#[test]
fn a_name_that_tries_to_forge_a_line_of_the_log_does_not() {
    let server = server_of(&yes());
    Post::channel("private-x%0Aforged-line%1B[31m").send(&server).refused(400, "Invalid channel name");
    expect_denial_logged(&server, &["status=400"]);
    let log = server.process.stderr();
    assert!(!log.lines().any(|line| line.starts_with("forged-line")) && !log.contains('\u{1b}'), "{log}");
}

#[test]
fn an_app_without_the_setting_says_which_it_is() {
    let application = yes();
    let server = TestServer::start();
    Post::channel(PRIVATE).send(&server).refused(404, "set authorization.url");
    let (channel, socket) = (format!("channel=\"{PRIVATE}\""), format!("socket=\"{SOCKET}\""));
    expect_denial_logged(&server, &["status=404", &channel, &socket]);
    Post::user().send(&server).refused(404, "set authorization.user_url");
    let channels_only = format!("authorization.url = \"http://{}/auth\"", application.addr);
    Post::user().send(&Setup::with_app(&channels_only).start()).refused(404, "set authorization.user_url");
    assert_eq!(application.questions().len(), 0);
}

#[test]
fn other_methods_unknown_keys_and_disabled_apps_are_refused() {
    let application = yes();
    let server = Setup::with_app(&application.settings())
        .app(OTHER, &format!("enabled = false\n{}", application.settings()))
        .start();
    let answer = Post::channel(PRIVATE).method("GET").send(&server);
    answer.refused(405, "POST");
    assert_eq!(answer.head.header("allow"), Some("POST"));
    Post::channel(PRIVATE)
        .path("/app/nobodys/auth")
        .send(&server)
        .refused(404, "no app with the key nobodys");
    Post::channel(PRIVATE).path(&format!("/app/{}/auth/x", APP.key)).send(&server).refused(404, "nothing");
    Post::channel(PRIVATE).to(OTHER).send(&server).refused_with(403, "This app is disabled");
    assert_eq!(application.questions().len(), 0);
}

#[test]
fn a_path_prefix_stands_in_front_of_it_too() {
    let application = yes();
    let setup = Setup::with_app(&application.settings()).config("[listen]\npath_prefix = \"/ws\"");
    let post = Post::channel(PRIVATE).path(&format!("/ws/app/{}/auth", APP.key));
    post.send(&setup.start()).expect(&signed(APP));
}

#[test]
fn auth_011_each_key_of_an_app_signs_with_its_own_secret_and_a_revoked_one_is_unknown() {
    let application = yes();
    let url = format!("authorization.url=http://{}/auth", application.addr);
    let server = TestServer::with_stored_app(&[&url]);
    Post::channel(PRIVATE).send(&server).expect(&signed(APP));
    let made: serde_json::Value =
        serde_json::from_str(&server.commanded(&["app", "rotate-key", APP.id, "--json"])).expect("JSON");
    let text = |name: &str| -> &'static str { made[name].as_str().expect("a text").to_owned().leak() };
    let second = App { id: APP.id, key: text("key"), secret: text("secret") };
    eventually("the second key is known", || {
        let answer = Post::channel(PRIVATE).to(second).send(&server);
        (answer.head.status == 200).then(|| answer.expect(&signed(second)))
    });
    Post::channel(PRIVATE).send(&server).expect(&signed(APP));
    server.commanded(&["app", "revoke-key", APP.id, APP.key]);
    eventually("the first key is unknown", || {
        (Post::channel(PRIVATE).send(&server).head.status == 404).then_some(())
    });
    Post::channel(PRIVATE).to(second).send(&server).expect(&signed(second));
}

#[test]
fn settings_that_change_hold_from_the_next_request_on() {
    let (first, second) = (yes(), Application::saying(403, ""));
    let url = |application: &Application| format!("authorization.url=http://{}/auth", application.addr);
    let server = TestServer::with_stored_app(&[&url(&first)]);
    Post::channel(PRIVATE).send(&server).expect(&signed(APP));
    server.commanded(&["app", "update", APP.id, "--set", &url(&second)]);
    eventually("the other application is asked", || {
        (Post::channel(PRIVATE).send(&server).head.status == 403).then_some(())
    });
    let faulty = server.command(&["app", "update", APP.id, "--set", "authorization.url=/auth"]);
    assert_eq!(faulty.status, 64);
    assert!(faulty.stderr.contains("authorization.url holds \"/auth\"; give a URL"), "{}", faulty.stderr);
}

#[test]
fn files_of_authorities_that_cannot_be_used_are_told_with_all_other_faults() {
    let ended = Setup::new()
        .config("[authorization]\nca_file = \"nowhere.pem\"\n[webhooks]\nca_file = \"none.pem\"\nretry = 0")
        .run();
    assert_eq!(ended.status, 64);
    for told in [
        "authorization.ca_file, nowhere.pem: no certificates can be read from it",
        "webhooks.ca_file, none.pem: no certificates can be read from it",
        "webhooks.retry must be",
    ] {
        assert!(ended.stderr.contains(told), "{told} is not in\n{}", ended.stderr);
    }
}
