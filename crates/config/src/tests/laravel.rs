//! A Laravel application's `.env` as a source of settings.

use std::fs;

use super::{APP_3, Setup};

const PUSHER: &str =
    "BROADCAST_DRIVER=pusher\nPUSHER_APP_ID=7\nPUSHER_APP_KEY=key-7\nPUSHER_APP_SECRET=hush-7\n";

const REVERB: &str = "BROADCAST_CONNECTION=reverb\nREVERB_APP_ID=8\nREVERB_APP_KEY=key-8\n\
                      REVERB_APP_SECRET=hush-8\nREVERB_HOST=\"localhost\"\nREVERB_PORT=8080\nREVERB_SCHEME=http\n";

/// With this `.env`, overridden by the rest of the setup.
fn project(mut setup: Setup, dotenv: &str) -> Setup {
    let directory = setup.directory.take().unwrap_or_else(|| tempfile::tempdir().unwrap());
    fs::write(directory.path().join(".env"), dotenv).unwrap();
    setup.sources.laravel = Some(directory.path().to_owned());
    setup.directory = Some(directory);
    setup
}

fn of(dotenv: &str) -> Setup {
    project(Setup::default(), dotenv)
}

/// The values taken from the `.env`, line by line.
fn taken(setup: &Setup) -> Vec<String> {
    setup.load().laravel.unwrap().taken
}

#[test]
fn it_names_the_app_and_where_php_sends_to_is_where_the_server_listens() {
    let setup = of(&format!("{PUSHER}PUSHER_HOST=127.0.0.1\nPUSHER_PORT=7001\nPUSHER_SCHEME=http"));
    let config = setup.load();
    assert_eq!(config.listen.addr.to_string(), "127.0.0.1:7001");
    let apps = config.fixed_apps();
    assert_eq!((apps.len(), apps[0].id.as_str()), (1, "7"));
    assert_eq!(apps[0].credential("key-7").unwrap().secret.expose(), "hush-7");
    assert_eq!(taken(&setup), ["app 7 (PUSHER_APP_ID)", "listen.addr = \"127.0.0.1:7001\" (PUSHER_PORT)"]);
    assert!(config.laravel.unwrap().notes.is_empty());
    assert_eq!(of(REVERB).load().listen.addr.to_string(), "127.0.0.1:8080");
}

#[test]
fn the_projects_address_goes_before_the_defaults_of_a_package() {
    let setup = of(&format!("{PUSHER}PUSHER_HOST=127.0.0.1\nPUSHER_PORT=7001\nPUSHER_SCHEME=http"));
    let defaults = setup.directory.as_ref().unwrap().path().join("defaults.toml");
    fs::write(&defaults, "[listen]\naddr = \"0.0.0.0:6001\"\nadmin_addr = \"0.0.0.0:9601\"").unwrap();
    let config = setup.env(&[("FANFARE_DEFAULTS", &defaults.to_string_lossy())]).load();
    assert_eq!((config.listen.addr.port(), config.listen.admin_addr.port()), (7001, 9601));
}

#[test]
fn the_applications_own_database_is_not_fanfares() {
    for url in ["mysql://root@db/shop", "postgres://root@db/shop"] {
        let exported = of(&format!("{PUSHER}DATABASE_URL={url}")).env(&[("DATABASE_URL", url)]);
        let config = exported.load();
        assert_eq!(config.database(), None);
        let notes = config.laravel.expect("a project").notes;
        assert!(notes.iter().any(|note| note.contains("FANFARE__APPS__DATABASE")), "{notes:?}");
        let named = exported.env(&[("FANFARE__APPS__DATABASE", "sqlite")]).load();
        assert!(named.database().is_some() && named.kept().takes_foreign);
        let only_in_the_file = of(&format!("{PUSHER}DATABASE_URL={url}")).load();
        assert!(
            only_in_the_file
                .laravel
                .expect("a project")
                .notes
                .iter()
                .all(|note| !note.contains("DATABASE_URL"))
        );
    }
}

#[test]
fn reverbs_own_address_and_path_are_the_servers() {
    let setup =
        of(&format!("{REVERB}REVERB_SERVER_HOST=0.0.0.0\nREVERB_SERVER_PORT=9090\nREVERB_SERVER_PATH=ws/"));
    let config = setup.load();
    assert_eq!(config.listen.addr.to_string(), "0.0.0.0:9090");
    assert_eq!(config.listen.path_prefix, "/ws");
    assert_eq!(
        of(&format!("{REVERB}REVERB_SERVER_HOST=0.0.0.0")).load().listen.addr.to_string(),
        "0.0.0.0:8080"
    );
    assert_eq!(of(&format!("{REVERB}REVERB_SERVER_PORT=91")).load().listen.addr.to_string(), "127.0.0.1:91");
    let other = format!("{PUSHER}REVERB_SERVER_PORT=9090\nREVERB_SERVER_PATH=ws");
    let config = of(&other).load();
    assert_eq!((config.listen.addr.port(), &*config.listen.path_prefix), (6001, ""));
}

#[test]
fn a_host_elsewhere_or_tls_leaves_the_address_and_is_noted() {
    let setup = of(&format!("{PUSHER}PUSHER_HOST=ws.example.com"));
    let config = setup.load();
    assert_eq!(config.listen.addr.port(), 6001);
    let notes = config.laravel.unwrap().notes;
    assert!(notes[0].contains("https://ws.example.com:443 (PUSHER_HOST)"), "{notes:?}");
    let notes = of(PUSHER).load().laravel.unwrap().notes;
    assert!(notes[0].contains("Pusher's own servers"), "{notes:?}");
    let notes = of("BROADCAST_CONNECTION=log").load().laravel.unwrap().notes;
    assert!(notes[0].contains("BROADCAST_CONNECTION is log"), "{notes:?}");
}

#[test]
fn all_that_is_said_to_fanfare_itself_goes_before_it() {
    let file = Setup::file(&format!("[listen]\naddr = \"127.0.0.1:1\"\n{APP_3}"));
    let config = project(file, REVERB).load();
    assert_eq!(config.listen.addr.port(), 1);
    let ids: Vec<String> = config.fixed_apps().iter().map(|app| app.id.as_str().to_owned()).collect();
    assert_eq!(ids, ["3", "8"]);
    assert_eq!(of(REVERB).env(&[("PORT", "2")]).load().listen.addr.port(), 2);
}

#[test]
fn the_environment_goes_before_it_variable_by_variable_as_in_laravel() {
    let config = of(REVERB).env(&[("REVERB_APP_KEY", "outside"), ("REVERB_PORT", "8081")]).load();
    assert!(config.fixed_apps()[0].credential("outside").is_some());
    assert_eq!(config.listen.addr.port(), 8081);
    let other =
        of(REVERB).env(&[("PUSHER_APP_ID", "9"), ("PUSHER_APP_KEY", "k"), ("PUSHER_APP_SECRET", "s")]);
    assert_eq!(other.load().fixed_apps().len(), 2);
}

#[test]
fn only_the_app_of_the_driver_must_be_whole() {
    assert_eq!(of(&format!("{REVERB}PUSHER_APP_ID=7\nPUSHER_APP_KEY=")).load().fixed_apps().len(), 1);
    of("BROADCAST_CONNECTION=reverb\nREVERB_APP_ID=8\nREVERB_APP_KEY=key-8").expect_faults(&[
        "REVERB_APP_SECRET: not set, but REVERB_APP_ID and REVERB_APP_KEY are; set all three or none",
    ]);
    assert!(of("BROADCAST_CONNECTION=log\nPUSHER_APP_ID=7").load().is_embedded());
}

#[test]
fn faults_name_file_line_and_variable() {
    of(&format!(
        "{PUSHER}\nPUSHER_APP_ID=\"my app\"\nPUSHER_HOST=localhost\nPUSHER_SCHEME=http\nPUSHER_PORT=http"
    ))
    .expect_faults(&[
        ".env:6: PUSHER_APP_ID: the app's id must be 1 to 64 of the characters A-Z a-z 0-9 _ -; \
         found the text \"my app\"",
        ".env:9: PUSHER_PORT: listen.addr must be an IP address and a port, such as 127.0.0.1:6001 for \
         this machine alone or 0.0.0.0:6001 for all, or localhost and a port; found the text \"127.0.0.1:http\"",
    ]);
    of("A=b\nPUSHER_APP_SECRET=hush hush")
        .expect_faults(&[".env:2: not a .env: a value with spaces needs quotes around it"]);
}

#[test]
fn a_project_that_is_not_there_is_a_fault() {
    let mut setup = Setup::default();
    setup.sources.laravel = Some("/no/such/project".into());
    setup.expect_faults(&[
        "/no/such/project: cannot be read: No such file or directory (os error 2); name a .env or the \
         project's directory",
    ]);
}

#[test]
fn where_a_value_comes_from_is_shown_and_no_secret() {
    let shown = of(REVERB).load().effective();
    assert!(shown.contains("/.env:6: REVERB_PORT"), "{shown}");
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn an_app_has_what_it_had_on_the_server_that_its_driver_was_for() {
    let redis = PUSHER.replace("=pusher", "=redis") + "APP_URL=https://shop.test/\nREDIS_PREFIX=shop_\n";
    let setup = of(&redis);
    let app = setup.load().fixed_apps().remove(0);
    assert!(app.client_events, "laravel-echo-server passed on whispers");
    assert_eq!(app.authorization.url.as_deref(), Some("https://shop.test/broadcasting/auth"));
    assert_eq!(app.authorization.origins, ["https://shop.test"]);
    let taken = taken(&setup);
    for line in [
        "authorization.url of the app = \"https://shop.test/broadcasting/auth\" (APP_URL)",
        "client_events of the app = true, as the servers of its driver have it",
    ] {
        assert!(taken.iter().any(|taken| taken == line), "{line}: {taken:?}");
    }
    assert!(of(REVERB).load().fixed_apps()[0].client_events, "as Reverb does");
    let pusher = of(&(PUSHER.to_owned() + "APP_URL=https://shop.test")).load().fixed_apps().remove(0);
    assert!(!pusher.client_events, "off in a new app of Pusher");
    assert_eq!(pusher.authorization.url, None, "it signs by itself");
}

#[test]
fn the_redis_driver_names_redis_its_prefix_and_who_is_asked() {
    let setup = of(&format!(
        "{}APP_NAME=\"My App 2.0\"\nAPP_URL=https://shop.example/\nREDIS_HOST=10.0.0.5\n\
         REDIS_PASSWORD=hush-hush\n",
        PUSHER.replace("=pusher", "=redis")
    ));
    let config = setup.load();
    let shown = config.effective();
    assert!(shown.contains("prefix = \"my_app_20_database_\""), "{shown}");
    let app = &config.fixed_apps()[0];
    assert_eq!(app.authorization.url.as_deref(), Some("https://shop.example/broadcasting/auth"));
    assert_eq!(app.authorization.origins, ["https://shop.example"]);
    let laravel = config.laravel.unwrap();
    assert!(laravel.notes.iter().any(|note| note.contains("my-app-20-database-")), "{:?}", laravel.notes);
    assert!(laravel.taken.iter().any(|line| line.starts_with("redis_feed.url = ")), "{:?}", laravel.taken);
    assert!(!laravel.text().contains("hush") && !shown.contains("hush"), "{}", laravel.text());
}

#[test]
fn a_prefix_that_only_laravel_knows_stops_the_start() {
    let dotenv = format!("{}APP_NAME=Café\nREDIS_HOST=r\n", PUSHER.replace("=pusher", "=redis"));
    let faults = of(&dotenv).faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].starts_with(".env:5: APP_NAME: ") && faults[0].contains("set REDIS_PREFIX"),
        "{faults:?}"
    );
    of(&format!("{dotenv}REDIS_PREFIX=cafe_database_")).load();
}
