//! A `laravel-echo-server.json` as a source of settings, option by option.

mod options;
mod prefix;

use std::fs;

use super::{APP_3, Setup, env};
use crate::{Config, Flags, LaravelEchoServer};

const FILE: &str = "laravel-echo-server.json";

/// With this file, overridden by the rest of the setup.
fn with(mut setup: Setup, json: &str) -> Setup {
    let directory = setup.directory.take().unwrap_or_else(|| tempfile::tempdir().unwrap());
    let path = directory.path().join(FILE);
    fs::write(&path, json).unwrap();
    setup.sources.laravel_echo_server = Some(path);
    setup.directory = Some(directory);
    setup
}

fn of(json: &str) -> Setup {
    with(Setup::default(), json)
}

fn told(config: &Config) -> &LaravelEchoServer {
    config.laravel_echo_server.as_ref().expect("the file is read")
}

#[track_caller]
fn expect_line(lines: &[String], start: &str) {
    assert!(lines.iter().any(|line| line.starts_with(start)), "{start} is not in {lines:#?}");
}

/// The file as `laravel-echo-server init` writes it, in a directory.
const INIT: &str = r#"{
	"authHost": "http://shop.test",
	"authEndpoint": "/broadcasting/auth",
	"clients": [{"appId": "4bc57ea56b4e0ac5", "key": "hush8e2a9d1b6e4f0c3a7d5b1e9f8a6c"}],
	"database": "redis",
	"databaseConfig": {"redis": {}, "sqlite": {"databasePath": "/database/laravel-echo-server.sqlite"}},
	"devMode": false,
	"host": null,
	"port": "6001",
	"protocol": "http",
	"socketio": {},
	"secureOptions": 67108864,
	"sslCertPath": "",
	"sslKeyPath": "",
	"sslCertChainPath": "",
	"sslPassphrase": "",
	"subscribers": {"http": true, "redis": true},
	"apiOriginAllow": {"allowCors": false, "allowOrigin": "", "allowMethods": "", "allowHeaders": ""}
}"#;

#[test]
fn an_empty_file_is_a_server_with_the_defaults_of_laravel_echo_server() {
    let config = of("{}").load();
    assert_eq!(config.listen.addr.to_string(), "0.0.0.0:6001");
    assert!(config.socketio.enabled && !config.socketio.has_api());
    assert_eq!(config.socketio.app.as_ref().unwrap().as_str(), "laravel-echo-server");
    let [app] = &config.fixed_apps()[..] else { panic!("one app") };
    assert!(app.client_events && app.credential("laravel-echo-server").is_some());
    assert_eq!(app.authorization.url.as_deref(), Some("http://localhost/broadcasting/auth"));
    assert_eq!((app.limits.event_bytes, app.limits.members), (131_072, 400));
    let (address, prefix) = config.redis_feed.of(app).unwrap().expect("a feed");
    assert_eq!((address.to_string().as_str(), &*prefix), ("redis://127.0.0.1:6379", ""));
    assert_eq!(config.database(), None);
    expect_line(&config.warnings[..], "/");
    assert!(config.warnings[0].contains("keyPrefix: not set"), "{:?}", config.warnings);
}

#[test]
fn the_file_of_init_is_taken_over_whole() {
    let config = of(INIT).load();
    let lines = told(&config);
    assert!(lines.makes_app);
    for line in [
        "socketio.enabled = true (laravel-echo-server speaks it)",
        "listen.addr = \"0.0.0.0:6001\" (port)",
        "redis_feed.url = \"redis://127.0.0.1:6379\" (the default of laravel-echo-server)",
        "authorization.url of the app = \"http://shop.test/broadcasting/auth\" (authHost, authEndpoint)",
        "authorization.origins of the app = [\"http://shop.test\"] (authHost)",
        "client_events of the app = true (laravel-echo-server passes on whispers)",
        "socketio.clients: \"4bc57ea56b4e0ac5\" (clients[0])",
        "app laravel-echo-server, made because no other is named",
    ] {
        expect_line(&lines.taken, line);
    }
    expect_line(&lines.different, "databaseConfig.redis.keyPrefix: not set");
    for note in [
        "database: not needed",
        "databaseConfig.sqlite: not needed",
        "devMode: not needed",
        "secureOptions: not needed",
        "subscribers.http: not needed",
        "subscribers.redis: not needed",
        "apiOriginAllow: not needed",
    ] {
        expect_line(&lines.not_needed, note);
    }
    assert_eq!((lines.different.len(), lines.not_needed.len()), (1, 7), "{lines:#?}");
    let text = lines.text();
    let (missing, harmless) = text.split_once("\n# Needs nothing\n").expect("two headings");
    assert!(
        missing.contains("\n# Missing, or otherwise than before\ndatabaseConfig.redis.keyPrefix"),
        "{text}"
    );
    assert!(harmless.contains("database: not needed") && !missing.contains("not needed"), "{text}");
    assert!(config.socketio.admits("4bc57ea56b4e0ac5", "hush8e2a9d1b6e4f0c3a7d5b1e9f8a6c"));
    assert!(!lines.text().contains("hush") && !config.effective().contains("hush"), "{}", lines.text());
    assert!(config.effective().contains("addr = \"0.0.0.0:6001\" # "), "{}", config.effective());
}

#[test]
fn the_directory_of_the_file_is_enough_and_a_variable_may_name_it() {
    let mut setup = of(INIT);
    let directory = setup.directory.as_ref().unwrap().path().to_owned();
    setup.sources.laravel_echo_server = Some(directory.clone());
    assert_eq!(setup.load().fixed_apps().len(), 1);
    let config = env(&[("FANFARE_LARAVEL_ECHO_SERVER", &directory.to_string_lossy())]).load();
    assert!(config.socketio.enabled && told(&config).makes_app);
}

#[test]
fn all_faults_are_told_at_once_and_no_secret() {
    of(r#"{
        "host": 5, "port": "none", "protocol": "ftp", "authHost": "shop.test",
        "clients": [{"appId": "1"}, "hush", {"appId": 7, "key": ""}],
        "databaseConfig": {"redis": {"host": "a b", "password": ["hush"], "keyPrefix": 1}},
        "apiOriginAllow": {"allowCors": true, "allowOrigin": "shop"},
        "socketio": {"pingInterval": "soon", "pingTimeout": 9000000, "origins": {}}
    }"#)
    .expect_faults(&[
        "laravel-echo-server.json: protocol: must be http or https; found the text \"ftp\"",
        "laravel-echo-server.json: host: must be an IP address of this machine, localhost, or null for every one; found the \
         number 5",
        "laravel-echo-server.json: port: must be a port from 1 to 65535; found the text \"none\"",
        "laravel-echo-server.json: databaseConfig.redis.password: must be a text; found a list",
        "laravel-echo-server.json: databaseConfig.redis.host: must be the name or the IP address of a host; found the text \
         \"a b\"",
        "laravel-echo-server.json: databaseConfig.redis.keyPrefix: must be a text; found the number 1",
        "laravel-echo-server.json: authHost: must be a URL such as http://127.0.0.1:8000, without a user or password in it; \
         found the text \"shop.test\"",
        "laravel-echo-server.json: clients[1]: must be an object with appId and key; found a text",
        "laravel-echo-server.json: socketio.pingInterval: must be a number of milliseconds, at most an hour (3600000); found \
         the text \"soon\"",
        "laravel-echo-server.json: socketio.pingTimeout: must be a number of milliseconds, at most an hour (3600000); found \
         the number 9000000",
        "laravel-echo-server.json: socketio.origins: must be a text or a list of texts; found an object",
        "laravel-echo-server.json: apiOriginAllow.allowOrigin: must be an origin such as https://app.example.com, * for \
         every origin, or empty; found the text \"shop\"",
        "laravel-echo-server.json: clients[0]: has no key; every client needs appId and key",
        "laravel-echo-server.json: clients[2]: must be a text of 1 to 200 characters without control characters; found an \
         empty text",
    ]);
}

#[test]
fn faults_are_told_in_the_words_of_the_file() {
    of(r#"{"host": "ws.shop.test", "port": "abc", "protocol": "https", "authHost": "http://me:hush@php", "devMode": 1}"#)
        .expect_faults(&[
            "laravel-echo-server.json: host: must be an IP address of this machine, localhost, or null for every one; found \
             the text \"ws.shop.test\"",
            "laravel-echo-server.json: port: must be a port from 1 to 65535; found the text \"abc\"",
            "laravel-echo-server.json: authHost: must be a URL such as http://127.0.0.1:8000, without a user or password in \
             it; found none such",
            "laravel-echo-server.json: sslCertPath: must be the path of a file, because protocol is https; found nothing",
            "laravel-echo-server.json: sslKeyPath: must be the path of a file, because protocol is https; found nothing",
        ]);
    of(r#"{"databaseConfig": {"redis": {"port": "x"}}}"#).expect_faults(&[
        "laravel-echo-server.json: databaseConfig.redis.port: must be a port from 1 to 65535; found the text \"x\"",
    ]);
    // One fault has one line; beside sentinels nobody reads the host.
    of(r#"{"databaseConfig": {"redis": {"port": []}}}"#).expect_faults(&[
        "laravel-echo-server.json: databaseConfig.redis.port: must be a text; found a list",
    ]);
    of(r#"{"databaseConfig": {"redis": {"host": "a b", "sentinels": [{"host": "a"}]}}}"#).expect_faults(&[
        "laravel-echo-server.json: databaseConfig.redis.name: must be the name of the master, because sentinels are given; \
         found nothing",
    ]);
    of(r#"{"port": 9600, "subscribers": 5, "databaseConfig": {"redis": {"sentinels": [{"host": "a"}]}}}"#)
        .expect_faults(&[
            "laravel-echo-server.json: databaseConfig.redis.name: must be the name of the master, because sentinels are given; \
             found nothing",
            "laravel-echo-server.json: subscribers: must be an object with http and redis; found the number 5",
            "laravel-echo-server.json: port: leads to the same port as listen.admin_addr (127.0.0.1:9600): move that one, such \
             as by --admin-listen 127.0.0.1:9601, or FANFARE__… variables",
        ]);
    of("{\"port\": 6001,}")
        .expect_faults(&["laravel-echo-server.json:1: not valid JSON: trailing comma at line 1 column 15"]);
    of("[]").expect_faults(&["laravel-echo-server.json: not valid JSON: it is no object"]);
    let mut setup = of("{}");
    setup.sources.laravel_echo_server = Some("/no/such/file".into());
    setup.expect_faults(&[
        "/no/such/file: cannot be read: No such file or directory (os error 2); name a laravel-echo-server.json or its \
         directory",
    ]);
    let mut both = of("{}");
    both.sources.laravel = Some("/srv".into());
    assert!(
        both.faults()
            .iter()
            .any(|fault| fault == "--laravel-echo-server: means nothing beside --laravel; name one of them")
    );
}

#[test]
fn a_url_with_a_log_in_is_repeated_from_no_option() {
    let redis = r#"{"databaseConfig": {"redis": {"host": "redis://:hush@db:6379", "port": "redis://:hush@db:6379"}}}"#;
    let variables =
        [("LARAVEL_ECHO_SERVER_HOST", "http://u:hush@x"), ("LARAVEL_ECHO_SERVER_PORT", "http://u:hush@x")];
    let faults = of(redis).env(&variables).faults();
    assert!(faults.len() >= 4 && !faults.join(" ").contains("hush"), "{faults:?}");
}

#[test]
fn a_fault_of_another_source_is_told_beside_a_file() {
    let json = r#"{"protocol": "https", "sslCertPath": "a.pem", "sslKeyPath": "k.pem"}"#;
    let faults = of(json).env(&[("FANFARE__TLS__ADDR", "")]).faults();
    assert!(matches!(&faults[..], [fault] if fault.contains("tls.addr")), "{faults:?}");
}

#[test]
fn variables_go_before_the_file_and_real_ones_before_those_beside_it() {
    let setup = of(r#"{"port": 1, "host": "127.0.0.2", "authHost": ["http://a", "http://b"]}"#);
    let dotenv = setup.directory.as_ref().unwrap().path().join(".env");
    fs::write(
        dotenv,
        "APP_NAME=shop\nDB_PASS=hush\nLARAVEL_ECHO_SERVER_PORT=6002\nLARAVEL_ECHO_SERVER_HOST=127.0.0.3\n\
         LARAVEL_ECHO_SERVER_REDIS_PASSWORD=\"${DB_PASS}\"\nLARAVEL_ECHO_SERVER_REDIS_HOST=\nLARAVEL_ECHO_SERVER_KEY_PREFIX=a\n",
    )
    .unwrap();
    let config = setup
        .env(&[
            ("LARAVEL_ECHO_SERVER_PORT", "tcp://10.0.0.1:6003"),
            ("LARAVEL_ECHO_SERVER_AUTH_HOST", "${APP_URL}"),
            ("APP_URL", "http://php:8000"),
            ("LARAVEL_ECHO_SERVER_DEBUG", "true"),
            ("LARAVEL_ECHO_SERVER_PROTO", ""),
        ])
        .load();
    assert_eq!(config.listen.addr.to_string(), "127.0.0.3:6003");
    let app = &config.fixed_apps()[0];
    assert_eq!(app.authorization.url.as_deref(), Some("http://php:8000/broadcasting/auth"));
    assert_eq!(config.log.filter, "info,fanfare=debug");
    assert_eq!(config.redis_feed.address.as_ref().unwrap().log_in().unwrap().password(), "hush");
    let lines = told(&config);
    expect_line(&lines.taken, "listen.addr = \"127.0.0.3:6003\" (LARAVEL_ECHO_SERVER_PORT)");
    expect_line(&lines.different, "LARAVEL_ECHO_SERVER_KEY_PREFIX: unknown");
    assert!(!lines.text().contains("hush"));
    env(&[("LARAVEL_ECHO_SERVER_PORT", "5")]).load();
}

#[test]
fn what_is_said_to_fanfare_itself_goes_before_it_and_that_is_said() {
    let file = "[listen]\naddr = \"127.0.0.1:7\"\n[socketio]\nping_interval = 9\n";
    let json = r#"{"port": 1, "devMode": true, "socketio": {"pingInterval": 5000}}"#;
    let setup = with(Setup::file(file), json).env(&[("FANFARE__LOG__FILTER", "warn")]);
    let config = setup.flags(Flags { listen: Some("127.0.0.1:8".to_owned()), ..Flags::default() }).load();
    assert_eq!((config.listen.addr.port(), &*config.log.filter), (8, "warn"));
    assert_eq!(config.socketio.ping_interval.as_secs(), 9);
    for line in [
        "port: not used, because listen.addr is set by --listen",
        "devMode: not used, because log.filter is set by FANFARE__LOG__FILTER",
        "socketio.pingInterval: not used, because socketio.ping_interval is set by ",
    ] {
        expect_line(&told(&config).taken, line);
    }
}

#[test]
fn an_app_that_another_source_names_gets_what_it_leaves_out() {
    let json = r#"{"authHost": "http://a", "socketio": {"origins": "shop.test:*"}}"#;
    let file = format!("{APP_3}authorization.url = \"http://own/auth\"\n");
    let config = with(Setup::file(&file), json).load();
    let [app] = &config.fixed_apps()[..] else { panic!("one app") };
    assert_eq!((app.id.as_str(), app.authorization.url.as_deref()), ("3", Some("http://own/auth")));
    assert!(app.client_events && app.allowed_origins.len() == 1);
    assert_eq!(config.redis_feed.app.as_ref().unwrap().as_str(), "3");
    let lines = told(&config);
    assert!(!lines.makes_app);
    expect_line(&lines.taken, "authHost, authEndpoint: not used, because authorization.url is set by ");
    let variables = [("PUSHER_APP_ID", "5"), ("PUSHER_APP_KEY", "key-5"), ("PUSHER_APP_SECRET", "hush-5")];
    let config = of(json).env(&variables).load();
    let [app] = &config.fixed_apps()[..] else { panic!("one app") };
    assert_eq!(
        (app.id.as_str(), app.authorization.url.as_deref()),
        ("5", Some("http://a/broadcasting/auth"))
    );
}

#[test]
fn of_several_apps_the_named_one_gets_the_settings_and_without_a_name_none() {
    let two = format!("{APP_3}[[apps.list]]\nid = \"4\"\nkey = \"key-4\"\nsecret = \"hush-4\"\n");
    let json = r#"{"authHost": "http://a"}"#;
    let config = with(Setup::file(&format!("[socketio]\napp = \"4\"\n{two}")), json).load();
    let urls: Vec<_> = config.fixed_apps().into_iter().map(|app| app.authorization.url).collect();
    assert_eq!(urls, [None, Some("http://a/broadcasting/auth".to_owned())]);
    assert_eq!(config.redis_feed.app.as_ref().unwrap().as_str(), "4");
    let faults = with(Setup::file(&two), json).faults();
    assert!(faults[0].contains("redis_feed.app is empty"), "{faults:?}");
    let off = "[redis_feed]\napp = \"3\"\n";
    for none in [format!("{off}{two}"), format!("{off}[apps]\ndatabase = \"sqlite\"\n")] {
        let config = with(Setup::file(&none), json).load();
        let warned = config.warnings.iter().any(|line| line.contains("set authorization.url = \"http://a/"));
        assert!(warned, "{:?}", config.warnings);
        assert!(config.fixed_apps().iter().all(|app| app.authorization.url.is_none()));
    }
}

#[test]
fn the_secret_of_the_made_app_is_the_same_at_each_start_where_a_client_has_a_strong_key() {
    let secret = |setup: &Setup| {
        let app = setup.load().fixed_apps().remove(0);
        app.credential("laravel-echo-server").unwrap().secret.expose().to_owned()
    };
    let strong = of(INIT);
    assert_eq!(secret(&strong), secret(&strong));
    assert!(!secret(&strong).contains("hush"));
    for weak in [of("{}"), of(r#"{"clients": [{"appId": "1", "key": "short"}]}"#)] {
        assert_ne!(secret(&weak), secret(&weak));
        assert_eq!(secret(&weak).len(), 64);
        let config = weak.load();
        expect_line(&told(&config).different, "the secret of the app is random");
        assert!(told(&config).has_random_secret);
    }
    let nodes = of("{}").env(&[("FANFARE__BUS__URLS", "redis://a")]).load();
    assert!(nodes.warnings.iter().any(|line| line.contains("another on every node")), "{:?}", nodes.warnings);
}
