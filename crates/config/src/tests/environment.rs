//! Variables and flags, and which source wins.

use std::path::Path;

use fanfare_apps::Database;

use super::{APP_3, Setup, env};
use crate::Flags;

#[test]
fn variables_go_before_the_file_and_flags_before_variables() {
    let setup = Setup::file(
        "[listen]\naddr = \"127.0.0.1:1\"\nadmin_addr = \"127.0.0.1:2\"\n[limits]\nbatch = 3\nmembers = 4",
    )
    .env(&[("FANFARE__LISTEN__ADDR", "127.0.0.1:11"), ("FANFARE__LISTEN__ADMIN_ADDR", "127.0.0.1:12")])
    .env(&[("FANFARE__LIMITS__BATCH", "13"), ("FANFARE__APPS__DATA_DIR", "from-env")])
    .flags(Flags {
        listen: Some("127.0.0.1:21".parse().unwrap()),
        data_dir: Some("from-flag".into()),
        ..Flags::default()
    });
    let config = setup.load();
    assert_eq!(config.listen.addr.port(), 21);
    assert_eq!(config.listen.admin_addr.port(), 12);
    assert_eq!((config.kept().defaults.batch, config.kept().defaults.members), (13, 4));
    assert_eq!(config.apps.data_dir, Path::new("from-flag"));
}

#[test]
fn variables_hold_numbers_switches_texts_and_lists() {
    let config = env(&[
        ("FANFARE__LIMITS__EVENT_BYTES", "20480"),
        ("FANFARE__LISTEN__VERSION_REQUIRED", "true"),
        ("FANFARE__LISTEN__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("FANFARE__LOG__FORMAT", "json"),
    ])
    .load();
    assert_eq!(config.kept().defaults.event_bytes, 20_480);
    assert!(config.listen.version_required);
    let proxies: Vec<String> = config.listen.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "::1/128"]);
    assert!(env(&[("FANFARE__LISTEN__TRUSTED_PROXIES", "")]).load().listen.trusted_proxies.is_empty());
}

#[test]
fn faults_of_variables_name_the_variable() {
    env(&[
        ("FANFARE__LIMITS__EVENT_BYTES", "many"),
        ("FANFARE__LIMITS__BATCH", ""),
        ("FANFARE__LISTEN__VERSION_REQUIRED", "1"),
        ("PORT", "http"),
        ("HOME", "/root"),
        ("FANFARE_HOME", "not ours"),
    ])
    .expect_faults(&[
        "PORT: the port must be a whole number from 0 to 65535; found the text \"http\"",
        "FANFARE__LIMITS__BATCH: limits.batch must be a whole number from 1 to 10000; found the text \"\"",
        "FANFARE__LIMITS__EVENT_BYTES: limits.event_bytes must be a whole number from 1 to 16777216; \
         found the text \"many\"",
        "FANFARE__LISTEN__VERSION_REQUIRED: listen.version_required must be true or false; \
         found the text \"1\"",
    ]);
}

#[test]
fn unknown_variables_are_told_with_the_nearest_name() {
    env(&[
        ("FANFARE__APPS__LIST__0__ID", "3"),
        ("FANFARE__LIMITS", "5"),
        ("FANFARE__LIMITS__EVENT_BYTE", "5"),
        ("FANFARE__LIMITS__PONG", "5"),
        ("FANFARE__LIMIT__EVENT_BYTE", "5"),
        ("FANFARE__Limits__Batch", "5"),
        ("FANFARE__ZZZ__ZZZ", "5"),
    ])
    .expect_faults(&[
        "FANFARE__APPS__LIST__0__ID: apps cannot be listed in a variable; name one by PUSHER_APP_ID, \
         PUSHER_APP_KEY and PUSHER_APP_SECRET, or several in the configuration file",
        "FANFARE__LIMITS: no such setting; config/default.toml lists all that there are",
        "FANFARE__LIMITS__EVENT_BYTE: no such setting; did you mean FANFARE__LIMITS__EVENT_BYTES?",
        "FANFARE__LIMITS__PONG: no such setting; did you mean FANFARE__TIMEOUTS__PONG?",
        "FANFARE__LIMIT__EVENT_BYTE: no such setting; did you mean FANFARE__LIMITS__EVENT_BYTES?",
        "FANFARE__Limits__Batch: no such setting; did you mean FANFARE__LIMITS__BATCH?",
        "FANFARE__ZZZ__ZZZ: no such setting; config/default.toml lists all that there are",
    ]);
}

#[test]
fn variables_with_one_underscore_are_told_with_the_name_that_is_meant_and_those_of_others_are_not() {
    env(&[
        ("FANFARE_LISTEN_ADDR", "0.0.0.0:6001"),
        ("FANFARE_LOG__FILTER", "debug"),
        ("FANFARE_MASTER_KEYS", "a"),
        ("FANFARE_CONFG", "a.toml"),
        ("FANFARE_DEFAULT", "a.toml"),
        // What Kubernetes sets for a service, and what programs around Fanfare have for themselves.
        ("FANFARE_SERVICE_HOST", "10.0.0.1"),
        ("FANFARE_SERVICE_PORT_CLIENTS", "6001"),
        ("FANFARE_PORT", "tcp://10.0.0.1:6001"),
        ("FANFARE_PORT_6001_TCP_ADDR", "10.0.0.1"),
        ("FANFARE_BIN", "fanfare"),
    ])
    .expect_faults(&[
        "FANFARE_CONFG: no such setting; did you mean FANFARE_CONFIG?",
        "FANFARE_DEFAULT: no such setting; did you mean FANFARE_DEFAULTS?",
        "FANFARE_LISTEN_ADDR: no such setting; did you mean FANFARE__LISTEN__ADDR?",
        "FANFARE_LOG__FILTER: no such setting; did you mean FANFARE__LOG__FILTER?",
        "FANFARE_MASTER_KEYS: no such setting; did you mean FANFARE_MASTER_KEY?",
    ]);
}

#[test]
fn a_time_is_a_number_in_the_settings_unit_or_a_text_with_its_own() {
    let config = env(&[
        ("FANFARE__TIMEOUTS__ACTIVITY", "2m"),
        ("FANFARE__TIMEOUTS__PONG", "20"),
        ("FANFARE__WEBHOOKS__TIMEOUT", "7s"),
        ("FANFARE__WEBHOOKS__DELAY", "250"),
        ("FANFARE__LIMITS__CACHE_SECONDS", "1h"),
    ])
    .load();
    assert_eq!((config.timeouts.activity, config.timeouts.pong), (120, 20));
    assert_eq!((config.webhooks.timeout, config.webhooks.delay), (7000, 250));
    let text = config.effective();
    for line in ["activity = \"2m\"", "timeout = \"7s\"", "delay = \"250ms\"", "cache_seconds = \"1h\""] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line} is not in\n{text}");
    }
    for wrong in ["250ms", "0s", "2d"] {
        let faults = env(&[("FANFARE__TIMEOUTS__ACTIVITY", wrong)]).faults();
        assert!(faults[0].contains("a time from 1s to 1d"), "{wrong}: {faults:?}");
    }
}

#[test]
fn port_changes_the_port_alone_and_yields_to_the_full_address() {
    assert_eq!(env(&[("PORT", "8080")]).load().listen.addr.to_string(), "127.0.0.1:8080");
    let everywhere = Setup::file("[listen]\naddr = \"[::]:6001\"").env(&[("PORT", "8080")]);
    assert_eq!(everywhere.load().listen.addr.to_string(), "[::]:8080");
    let both = env(&[("PORT", "none"), ("FANFARE__LISTEN__ADDR", "0.0.0.0:7000")]);
    assert_eq!(both.load().listen.addr.to_string(), "0.0.0.0:7000");
    assert_eq!(env(&[("PORT", "")]).load().listen.addr.port(), 6001);
}

#[test]
fn database_url_names_a_database_unless_ours_is_set() {
    let url = "postgres://user:hush-hush@db/apps";
    assert!(matches!(env(&[("DATABASE_URL", url)]).load().database(), Some(Database::Postgres(_))));
    let file = Setup::file("[apps]\ndatabase = \"sqlite\"").env(&[("DATABASE_URL", url)]);
    assert!(matches!(file.load().database(), Some(Database::Postgres(_))), "variables go before the file");
    let ours = Setup::file(APP_3).env(&[("DATABASE_URL", "mysql://db"), ("FANFARE__APPS__DATABASE", "")]);
    assert_eq!(ours.load().database(), None);
    assert!(env(&[("DATABASE_URL", "")]).load().is_embedded());
}

#[test]
fn only_a_database_that_was_named_for_fanfare_may_be_shared_with_another_application() {
    let url = "postgres://db/apps";
    assert!(!env(&[("DATABASE_URL", url)]).load().kept().takes_foreign);
    assert!(env(&[("DATABASE_URL", url), ("FANFARE__APPS__DATABASE", url)]).load().kept().takes_foreign);
    assert!(Setup::file("[apps]\ndatabase = \"sqlite\"").load().kept().takes_foreign);
}

#[test]
fn a_database_that_cannot_be_used_is_told_without_its_url() {
    const USE: &str = "use sqlite, sqlite:///path/file.db or postgres://USER:PASSWORD@HOST/NAME";
    let setup = Setup::file("[apps]\ndatabase = \"db.example:5432/hush-hush\"")
        .env(&[("DATABASE_URL", "mysql://user:hush-hush@db/apps")]);
    setup.expect_faults(&[
        &format!("fanfare.toml:2: apps.database: not the name of a database; {USE}"),
        &format!(
            "DATABASE_URL: mysql is not supported; {USE}; FANFARE__APPS__DATABASE overrides this variable, \
             and means no database if set to nothing"
        ),
    ]);
    let config = env(&[("DATABASE_URL", "postgres://user:hush-hush@db/apps")]).load();
    assert!(!format!("{config:?} {}", config.effective()).contains("hush-hush"));
}

#[test]
fn pushers_and_reverbs_variables_define_apps() {
    let config = env(&[
        ("PUSHER_APP_ID", "3"),
        ("PUSHER_APP_KEY", "key-3"),
        ("PUSHER_APP_SECRET", "hush-3"),
        ("PUSHER_APP_CLUSTER", "mt1"),
        ("REVERB_APP_ID", "4"),
        ("REVERB_APP_KEY", "key-4"),
        ("REVERB_APP_SECRET", "hush-4"),
    ])
    .load();
    let apps = config.fixed_apps();
    let ids: Vec<&str> = apps.iter().map(|app| app.id.as_str()).collect();
    assert_eq!(ids, ["3", "4"]);
    let pair = apps[1].credential("key-4").unwrap();
    assert_eq!(pair.secret.expose(), "hush-4");
    assert!(!config.is_embedded());
    assert_eq!(config.database(), None);
}

#[test]
fn an_app_that_is_named_only_in_part_is_told_with_what_is_missing() {
    env(&[("PUSHER_APP_ID", "3"), ("PUSHER_APP_KEY", "key-3"), ("PUSHER_APP_SECRET", "")]).expect_faults(&[
        "PUSHER_APP_SECRET: not set, but PUSHER_APP_ID and PUSHER_APP_KEY are; set all three or none",
    ]);
    env(&[("REVERB_APP_SECRET", "hush-hush")]).expect_faults(&[
        "REVERB_APP_ID: not set, but REVERB_APP_SECRET is; set all three or none",
        "REVERB_APP_KEY: not set, but REVERB_APP_SECRET is; set all three or none",
    ]);
    assert!(env(&[("PUSHER_APP_ID", ""), ("PUSHER_APP_KEY", "")]).load().is_embedded());
}

#[test]
fn illegal_credentials_in_variables_are_not_repeated() {
    env(&[("PUSHER_APP_ID", "my app"), ("PUSHER_APP_KEY", "hush:3"), ("PUSHER_APP_SECRET", "hush hush")])
        .expect_faults(&[
            "PUSHER_APP_ID: the app's id must be 1 to 64 of the characters A-Z a-z 0-9 _ -; \
             found the text \"my app\"",
            "PUSHER_APP_KEY: the app's key must be 1 to 128 of the characters A-Z a-z 0-9 _ -; \
             found another character",
            "PUSHER_APP_SECRET: the app's secret must be 1 to 128 of the characters A-Z a-z 0-9 _ -; \
             found another character",
        ]);
}

#[test]
fn the_same_app_may_be_named_twice_but_not_another_by_its_id_or_key() {
    let app = |prefix: &str, secret: &str| {
        let names = ["ID", "KEY", "SECRET"].map(|name| format!("{prefix}_APP_{name}"));
        names.into_iter().zip(["3", "key-3", secret].map(str::to_owned)).collect::<Vec<_>>()
    };
    let mut same = Setup::file(APP_3);
    same.sources.environment = [app("PUSHER", "hush-3"), app("REVERB", "hush-3")].concat();
    assert_eq!(same.load().fixed_apps().len(), 1);
    let mut other = Setup::file(APP_3);
    other.sources.environment = app("PUSHER", "hush-4");
    other.expect_faults(&[
        "PUSHER_APP_ID: the id 3 belongs to apps.list[1] already; give each app its own",
        "PUSHER_APP_KEY: the key key-3 belongs to apps.list[1] already; give each app its own",
    ]);
}

#[cfg(unix)]
#[test]
fn a_directory_whose_name_is_not_utf8_is_a_fault() {
    use std::os::unix::ffi::OsStrExt as _;
    let name = std::ffi::OsStr::from_bytes(b"data-\xff");
    let flags = Flags { data_dir: Some(name.into()), ..Flags::default() };
    Setup::default().flags(flags).expect_faults(&["--data-dir: a name that is not UTF-8 cannot be used"]);
}

#[test]
fn defaults_of_a_package_go_behind_the_file_and_the_port_alone_is_replaced_by_port() {
    let mut setup = Setup::file("[limits]\nbatch = 3");
    let defaults = setup.directory.as_ref().unwrap().path().join("defaults.toml");
    let written =
        "[listen]\naddr = \"0.0.0.0:6001\"\nadmin_addr = \"0.0.0.0:9600\"\n[limits]\nbatch = 2\nmembers = 2";
    std::fs::write(&defaults, written).unwrap();
    setup = setup.env(&[("FANFARE_DEFAULTS", &defaults.to_string_lossy())]);
    let config = setup.load();
    assert_eq!(
        (config.listen.addr.to_string().as_str(), config.listen.admin_addr.port()),
        ("0.0.0.0:6001", 9600)
    );
    assert_eq!((config.kept().defaults.batch, config.kept().defaults.members), (3, 2));
    assert!(config.effective().contains("defaults.toml:2"), "{}", config.effective());

    let setup = setup.env(&[("PORT", "7001")]);
    assert_eq!(setup.load().listen.addr.to_string(), "0.0.0.0:7001");
    std::fs::write(setup.sources.file.as_ref().unwrap(), "[listen]\naddr = \"127.0.0.1:5\"").unwrap();
    assert_eq!(setup.load().listen.addr.to_string(), "127.0.0.1:7001");
}

#[test]
fn a_variable_names_the_file_where_the_command_line_does_not() {
    let mut setup = Setup::file("[limits]\nbatch = 3");
    let named = setup.sources.file.take().unwrap();
    let setup = setup.env(&[("FANFARE_CONFIG", &named.to_string_lossy())]);
    assert_eq!(setup.load().kept().defaults.batch, 3);
    let other = named.with_file_name("other.toml");
    std::fs::write(&other, "[limits]\nbatch = 4").unwrap();
    let mut setup = setup;
    setup.sources.file = Some(other);
    assert_eq!(setup.load().kept().defaults.batch, 4);

    env(&[("FANFARE_CONFIG", "")]).load();
    let missing = env(&[("FANFARE_CONFIG", "/nowhere/fanfare.toml")]).faults();
    assert!(missing[0].starts_with("/nowhere/fanfare.toml: cannot be read"), "{missing:?}");
}

#[test]
fn a_faulty_master_key_is_told_by_its_line_and_never_shown() {
    let faults = Setup::file("").env(&[("FANFARE_MASTER_KEY", "hush-hush")]).faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].starts_with("FANFARE_MASTER_KEY: line 1 is no master key: 64 hex digits"),
        "{faults:?}"
    );
    assert!(!faults[0].contains("hush"));
}

#[test]
fn a_variable_with_fanfares_name_that_means_nothing_is_named_but_for_those_of_kubernetes() {
    let loaded = env(&[
        ("FANFARE_PORT", "7001"),
        ("FANFARE_CHAT_PORT", "tcp://10.0.0.1:6001"),
        ("FANFARE_PORT_6001_TCP_ADDR", "10.0.0.1"),
        ("FANFARE_SERVICE_HOST", "10.0.0.1"),
        ("FANFARE_SERVICE_PORT_CLIENTS", "6001"),
        ("FANFARE_MASTER_KEY", ""),
    ])
    .load();
    assert_eq!(
        loaded.warnings,
        [
            "FANFARE_PORT is no variable of Fanfare's, and is ignored; a setting is written FANFARE__SECTION__NAME"
        ]
    );
}
