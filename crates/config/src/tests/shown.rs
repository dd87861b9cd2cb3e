//! The output of `--print`.

use super::{APP_3, Setup, env};
use crate::Flags;

#[test]
fn the_effective_configuration_says_where_each_value_comes_from() {
    let config =
        Setup::file(&format!("[limits]\nmembers = 77\n{APP_3}max_connections = 5\nmessages_per_day = 6\n"))
            .env(&[("FANFARE__LIMITS__BATCH", "7"), ("PORT", "8080")])
            .flags(Flags { admin_listen: Some("localhost:0".to_owned()), ..Flags::default() })
            .load();
    let text = config.effective();
    for line in [
        "[listen]",
        "addr = \"127.0.0.1:8080\" # PORT",
        "admin_addr = \"localhost:0\" # --admin-listen",
        "trusted_proxies = [\"127.0.0.0/8\", \"::1/128\"]",
        "event_bytes = 10240",
        "activity = \"50s\"",
        "delay = \"3s\"",
        "batch = 7 # FANFARE__LIMITS__BATCH",
        "database = \"\"",
        "# The apps are comments because their secrets are not shown.",
        "# id = \"3\"",
        "# key = \"key-3\"",
        "# secret = \"***\"",
        "# max_connections = 5",
        "# messages_per_day = 6",
        "# members = 77",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let from_file =
        |start: &str| text.lines().any(|line| line.starts_with(start) && line.contains("fanfare.toml:"));
    assert!(from_file("members = 77 # ") && from_file("# [[apps.list]] # "), "{text}");
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn con_058_what_differs_is_listed_with_its_place_and_without_a_secret() {
    let config =
        Setup::file(&format!("[limits]\nmembers = 77\nbatch = 10\n[timeouts]\nactivity = 30\n{APP_3}"))
            .env(&[("DATABASE_URL", "postgres://user:hush-hush@db/apps"), ("PORT", "8080")])
            .load();
    let differing = config.differing();
    let found = |key: &str| differing.iter().find(|setting| setting.key == key);
    let is_from = |key: &str, value: &str, place: &str| {
        found(key).is_some_and(|setting| setting.value == value && setting.from.contains(place))
    };
    assert!(is_from("listen.addr", "127.0.0.1:8080", "PORT"), "{differing:?}");
    assert!(is_from("limits.members", "77", "fanfare.toml:2"), "{differing:?}");
    assert!(is_from("timeouts.activity", "30s", "fanfare.toml:5"), "{differing:?}");
    assert!(is_from("apps.list", "app 3", "fanfare.toml:"), "{differing:?}");
    assert!(found("apps.database").is_some_and(|setting| setting.from == "DATABASE_URL"), "{differing:?}");
    assert!(found("limits.batch").is_none(), "a value that is the default is none that differs");
    assert!(!format!("{differing:?}").contains("hush"), "{differing:?}");
}

#[test]
fn the_effective_configuration_is_a_configuration_file() {
    for setup in [
        Setup::file(&format!("[limits]\nmembers = 77\n{APP_3}")),
        env(&[("DATABASE_URL", "postgres://user:hush-hush@db/apps")]),
        Setup::default(),
    ] {
        let text = setup.load().effective();
        let again = Setup::file(&text).load().effective();
        let values = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(|line| line.split(" # ").next().unwrap_or(line).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(values(&again), values(&text));
    }
}

#[test]
fn the_effective_configuration_says_where_a_server_without_apps_keeps_them() {
    let text = Setup::default().load().effective();
    let line = "# No app and no database is named: apps are kept in fanfare-data/fanfare.db.";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_database_is_shown_without_its_password() {
    let text = env(&[("DATABASE_URL", "postgres://user:hush-hush@db/apps")]).load().effective();
    assert!(text.contains("database = \"postgres://***\" # DATABASE_URL\n"), "{text}");
    let text = env(&[("FANFARE__APPS__DATABASE", "sqlite:///srv/apps.db")]).load().effective();
    assert!(text.contains("database = \"sqlite:///srv/apps.db\" # FANFARE__APPS__DATABASE\n"), "{text}");
}
