//! Each option of a `laravel-echo-server.json`: what becomes of it, in tables.

use super::{expect_line, of, told};

/// Each option of the file that becomes a setting of the node: the file, and the line of `--print`.
#[test]
fn options_of_the_node_are_taken_over() {
    for (json, section, line) in [
        (r#"{"host": "127.0.0.1"}"#, "[listen]", r#"addr = "127.0.0.1:6001""#),
        (r#"{"host": "localhost", "port": 7001}"#, "[listen]", r#"addr = "localhost:7001""#),
        (r#"{"host": "::1"}"#, "[listen]", r#"addr = "[::1]:6001""#),
        (r#"{"port": "tcp://10.0.0.1:6005"}"#, "[listen]", r#"addr = "0.0.0.0:6005""#),
        (r#"{"devMode": true}"#, "[log]", r#"filter = "info,fanfare=debug""#),
        (r#"{"socketio": {"path": "/echo/socket.io/"}}"#, "[listen]", r#"path_prefix = "/echo""#),
        (r#"{"socketio": {"pingInterval": 10000}}"#, "[socketio]", r#"ping_interval = "10s""#),
        (r#"{"socketio": {"pingTimeout": 4001}}"#, "[socketio]", r#"ping_timeout = "5s""#),
        (r#"{"socketio": {"maxHttpBufferSize": 1e7}}"#, "[limits]", "message_bytes = 10000000"),
        (r#"{"socketio": {"maxHttpBufferSize": 10000000}}"#, "[limits]", "message_bytes = 10000000"),
        (r#"{"socketio": {"maxHttpBufferSize": 10000000}}"#, "[limits]", "request_bytes = 10000000"),
        (
            r#"{"apiOriginAllow": {"allowCors": true, "allowOrigin": "https://shop.test/"}}"#,
            "[socketio]",
            r#"api_origin = "https://shop.test""#,
        ),
    ] {
        let text = of(json).load().effective();
        let its = text.split_once(section).expect(section).1.split("\n\n").next().unwrap();
        let is_there = its.lines().any(|found| found.split(" # ").next() == Some(line));
        assert!(is_there, "{json}: {line} is not in\n{its}");
    }
}

#[test]
fn a_redis_is_taken_over_with_all_that_says_where_it_is() {
    for (redis, url, prefix) in [
        (r#"{"host": "db", "port": "6380", "keyPrefix": "shop_"}"#, "redis://db:6380", "shop_"),
        (r#"{"host": "::1"}"#, "redis://[::1]:6379", ""),
        (r#"{"host": "db", "password": "hu:sh@/#", "db": 3}"#, "redis://***@db:6379", ""),
        (r#"{"username": "u", "password": "hush", "tls": {}}"#, "rediss://***@127.0.0.1:6379", ""),
        (
            r#"{"sentinels": [{"host": "a", "port": 26380}, {"host": "b"}], "name": "main", "password": "hush",
                "sentinelPassword": "hush"}"#,
            "redis+sentinel://***@a:26380,b:26379/main",
            "",
        ),
        (r#""redis://:hush@db:6381/2""#, "redis://***@db:6381", ""),
        ("null", "redis://127.0.0.1:6379", ""),
    ] {
        let config = of(&format!(r#"{{"databaseConfig": {{"redis": {redis}}}}}"#)).load();
        let app = &config.fixed_apps()[0];
        let (address, found) = config.redis_feed.of(app).unwrap().expect("a feed");
        assert_eq!((address.to_string().as_str(), &*found), (url, prefix), "{redis}");
        let text = told(&config).text() + &config.effective() + &config.warnings.join("\n");
        assert!(!text.contains("hush") && !text.contains("hu:sh"), "{redis}: {text}");
    }
    let config = of(r#"{"databaseConfig": {"redis": {"password": "hu:sh@/#"}}}"#).load();
    let address = config.redis_feed.address.unwrap();
    assert_eq!(address.log_in().map(|log_in| log_in.password()), Some("hu:sh@/#"));
}

#[test]
fn the_application_that_is_asked_is_the_first_and_the_others_are_origins() {
    for (json, url, origins) in [
        (r#"{"authHost": "http://127.0.0.1:8000/"}"#, "http://127.0.0.1:8000/broadcasting/auth", &[][..]),
        (
            r#"{"authHost": ["https://a.test", "https://b.test:8443", ".c.test"], "authEndpoint": "/x/auth"}"#,
            "https://a.test/x/auth",
            &["https://a.test", "https://b.test:8443", "https://*.c.test", "http://*.c.test"],
        ),
        (
            r#"{"authHost": ["shop.test", "http://php"]}"#,
            "http://php/broadcasting/auth",
            &["https://shop.test", "http://shop.test", "http://php"],
        ),
    ] {
        let config = of(json).load();
        let asked = &config.fixed_apps()[0].authorization;
        assert_eq!(asked.url.as_deref(), Some(url));
        assert_eq!(asked.origins, origins, "{json}");
    }
    let config = of(r#"{"authHost": ["https://a.test", "https://b.test"]}"#).load();
    let warned = config.warnings.iter().any(|line| line.contains("https://b.test is not asked"));
    assert!(warned, "{:?}", config.warnings);
}

#[test]
fn one_slash_parts_host_and_endpoint_and_where_there_was_none_that_is_said() {
    for (host, endpoint, url, is_said) in [
        ("http://a.test", "/auth", "http://a.test/auth", false),
        ("http://a.test/", "/auth", "http://a.test/auth", false),
        ("http://a.test/", "auth", "http://a.test/auth", false),
        ("http://a.test/base", "/auth", "http://a.test/base/auth", false),
        ("http://a.test", "auth", "http://a.test/auth", true),
    ] {
        let config = of(&format!(r#"{{"authHost": "{host}", "authEndpoint": "{endpoint}"}}"#)).load();
        assert_eq!(config.fixed_apps()[0].authorization.url.as_deref(), Some(url), "{host} {endpoint}");
        let said = config.warnings.iter().any(|line| {
            line.contains("authEndpoint: \"auth\" has no slash") && line.contains("http://a.testauth")
        });
        assert_eq!(said, is_said, "{host} {endpoint}: {:?}", config.warnings);
    }
}

#[test]
fn the_app_made_from_the_file_has_room_for_an_event_to_many_channels() {
    let config = of("{}").load();
    assert_eq!(config.fixed_apps()[0].limits.channels_per_event, 10_000);
    expect_line(
        &told(&config).taken,
        "limits.channels_per_event of the app = 10000 (laravel-echo-server has no such",
    );
}

#[test]
fn each_setting_that_counts_is_known_with_its_option() {
    let json = r#"{"port": 1, "databaseConfig": {"redis": {"host": "db", "port": 6380, "keyPrefix": "a_"}}}"#;
    let config = of(json).env(&[("FANFARE__LISTEN__ADDR", "127.0.0.1:2")]).load();
    for (setting, option) in [
        ("redis_feed.url", Some("databaseConfig.redis.host, databaseConfig.redis.port")),
        ("redis_feed.prefix", Some("databaseConfig.redis.keyPrefix")),
        ("authorization.url", Some("authHost, the default of laravel-echo-server, authEndpoint")),
        ("listen.addr", None),
        ("bus.urls", None),
    ] {
        assert_eq!(told(&config).option_of(setting), option, "{setting}");
    }
}

#[test]
fn origins_of_socket_io_are_hosts_of_the_app() {
    for (origins, hosts) in [
        (r#""*:*""#, &[][..]),
        (r#""https://shop.test:443 admin.test:*""#, &["shop.test", "admin.test"]),
        (r#"["http://shop.test/", "[::1]:80"]"#, &["shop.test", "[::1]"]),
        (r#""http://localhost:* *:80""#, &[]),
    ] {
        let config = of(&format!(r#"{{"socketio": {{"origins": {origins}}}}}"#)).load();
        let app = config.fixed_apps().remove(0);
        let found: Vec<&str> = app.allowed_origins.iter().map(|origin| origin.as_str()).collect();
        assert_eq!(found, hosts, "{origins}");
    }
}

#[test]
fn what_nobody_misses_is_named_as_not_needed() {
    for (json, note) in [
        (r#"{"database": "sqlite"}"#, "database: not needed"),
        (r#"{"databaseConfig": {"publishPresence": false}}"#, "databaseConfig.publishPresence: not needed"),
        (r#"{"databaseConfig": {"redis": {"db": 2}}}"#, "databaseConfig.redis.db: not needed"),
        (r#"{"databaseConfig": {"redis": {"family": 4}}}"#, "databaseConfig.redis.family: not needed"),
        (r#"{"socketio": {"transports": ["websocket"]}}"#, "socketio.transports: not needed"),
        (r#"{"socketio": {"path": "/socket.io"}}"#, "socketio.path: not needed"),
        (r#"{"socketio": {"cookie": "io"}}"#, "socketio.cookie: not needed"),
        (r#"{"socketio": {"perMessageDeflate": true}}"#, "socketio.perMessageDeflate: not needed"),
        (r#"{"socketio": {"serveClient": true}}"#, "socketio.serveClient: not needed"),
        (r#"{"socketio": {"maxHttpBufferSize": 1000}}"#, "socketio.maxHttpBufferSize: not needed"),
        (r#"{"databaseConfig": {"redis": {"username": "u"}}}"#, "databaseConfig.redis.username: not needed"),
        (r#"{"databaseConfig": {"redis": {"name": "m"}}}"#, "databaseConfig.redis.name: not needed"),
        (
            r#"{"databaseConfig": {"redis": {"sentinels": [{"host": "a"}], "name": "m", "host": "b"}}}"#,
            "databaseConfig.redis.host: not needed",
        ),
        (
            r#"{"databaseConfig": {"redis": {"sentinels": [{"host": "a"}], "name": "m", "port": 6380}}}"#,
            "databaseConfig.redis.port: not needed",
        ),
        (r#"{"clients": []}"#, "clients: not needed"),
        (r#"{"sslCertPath": "a.pem"}"#, "sslCertPath: not needed: protocol is http"),
        (r#"{"secureOptions": 1}"#, "secureOptions: not needed"),
        (r#"{"dev": true}"#, "dev: not needed"),
    ] {
        let config = of(json).load();
        expect_line(&told(&config).not_needed, note);
        let warned = config.warnings.iter().filter(|line| !line.contains("keyPrefix")).count();
        assert_eq!(warned, 0, "{json}: {:?}", config.warnings);
    }
}

#[test]
fn a_size_is_taken_over_where_it_is_larger_than_the_default() {
    let defaults = crate::Config::default().limits;
    let limits = |size: usize| {
        let limits = of(&format!(r#"{{"socketio": {{"maxHttpBufferSize": {size}}}}}"#)).load().limits;
        (limits.request_bytes, limits.message_bytes)
    };
    for size in [1, defaults.message_bytes, defaults.message_bytes + 1, defaults.request_bytes + 1] {
        assert_eq!(limits(size), (defaults.request_bytes.max(size), defaults.message_bytes.max(size)));
    }
}

#[test]
fn a_size_beyond_the_largest_is_the_largest_and_said() {
    let config = of(r#"{"socketio": {"maxHttpBufferSize": 1e8}}"#).load();
    assert_eq!((config.limits.request_bytes, config.limits.message_bytes), (100_000_000, 67_108_864));
    expect_line(&told(&config).different, "socketio.maxHttpBufferSize: limits.message_bytes is 67108864");
    let config = of(r#"{"socketio": {"maxHttpBufferSize": 1e18}}"#).load();
    assert_eq!(config.limits.request_bytes, 1 << 30);
}

#[test]
fn what_somebody_may_miss_is_warned_of() {
    for (json, note) in [
        (r#"{"headers": {"X-A": "b"}}"#, "headers: not supported"),
        (r#"{"databaseConfig": {"publishPresence": true}}"#, "databaseConfig.publishPresence: not supported"),
        (
            r#"{"databaseConfig": {"redis": {"sentinels": [{"host": "a"}], "name": "m", "sentinelPassword": "hush"}}}"#,
            "databaseConfig.redis.sentinelPassword: not supported",
        ),
        (
            r#"{"databaseConfig": {"redis": {"tls": {"rejectUnauthorized": false}}}}"#,
            "databaseConfig.redis.tls.rejectUnauthorized: not supported",
        ),
        (r#"{"socketio": {"path": "/live"}}"#, "socketio.path: not supported"),
        (r#"{"subscribers": {"redis": true}, "clients": [{}]}"#, "clients: not supported"),
        (
            r#"{"authHots": "http://a"}"#,
            "authHots: unknown: laravel-echo-server has no such option; did you mean authHost?",
        ),
        (r#"{"socketio": {"pingintervall": 1}}"#, "socketio.pingintervall: unknown"),
        (r#"{"databaseConfig": {"mysql": {}}}"#, "databaseConfig.mysql: unknown"),
        (r#"{"databaseConfig": {"redis": {"prefix": "a"}}}"#, "databaseConfig.redis.prefix: unknown"),
        (r#"{"clients": [{"appId": "1", "key": "k", "name": "x"}]}"#, "clients[0].name: unknown"),
    ] {
        let config = of(json).load();
        expect_line(&told(&config).different, note);
        let warned = config.warnings.iter().any(|line| line.contains(note));
        assert!(warned, "{json}: {:?}", config.warnings);
        assert!(!config.warnings.join("\n").contains("hush"));
    }
}

#[test]
fn over_https_the_one_listener_speaks_tls_and_another_is_for_this_machine() {
    let json = r#"{"protocol": "https", "port": 6443, "sslCertPath": "/c.pem", "sslKeyPath": "/k.pem",
                   "sslCertChainPath": "/chain.pem", "sslPassphrase": "hush"}"#;
    let config = of(json).load();
    let tls = config.listen.tls.as_ref().expect("TLS");
    assert_eq!(
        (tls.addr.to_string().as_str(), tls.files[0].certificate.to_str()),
        ("0.0.0.0:6443", Some("/c.pem"))
    );
    assert_eq!(config.listen.addr.to_string(), "127.0.0.1:6444");
    for note in ["sslCertChainPath: not supported: append", "sslPassphrase: not supported"] {
        expect_line(&told(&config).different, note);
    }
    assert!(!told(&config).text().contains("hush"));
    of(r#"{"protocol": "https"}"#).expect_faults(&[
        "laravel-echo-server.json: sslCertPath: must be the path of a file, because protocol is https; found nothing",
        "laravel-echo-server.json: sslKeyPath: must be the path of a file, because protocol is https; found nothing",
    ]);
}

#[test]
fn subscribers_that_are_off_leave_their_part_out() {
    let config = of(r#"{"subscribers": {"http": true}, "databaseConfig": {"redis": {"host": "db"}}}"#).load();
    assert!(config.redis_feed.address.is_none());
    expect_line(&told(&config).not_needed, "databaseConfig.redis: not needed: subscribers has no redis");
    let json = r#"{"subscribers": {"redis": true, "http": false}, "clients": [{"appId": "1", "key": "k"}]}"#;
    let config = of(json).load();
    assert!(!config.socketio.has_api() && config.redis_feed.address.is_some());
}
