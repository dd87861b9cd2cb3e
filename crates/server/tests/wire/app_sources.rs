//! Sources of apps: file, environment, database, or the first run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::server::{TestServer, pusher_js};
use crate::support::setup::Setup;
use crate::support::{APP, App, OTHER};

/// Connects and publishes as this app.
#[track_caller]
fn expect_usable(server: &TestServer, app: App) {
    let mut socket = server.connect_to(app);
    socket.subscribe_private(app, "private-a");
    server.api_of(app).publish("private-a", "e", "d");
    socket.expect_event("private-a", "e", "d");
}

#[test]
fn pushers_variables_define_an_app() {
    let server = Setup::bare()
        .env("PUSHER_APP_ID", APP.id)
        .env("PUSHER_APP_KEY", APP.key)
        .env("PUSHER_APP_SECRET", APP.secret)
        .start();
    expect_usable(&server, APP);
    assert!(!server.folder().join("fanfare-data").exists(), "no database is needed");
}

#[test]
fn the_file_and_reverbs_variables_define_two_apps() {
    let server = Setup::new()
        .env("REVERB_APP_ID", OTHER.id)
        .env("REVERB_APP_KEY", OTHER.key)
        .env("REVERB_APP_SECRET", OTHER.secret)
        .start();
    expect_usable(&server, APP);
    expect_usable(&server, OTHER);
}

#[test]
fn the_variables_of_pusher_and_reverb_may_name_the_same_app() {
    let mut setup = Setup::bare();
    for prefix in ["PUSHER", "REVERB"] {
        setup = setup
            .env(&format!("{prefix}_APP_ID"), APP.id)
            .env(&format!("{prefix}_APP_KEY"), APP.key)
            .env(&format!("{prefix}_APP_SECRET"), APP.secret);
    }
    expect_usable(&setup.start(), APP);
}

#[test]
fn an_app_may_have_a_name_for_an_id() {
    const UUID: App = App { id: "9f1c2b7e-8a54-4c0e-9d5c-0a1b2c3d4e5f", ..OTHER };
    let server = Setup::bare().app(App { id: "my-app-id", ..APP }, "").app(UUID, "").start();
    expect_usable(&server, App { id: "my-app-id", ..APP });
    expect_usable(&server, UUID);
    let stored = Setup::bare().start();
    stored.commanded(&["app", "create", "--id", "My_App-1", "--key", "k-1"]);
    let shown = stored.commanded(&["app", "show", "My_App-1", "--json"]);
    assert!(shown.contains("\"My_App-1\""), "{shown}");
    assert_eq!(stored.command(&["app", "create", "--id", "my app"]).status, 64);
}

/// The app created by a first run, parsed from the output.
fn made_up(server: &TestServer) -> App {
    let (mut id, mut key, mut secret) = (None, None, None);
    while id.is_none() || key.is_none() || secret.is_none() {
        let line = server.process.line().expect("a first run prints its credentials");
        let Some((name, value)) = line.trim().split_once('=') else {
            continue;
        };
        let value: &'static str = value.trim_matches('"').to_owned().leak();
        match name {
            "PUSHER_APP_ID" => id = Some(value),
            "PUSHER_APP_KEY" => key = Some(value),
            "PUSHER_APP_SECRET" => secret = Some(value),
            _ => {}
        }
    }
    let (Some(id), Some(key), Some(secret)) = (id, key, secret) else { unreachable!("the loop has ended") };
    App { id, key, secret }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|why| panic!("{}: {why}", path.display())).permissions().mode() & 0o777
}

#[test]
fn a_first_run_makes_up_an_app_and_the_next_run_has_the_same() {
    let server = Setup::bare().start();
    let app = made_up(&server);
    assert!(app.id.bytes().all(|byte| byte.is_ascii_digit()), "LIM-009: {app:?}");
    assert!(app.key.len() >= 20 && app.secret.len() >= 20 && app.key != app.secret, "{app:?}");
    expect_usable(&server, app);
    assert_eq!(mode(&server.folder().join("fanfare-data/fanfare.db")), 0o600);
    let folder = server.stop();
    let again = Setup::bare().in_folder(folder).start();
    expect_usable(&again, app);
    let folder = again.stop();
    // An older secret is shown on request.
    let ended = Setup::bare().command(Some("env")).in_folder(folder).run();
    for line in [format!("PUSHER_APP_ID={}", app.id), format!("PUSHER_APP_SECRET={}", app.secret)] {
        assert!(ended.stdout.lines().any(|found| found == line), "{line} is not in\n{}", ended.stdout);
    }
}

#[test]
fn two_first_runs_make_up_different_apps() {
    let (one, other) = (made_up(&Setup::bare().start()), made_up(&Setup::bare().start()));
    assert_ne!(one.key, other.key);
    assert_ne!(one.secret, other.secret);
}

#[test]
fn a_first_run_does_not_log_its_secret() {
    let server = Setup::bare().config("[log]\nfilter = \"trace\"").start();
    let app = made_up(&server);
    expect_usable(&server, app);
    assert!(!server.process.stderr().contains(app.secret));
}

#[test]
fn the_data_folder_is_a_flag() {
    let server = Setup::bare().arguments(&["--data-dir", "elsewhere/deep"]).start();
    expect_usable(&server, made_up(&server));
    assert_eq!(mode(&server.folder().join("elsewhere/deep/fanfare.db")), 0o600);
    assert!(!server.folder().join("fanfare-data").exists());
}

#[test]
fn apps_of_the_file_and_a_database_are_used_together() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("apps.db");
    let url = format!("sqlite://{}", file.display());
    let server = Setup::new().config(&format!("[apps]\ndatabase = \"{url}\"")).start();
    expect_usable(&server, APP);
    assert_eq!(mode(&file), 0o600);
    server.open("/app/unknown?protocol=7").expect_close_code(4001);
}

#[test]
fn the_database_may_be_named_by_the_environment() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("apps.db");
    let server = Setup::new().env("DATABASE_URL", &format!("sqlite://{}", file.display())).start();
    server.open(&pusher_js(APP)).established(50);
    assert!(file.exists());
}

#[test]
fn con_051_an_app_of_the_configuration_says_where_it_is_from_and_is_changed_there() {
    let server = Setup::bare()
        .config("[apps]\ndatabase = \"sqlite\"\n")
        .app(APP, "")
        .env("PUSHER_APP_ID", OTHER.id)
        .env("PUSHER_APP_KEY", OTHER.key)
        .env("PUSHER_APP_SECRET", OTHER.secret)
        .start();
    let config = ["--config", "fanfare.toml"];
    let bearing = |more: &[&str]| {
        let made = [&["token", "create", "--name", "t", "--json"], more, &config[..]].concat();
        let made: Value = serde_json::from_str(&server.commanded(&made)).expect("JSON");
        Admin::nobody(&server).bearing(made["token"].as_str().expect("a text"))
    };
    let admin = bearing(&["--scope", "read,write"]);
    admin.post("/v1/apps", r#"{"id":"77"}"#).expect(201);
    let file = fs::read_to_string(server.folder().join("fanfare.toml")).expect("the file");
    let line = file.lines().position(|line| line == "[[apps.list]]").expect("the app") + 1;
    let of_file = admin.get(&format!("/v1/apps/{}", APP.id)).expect(200);
    let path = of_file["file"].as_str().expect("a file");
    assert!(path.ends_with("fanfare.toml"), "{path}");
    assert_eq!(
        (&of_file["source"], &of_file["line"], &of_file["variable"]),
        (&json!("configuration"), &json!(line), &Value::Null)
    );
    let all = admin.get("/v1/apps").expect(200);
    let named: Vec<_> = all["apps"].as_array().expect("a list").iter().map(|app| &app["from"]).collect();
    let from = json!(format!("{path}:{line}"));
    assert_eq!(named, [&from, &json!("PUSHER_APP_ID"), &Value::Null]);
    let of_variable = &all["apps"][1];
    assert_eq!((&of_variable["variable"], &of_variable["file"]), (&json!("PUSHER_APP_ID"), &Value::Null));
    let secrets = [APP.secret, OTHER.secret];
    assert!(!secrets.iter().any(|secret| all.to_string().contains(secret)), "{all}");
    let refusal = admin.patch(&format!("/v1/apps/{}", APP.id), r#"{"enabled":false}"#);
    refusal.refused(409, "configuration-app", &[]);
    let detail =
        "app 3 is in the configuration file or the environment; change it there, and reload the server";
    assert_eq!(refusal.json["detail"], detail);

    let seen =
        bearing(&["--scope", "read", "--app", APP.id]).get(&format!("/v1/apps/{}", APP.id)).expect(200);
    assert_eq!(
        (&seen["source"], &seen["from"], &seen["file"]),
        (&json!("configuration"), &Value::Null, &Value::Null)
    );

    let listed = server.commanded(&[&["app", "list"], &config[..]].concat());
    let shown = server.commanded(&[&["app", "show", APP.id], &config[..]].concat());
    for text in [&listed, &shown] {
        assert!(text.contains(&format!("the configuration, fanfare.toml:{line}\n")), "{text}");
    }
    assert!(listed.contains("the database\n"), "{listed}");
}
