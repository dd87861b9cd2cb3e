//! `fanfare console`, and what the start says of the console (CON-006).

use fanfare_testing::redis::free_port;
use serde_json::{Value, json};

use crate::console::{Browser, refused};
use crate::support::admin::Admin;
use crate::support::setup::Setup;

#[test]
fn con_006_fanfare_console_prints_a_link_that_logs_in_once_with_what_it_was_told() {
    let server = Setup::bare().start();
    Admin::with(&server, "write").post("/v1/apps", r#"{"id":"1001"}"#).expect(201);
    let words = [
        "console",
        "--scope",
        "read,publish",
        "--app",
        "1001",
        "--name",
        "ann",
        "--url",
        "https://x.example/",
    ];
    let printed = server.commanded(&words);
    let link = printed.lines().next().expect("a line");
    let code = link.strip_prefix("https://x.example/console/#code=").unwrap_or_else(|| panic!("{printed}"));
    let mut browser = Browser::new(&server);
    let answer = browser.log_in(&json!({ "code": code }));
    let session: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(session["name"], "ann");
    assert_eq!((&session["scopes"], &session["apps"]), (&json!(["read", "publish"]), &json!(["1001"])));
    let again = browser.log_in(&json!({ "code": code }));
    refused(&again, 401, "wrong-token");
    assert!(again.body.contains("`fanfare console` prints another"), "{}", again.body);
    let json: Value = serde_json::from_str(&server.commanded(&["console", "--json"])).expect("JSON");
    assert!(json["url"].as_str().is_some_and(|url| url.contains("/console/#code=")), "{json}");
    for action in ["session.login", "session.failed", "token.create"] {
        let log = server.commanded(&["audit"]);
        assert!(log.contains(action) && !log.contains(code), "{log}");
    }
}

#[test]
fn con_006_the_ready_line_names_the_console_and_the_command_that_opens_it() {
    let server = Setup::bare().start();
    let line = server.process.line().expect("a line");
    let (place, command) = line.split_once(" (`").unwrap_or_else(|| panic!("{line}"));
    assert_eq!(place, format!("Console: http://{}/console/", server.admin));
    let (command, _) = command.split_once("` prints a link").unwrap_or_else(|| panic!("{line}"));
    let metrics = server.process.line().expect("a line");
    assert_eq!(metrics, format!("Metrics: http://{}/metrics, for Prometheus", server.admin));
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let printed = server.commanded(&words);
    let link = printed.lines().next().expect("a line");
    let code = link.strip_prefix(&format!("http://{}/console/#code=", server.admin));
    let answer =
        Browser::new(&server).log_in(&json!({ "code": code.unwrap_or_else(|| panic!("{printed}")) }));
    assert_eq!(answer.head.status, 200, "{}", answer.body);
}

#[test]
fn con_006_without_a_database_the_ready_line_and_the_command_say_which_setting_gives_one() {
    let server = Setup::new().start();
    let line = server.process.line().expect("a line");
    assert!(line.starts_with("Console: off") && line.contains("FANFARE__APPS__DATABASE"), "{line}");
    let ended = server.command(&["console", "--config", "fanfare.toml"]);
    assert!(ended.status == 64 && ended.stderr.contains("FANFARE__APPS__DATABASE"), "{}", ended.stderr);
    // A database that no server uses would make a link that opens nothing.
    for command in [&["console"][..], &["live", "1001"]] {
        let ended = server.command(&[command, &["--create-database"]].concat());
        assert!(ended.status == 64 && ended.stderr.contains("not for this command"), "{}", ended.stderr);
    }
}

#[test]
fn con_006_the_command_says_so_if_nobody_listens_where_the_link_leads() {
    let server = Setup::bare().start();
    let free = format!("127.0.0.1:{}", free_port());
    let configured = format!("[listen]\nadmin_addr = \"{free}\"\n[apps]\ndatabase = \"sqlite\"");
    std::fs::write(server.folder().join("elsewhere.toml"), configured).expect("a file");
    let printed = server.commanded(&["console", "--config", "elsewhere.toml"]);
    assert!(printed.contains(&format!("Nobody listens on {free}")) && printed.contains("--url"), "{printed}");
}
