//! `fanfare send`: an event from the command line, sent like a back end's.

use crate::support::application::Application;
use crate::support::setup::{Setup, binary, run};
use crate::support::{APP, OTHER, quoted};

#[test]
fn an_event_arrives_and_the_command_says_how_many_were_subscribed() {
    let server = Setup::new().app(OTHER, "").start();
    let mut socket = server.connect();
    socket.subscribe("news");
    let listen = server.addr.to_string();
    let said = server.commanded(&[
        "send",
        "--config",
        "fanfare.toml",
        "--listen",
        &listen,
        "news",
        "e",
        r#"{"n":1}"#,
    ]);
    let (sent, told) = said.split_once(", as ").expect("an id");
    assert_eq!(sent, format!("e was sent to news of app {} at http://{listen}", APP.id));
    let (id, told) = told.split_once(".\n").expect("a line for each channel");
    assert_eq!((id.len(), told), (26, "  news: 1 connection is subscribed, 1 took it.\n"));
    socket.expect_event("news", "e", r#"{"n":1}"#);
    let url = format!("http://{listen}");
    let send = |rest: &[&str]| {
        let words = [&["send", "--config", "fanfare.toml", "--url", &url][..], rest].concat();
        server.commanded(&words)
    };
    assert!(send(&["--app", OTHER.id, "news", "e"]).contains("nobody is subscribed"));
    send(&["news", "e", "no JSON at all"]);
    socket.expect_text(&format!(r#"{{"event":"e","data":{},"channel":"news"}}"#, quoted("no JSON at all")));
    send(&["news", "e"]);
    socket.expect_event("news", "e", "{}");
}

#[test]
fn the_app_of_a_server_without_configuration_is_found_and_a_path_prefix_is_kept_to() {
    let server = Setup::bare().env("FANFARE__LISTEN__PATH_PREFIX", "/ws").start();
    let url = format!("http://{}", server.addr);
    let mut command = binary(server.folder());
    command.args(["send", "--url", &url, "news", "e"]).env("FANFARE__LISTEN__PATH_PREFIX", "/ws");
    let ended = run(&mut command);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains(&format!(" at {url}/ws, as ")), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("  news: nobody is subscribed to news, and no open channel"),
        "{}",
        ended.stdout
    );
}

#[test]
fn where_no_server_has_run_nothing_is_made() {
    let ended = Setup::bare().command(Some("send")).arguments(&["news", "e"]);
    let folder = ended.folder().to_owned();
    let ended = ended.run();
    assert_eq!(ended.status, 64, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("fanfare-data/fanfare.db does not exist. Start the server first"),
        "{}",
        ended.stderr
    );
    assert!(!folder.join("fanfare-data").exists());
}

#[test]
fn a_page_of_another_server_counts_as_nothing_sent_and_is_told_in_one_line() {
    let page = "<html>\u{1b}[31m\nfanfare: all is well";
    let answer = |status: &str| {
        Application::raw(&format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{page}", page.len()))
    };
    let server = Setup::new().start();
    for (status, says) in [("200 OK", "answers 200, but not as Fanfare does"), ("404 X", "refused with 404")]
    {
        let other = answer(status);
        let url = format!("http://{}", other.addr);
        let ended = server.command(&["send", "--config", "fanfare.toml", "--url", &url, "news", "e"]);
        assert_eq!((ended.status, &*ended.stdout), (69, ""), "{}", ended.stderr);
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
        let told = ended.stderr.trim_end();
        assert!(!told.contains(char::is_control), "one line without escapes: {told:?}");
    }
}

#[test]
fn what_went_wrong_is_said_with_what_to_do() {
    let server = Setup::bare().app(OTHER, "enabled = false").start();
    let url = format!("http://{}", server.addr);
    for (url, words, status, says) in [
        (&*url, ["news", "e"].as_slice(), 69, "has refused with 403: This app is disabled"),
        (&url, &["--app", "9", "news", "e"], 64, "there is no such app; `fanfare app list`"),
        (&url, &["private-encrypted-a", "e"], 64, "the SDK of a back end encrypts it"),
        (&url, &["no channel", "e"], 64, "Invalid channel name: no channel"),
        (
            "http://127.0.0.1:1",
            &["news", "e"],
            69,
            "does not answer: the connection was refused (does the server run?",
        ),
        (&url, &["--except", "12", "news", "e"], 64, "12 is no socket id, which looks like 1234.5678"),
        (&url, &["--also-to", "no channel", "news", "e"], 64, "Invalid channel name: no channel"),
    ] {
        let words = [&["send", "--config", "fanfare.toml", "--url", url][..], words].concat();
        let ended = server.command(&words);
        assert_eq!(ended.status, status, "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{words:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains(OTHER.secret));
    }
}

#[test]
fn con_042_each_channel_has_a_line_that_says_who_got_the_event_or_why_nobody_did() {
    let server = Setup::new().start();
    let mut sockets = [server.connect(), server.connect()];
    for socket in &mut sockets {
        socket.subscribe("news");
    }
    sockets[1].subscribe_private(APP, "private-orders");
    let url = format!("http://{}", server.addr);
    let send = |words: &[&str]| {
        server.commanded(&[&["send", "--config", "fanfare.toml", "--url", &url][..], words].concat())
    };
    let except = sockets[0].id.clone();
    let said = send(&["--also-to", "orders", "--also-to", "News", "--except", &except, "news", "e", "1"]);
    let told = said.split_once(".\n").map(|(_, told)| told.to_owned()).unwrap_or_default();
    assert_eq!(
        told,
        "  news: 2 connections are subscribed, 1 took it, 1 excluded.\n  orders: nobody is subscribed to orders, but \
         private-orders has 1 subscriber: the names differ by their prefix.\n  News: nobody is subscribed to News, but \
         news has 2 subscribers: the names differ by upper and lower case.\n"
    );
    sockets[1].expect_event("news", "e", "1");
    sockets[0].expect_nothing_more();
    let json: serde_json::Value = serde_json::from_str(&send(&["--json", "news", "e", "1"])).expect("JSON");
    assert_eq!(
        (&json["channels"][0]["took"], &json["by"]),
        (&2.into(), &format!("key:{}", &APP.key[..4]).into())
    );
}
