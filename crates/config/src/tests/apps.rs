//! The apps of the file, and the database opened beside them.

use std::path::Path;

use fanfare_apps::Database;
use fanfare_protocol::app::Limits;

use super::{APP_3, Setup};

#[test]
fn an_apps_own_settings_go_before_the_servers() {
    let config = Setup::file(&format!(
        "[limits]\nmembers = 50\nbatch = 5\n{APP_3}enabled = false\nmax_connections = 20\nmessages_per_second = 30\nmessages_per_day = 40\nforce_tls = true\n\
         allowed_origins = [\"example.com\", \"*.example.com\"]\nauthorized_connections = true\n\
         subscription_error_event = true\nresume_seconds = \"2m\"\ntrace = true\n[apps.list.limits]\nbatch = 7\n\
         [[apps.list]]\nid = \"4\"\nkey = \"key-4\"\nsecret = \"hush-4\"\nlimits = {{ event_name = 20 }}\n"
    ))
    .load();
    let [three, four] = &config.fixed_apps()[..] else { panic!("two apps") };
    let ours = Limits { members: 50, batch: 5, ..Limits::default() };
    assert_eq!(three.limits, Limits { batch: 7, ..ours.clone() });
    assert!(!three.enabled && three.force_tls);
    assert!(three.authorized_connections && three.subscription_error_event);
    assert_eq!((three.resume_seconds, four.resume_seconds), (120, 0));
    assert!(three.trace && !four.trace, "nothing is kept of an app that has not asked for it");
    assert_eq!((three.max_connections, three.allowed_origins.len()), (Some(20), 2));
    assert_eq!((three.messages_per_second, three.messages_per_day), (Some(30), Some(40)));
    assert_eq!(four.limits, Limits { event_name: 20, ..ours });
    assert!(four.enabled && !four.force_tls && four.max_connections.is_none());
    assert_eq!(four.credential("key-4").unwrap().secret.expose(), "hush-4");
}

#[test]
fn without_app_and_database_the_server_keeps_its_own() {
    let config = Setup::file("[apps]\ndata_dir = \"/srv/fanfare\"").load();
    assert!(config.is_embedded());
    assert_eq!(config.database(), Some(Database::Sqlite("/srv/fanfare/fanfare.db".into())));
}

#[test]
fn with_apps_no_database_is_opened_unless_one_is_named() {
    let config = Setup::file(APP_3).load();
    assert!(!config.is_embedded());
    assert_eq!(config.database(), None);
    let config = Setup::file(&format!("[apps]\ndatabase = \"sqlite\"\n{APP_3}")).load();
    assert!(!config.is_embedded());
    assert_eq!(config.database(), Some(Database::Sqlite(Path::new("fanfare-data/fanfare.db").into())));
    let named = Setup::file("[apps]\ndatabase = \"sqlite:///srv/apps.db\"").load();
    assert!(!named.is_embedded());
    assert_eq!(named.database(), Some(Database::Sqlite("/srv/apps.db".into())));
}

#[test]
fn every_fault_of_every_app_is_told_and_no_secret() {
    let setup = Setup::file(
        "[[apps.list]]\nid = \"no three\"\nkey = \"k:hush\"\nsecret = \"\"\n\
         [[apps.list]]\nid = 4\nenabeld = true\nsecret = 12345\nkey = \"key-4\"\n\
         [[apps.list]]\n\
         [[apps.list]]\nid = \"5\"\nkey = \"key-5\"\nsecret = \"hush hush\"\nmax_connections = 0\n\
         allowed_origins = [\"example.com\", \"https://example.com\"]\nlimits = { event_byte = 5, batch = 0 }\n",
    );
    setup.expect_faults(&[
        "fanfare.toml:2: apps.list[1].id must be 1 to 64 of the characters A-Z a-z 0-9 _ -; \
         found the text \"no three\"",
        "fanfare.toml:3: apps.list[1].key must be 1 to 128 of the characters A-Z a-z 0-9 _ -; \
         found another character",
        "fanfare.toml:4: apps.list[1].secret must be 1 to 128 of the characters A-Z a-z 0-9 _ -; \
         found an empty text",
        "fanfare.toml:6: apps.list[2].id must be 1 to 64 of the characters A-Z a-z 0-9 _ -; found the number 4; \
         write it in quotes",
        "fanfare.toml:7: unknown key apps.list[2].enabeld; did you mean enabled?",
        "fanfare.toml:8: apps.list[2].secret must be 1 to 128 of the characters A-Z a-z 0-9 _ -; \
         found something else; write it in quotes",
        "fanfare.toml:10: apps.list[3] has no id; every app needs id, key and secret",
        "fanfare.toml:10: apps.list[3] has no key; every app needs id, key and secret",
        "fanfare.toml:10: apps.list[3] has no secret; every app needs id, key and secret",
        "fanfare.toml:14: apps.list[4].secret must be 1 to 128 of the characters A-Z a-z 0-9 _ -; \
         found another character",
        "fanfare.toml:15: apps.list[4].max_connections must be a whole number from 1 to 100000000; \
         found the number 0",
        "fanfare.toml:16: apps.list[4].allowed_origins must be a list of hosts without scheme, port and \
         path, such as [\"example.com\", \"*.example.com\"]; found the text \"https://example.com\"",
        "fanfare.toml:17: apps.list[4].limits.batch must be a whole number from 1 to 10000; \
         found the number 0",
        "fanfare.toml:17: unknown key apps.list[4].limits.event_byte; did you mean limits.event_bytes?",
    ]);
}

#[test]
fn ids_and_keys_belong_to_one_app() {
    Setup::file(&format!(
        "{APP_3}[[apps.list]]\nid = \"3\"\nkey = \"key-4\"\nsecret = \"hush-4\"\n\
         [[apps.list]]\nid = \"5\"\nkey = \"key-3\"\nsecret = \"hush-3\"\nenabled = 1\n{APP_3}"
    ))
    .expect_faults(&[
        "fanfare.toml:6: the id 3 belongs to apps.list[1] already; give each app its own",
        "fanfare.toml:11: the key key-3 belongs to apps.list[1] already; give each app its own",
        "fanfare.toml:13: apps.list[3].enabled must be true or false; found the number 1",
        "fanfare.toml:15: the id 3 belongs to apps.list[1] already; give each app its own",
        "fanfare.toml:16: the key key-3 belongs to apps.list[1] already; give each app its own",
    ]);
}

#[test]
fn a_list_that_holds_no_apps_is_a_fault() {
    Setup::file("[apps]\nlist = [1]\n")
        .expect_faults(&["fanfare.toml:2: apps.list must be a list of apps; write [[apps.list]] above each"]);
    Setup::file("[apps.list]\nid = \"3\"\n")
        .expect_faults(&["fanfare.toml:1: apps.list must be a list of apps; write [[apps.list]] above each"]);
}

#[test]
fn a_redis_that_no_app_is_known_to_hear_is_warned_of() {
    let url = "[redis_feed]\nurl = \"redis://127.0.0.1\"\n";
    let warnings = |toml: &str| Setup::file(toml).load().warnings;
    let warned = warnings(url);
    assert!(warned[0].starts_with("redis_feed.url is set without redis_feed.prefix: "), "{warned:?}");
    assert!(warned[0].contains("only apps that have a redis_feed.prefix of their own"), "{warned:?}");
    assert_eq!(warnings(&format!("{url}prefix = \"a_\"\n")), Vec::<String>::new());
    assert_eq!(warnings(""), Vec::<String>::new());
    let app = |id: &str, prefix: &str| {
        format!("[[apps.list]]\nid = \"{id}\"\nkey = \"key-{id}\"\nsecret = \"hush-{id}\"\n{prefix}")
    };
    let (one, other) = (app("1", "redis_feed.prefix = \"a_\"\n"), app("2", "redis_feed.prefix = \"b_\"\n"));
    assert_eq!(warnings(&format!("{url}{one}{other}")), Vec::<String>::new(), "each app has its own");
    assert_eq!(warnings(&format!("{url}{one}{}", app("2", ""))).len(), 1, "app 2 gets nothing");
}
