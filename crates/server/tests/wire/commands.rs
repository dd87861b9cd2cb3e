//! The command line beside a server: which database a command works on, and what it says before it does harm.

use std::fs;

use crate::support::server::TestServer;
use crate::support::setup::{Ended, Setup, binary, run};

/// `fanfare` in an empty folder; what it said, and what it has left there.
#[track_caller]
fn alone(arguments: &[&str], environment: &[(&str, &str)]) -> (Ended, usize) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let ended = run(binary(folder.path()).args(arguments).envs(environment.iter().copied()));
    (ended, fs::read_dir(folder.path()).expect("it is there").count())
}

#[test]
fn where_no_database_is_no_command_makes_one() {
    for arguments in [
        &["app", "create", "--name", "shop"][..],
        &["app", "list"],
        &["app", "usage", "3"],
        &["app", "seal-secrets", "--yes"],
        &["token", "create", "--name", "t", "--scope", "read"],
        &["token", "list"],
        &["migrate"],
        &["env"],
        &["laravel", "env"],
    ] {
        let (ended, left) = alone(arguments, &[]);
        assert_eq!((ended.status, &*ended.stdout, left), (64, "", 0), "{arguments:?}: {}", ended.stderr);
        for part in ["/fanfare-data/fanfare.db does not exist", "--data-dir", "--create-database makes a new"]
        {
            assert!(ended.stderr.contains(part), "{arguments:?}: {part} is not in {}", ended.stderr);
        }
    }
    for arguments in [&["app", "create"][..], &["app", "list"], &["migrate"], &["env"]] {
        let (ended, left) = alone(&[arguments, &["--create-database"]].concat(), &[]);
        assert_eq!((ended.status, left), (0, 1), "{arguments:?}: {}", ended.stderr);
    }
    for arguments in [&["env"][..], &["laravel", "env"]] {
        let (ended, _) = alone(&[arguments, &["--create-database"]].concat(), &[]);
        assert!(ended.stderr.contains("written to the SQLite file"), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn a_database_that_cannot_be_looked_at_is_not_told_to_be_missing() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let database = folder.path().join("fanfare.db");
    // What a folder of another user does to everybody but root.
    std::os::unix::fs::symlink(&database, &database).expect("the folder can be written to");
    let data = folder.path().to_str().expect("it is text");
    for command in [&["app", "list"][..], &["env"], &["doctor"]] {
        let (ended, _) = alone(&[command, &["--data-dir", data]].concat(), &[]);
        assert!(
            ended.status != 0 && ended.stderr.contains("fanfare.db cannot be opened: Too many levels"),
            "{command:?}: {}",
            ended.stderr
        );
    }
}

#[test]
fn a_file_that_is_no_database_is_named_with_the_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    fs::write(folder.path().join("fanfare.db"), "no database".repeat(100)).expect("it can be written");
    let data = folder.path().to_str().expect("it is text");
    for command in [&["app", "list"][..], &["doctor"]] {
        let (ended, _) = alone(&[command, &["--data-dir", data]].concat(), &[]);
        assert!(
            ended.stderr.contains("fanfare.db cannot be used: file is not a database"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_command_says_which_database_it_has_written_to() {
    let server = TestServer::with_stored_app(&[]);
    let file = server.folder().join("fanfare-data/fanfare.db");
    let written = format!("fanfare: written to the SQLite file {}", file.display());
    for arguments in [
        &["app", "create", "--name", "other"][..],
        &["app", "update", "3", "--name", "renamed"],
        &["app", "rotate-key", "3", "--json"],
        &["token", "create", "--name", "t", "--scope", "read"],
    ] {
        let ended = server.command(arguments);
        assert_eq!((ended.status, &*ended.stderr), (0, &*written), "{arguments:?}");
    }
    for arguments in [&["app", "list"][..], &["app", "show", "3"], &["token", "list"]] {
        assert_eq!(server.command(arguments).stderr, "", "{arguments:?}: nothing was written");
    }
}

#[test]
fn deleting_an_app_wants_a_yes_and_the_last_one_is_not_made_anew() {
    let server = TestServer::with_stored_app(&[]);
    let refused = server.command(&["app", "delete", "3"]);
    assert_eq!(refused.status, 64);
    assert!(refused.stderr.contains("Deleting app 3 (shop)") && refused.stderr.contains("--yes"));
    let listed: serde_json::Value =
        serde_json::from_str(&server.commanded(&["app", "list", "--json"])).expect("JSON");
    for app in listed["apps"].as_array().expect("a list") {
        server.commanded(&["app", "delete", app["id"].as_str().expect("a text"), "--yes"]);
    }
    let folder = server.stop();
    let again = Setup::bare().in_folder(folder).start();
    again.process.log_line("that there is no app", |line| line.contains("There is no app yet").then_some(()));
    let listed = again.commanded(&["app", "list"]);
    let place = again.folder().join("fanfare-data/fanfare.db");
    assert_eq!(listed, format!("There is no app here in the SQLite file {}.\n", place.display()));
}

#[test]
fn a_database_whose_only_app_a_command_has_made_and_deleted_gets_no_other() {
    let setup = Setup::bare();
    for arguments in
        [&["app", "create", "--id", "7", "--create-database"][..], &["app", "delete", "7", "--yes"]]
    {
        let ended = run(binary(setup.folder()).args(arguments));
        assert_eq!(ended.status, 0, "{arguments:?}: {}", ended.stderr);
    }
    let server = setup.start();
    server
        .process
        .log_line("that there is no app", |line| line.contains("There is no app yet").then_some(()));
}

#[test]
fn sealing_without_a_master_key_is_an_error() {
    let server = TestServer::with_stored_app(&[]);
    let ended = server.command(&["app", "seal-secrets", "--yes"]);
    assert_eq!((ended.status, &*ended.stdout), (64, ""));
    assert!(ended.stderr.contains("no master key is configured"), "{}", ended.stderr);
}

#[test]
fn a_check_says_that_all_is_well_or_what_to_see_to() {
    let checked =
        |config: &str| Setup::new().config(config).command(Some("serve")).arguments(&["--check"]).run();
    let ended = checked("");
    assert_eq!((ended.status, &*ended.stdout, &*ended.stderr), (0, "The configuration is in order.\n", ""));
    let ended = checked("[webhooks]\ntimeout = 5");
    assert_eq!(
        (ended.status, &*ended.stdout),
        (0, "The configuration has no fault, but see the warnings.\n")
    );
    assert!(
        ended.stderr.starts_with("fanfare: warning: webhooks.timeout is 5 milliseconds"),
        "{}",
        ended.stderr
    );
}

#[test]
fn options_may_stand_before_the_command() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    fs::write(folder.path().join("f.toml"), "[apps]\ndata_dir = \"elsewhere\"\n").expect("it can be written");
    let told = |arguments: &[&str]| run(binary(folder.path()).args(arguments));
    let ended = told(&["--config", "f.toml", "serve", "--check"]);
    assert_eq!((ended.status, &*ended.stdout), (0, "The configuration is in order.\n"), "{}", ended.stderr);
    let ended = told(&["--config", "f.toml", "app", "list"]);
    assert!(ended.stderr.contains("/elsewhere/fanfare.db does not exist"), "{}", ended.stderr);
    let ended = told(&["--listen", "127.0.0.1:1", "app", "list"]);
    assert_eq!(ended.status, 64);
    assert!(ended.stderr.contains("--listen before app"), "{}", ended.stderr);
}

#[test]
fn an_address_is_understood_or_refused_with_an_example() {
    for wrong in ["6001", ":6001", "example.com:6001"] {
        let (ended, _) = alone(&["--listen", wrong, "--check"], &[]);
        assert_eq!(ended.status, 64);
        let expected = format!(
            "fanfare: fault: --listen: listen.addr must be an IP address and a port, such as 127.0.0.1:6001 for \
             this machine alone or 0.0.0.0:6001 for all, or localhost and a port; found the text {wrong:?}"
        );
        assert_eq!(ended.stderr, expected);
    }
    let (ended, _) = alone(&["--print"], &[("FANFARE__LISTEN__ADDR", "localhost:7001")]);
    assert!(ended.stdout.contains("addr = \"localhost:7001\" # FANFARE__LISTEN__ADDR"), "{}", ended.stdout);
}

#[test]
fn the_version_is_told_with_what_it_was_built_from() {
    let (ended, left) = alone(&["version"], &[]);
    assert_eq!((ended.status, left), (0, 0));
    let start = format!("fanfare {} (", env!("CARGO_PKG_VERSION"));
    assert!(ended.stdout.starts_with(&start) && ended.stdout.ends_with(")\n"), "{}", ended.stdout);
}

#[test]
fn the_help_lists_the_settings_of_an_app() {
    let (ended, _) = alone(&["app", "create", "--help"], &[]);
    for name in ["client_events", "limits.cache_seconds", "redis_feed.prefix", "webhooks", "allowed_origins"]
    {
        assert!(ended.stdout.contains(name), "{name} is not in\n{}", ended.stdout);
    }
}

#[test]
fn a_postgres_that_is_not_there_is_named_without_its_password() {
    let url = "postgres://fanfare:hush-hush@127.0.0.1:1/shop";
    let (ended, _) = alone(&["app", "list"], &[("DATABASE_URL", url)]);
    assert_eq!(ended.status, 69);
    assert_eq!(
        ended.stderr,
        "fanfare: the Postgres database shop at 127.0.0.1:1 cannot be opened: Connection refused (os error 111)"
    );
}

#[test]
fn completions_know_commands_and_options_in_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let (ended, left) = alone(&["completions", shell], &[]);
        assert_eq!((ended.status, &*ended.stderr, left), (0, "", 0), "{shell}");
        for word in ["serve", "doctor", "create-database", "fanfare"] {
            assert!(ended.stdout.contains(word), "{shell}: {word}");
        }
    }
    let (ended, _) = alone(&["completions", "unknown"], &[]);
    assert_eq!((ended.status, &*ended.stdout), (64, ""));
}

#[test]
fn man_pages_are_written_for_every_command_into_a_new_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let ended = run(binary(folder.path()).args(["man", "share/man1"]));
    assert_eq!((ended.status, &*ended.stdout, &*ended.stderr), (0, "", ""));
    for (page, word) in
        [("fanfare", "fanfare\\-serve"), ("fanfare-serve", "config"), ("fanfare-app-create", "name")]
    {
        let path = folder.path().join("share/man1").join(page).with_extension("1");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(".TH ") && text.contains(word), "{page}: {text}");
    }
    fs::write(folder.path().join("file"), "").expect("the folder can be written to");
    let ended = run(binary(folder.path()).args(["man", "file"]));
    assert!(ended.status == 74 && ended.stderr.starts_with("fanfare: file: "), "{}", ended.stderr);
}
