//! `serve --laravel` with the `.env` files of Laravel's versions, and `laravel env`, which prints the lines.

use std::fs;
use std::net::TcpListener;

use serde_json::json;

use crate::support::App;
use crate::support::server::TestServer;
use crate::support::setup::{Setup, binary, run};
use fanfare_testing::redis::Redis;

/// A port without a listener.
fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("a bound socket has an address").port()
}

/// `fanfare serve --laravel .`, in a folder with this `.env`.
fn of(dotenv: &str) -> Setup {
    let setup = Setup::bare().command(Some("serve"));
    fs::write(setup.folder().join(".env"), dotenv).expect("the folder can be written to");
    setup.arguments(&["--laravel", ".", "--admin-listen", "127.0.0.1:0"])
}

/// The app is served: a client connects with its key, and its back end publishes.
fn expect_served(server: &TestServer, app: App) {
    let mut socket = server.connect_to(app);
    socket.subscribe("orders");
    let body = json!({"name": "shipped", "channel": "orders", "data": "{}"}).to_string();
    server.api_of(app).post("/events", body).expect("{}");
    socket.expect_event("orders", "shipped", "{}");
}

const REVERB: &str = "BROADCAST_CONNECTION=reverb\nREVERB_APP_ID=my-app-id\nREVERB_APP_KEY=k-1\n\
                      REVERB_APP_SECRET=s-1\nREVERB_HOST=localhost\nREVERB_PORT=8080\nREVERB_SCHEME=http\n";

/// The words of the command by which `docs/moving-from-reverb.md` starts the server.
fn recipe() -> Vec<String> {
    let page = include_str!("../../../../docs/moving-from-reverb.md");
    let line = page.lines().find(|line| line.starts_with("fanfare serve")).expect("the page has a command");
    line.split_whitespace()
        .skip(2)
        .map(|word| word.replace("/var/www/app", ".").replace("0.0.0.0:8080", "127.0.0.1:0"))
        .collect()
}

#[test]
fn the_page_on_reverb_works_with_an_application_that_has_a_database_of_its_own() {
    for url in
        ["mysql://root:hush@127.0.0.1/shop", "sqlite://shop.sqlite", "postgres://root:hush@127.0.0.1:1/shop"]
    {
        for is_exported in [false, true] {
            let setup = Setup::bare().command(Some("serve"));
            fs::write(setup.folder().join(".env"), format!("{REVERB}DATABASE_URL={url}\n")).expect("a file");
            fs::write(setup.folder().join("shop.sqlite"), "not ours").expect("a file");
            let setup = if is_exported { setup.env("DATABASE_URL", url) } else { setup };
            let words = recipe();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let server = setup.arguments(&words).arguments(&["--admin-listen", "127.0.0.1:0"]).start();
            expect_served(&server, App { id: "my-app-id", key: "k-1", secret: "s-1" });
            assert_eq!(fs::read_to_string(server.folder().join("shop.sqlite")).expect("a file"), "not ours");
        }
    }
}

#[test]
fn laravel_8_with_the_pusher_driver() {
    let port = free_port();
    let dotenv = format!(
        "APP_NAME=Laravel\nBROADCAST_DRIVER=pusher\nCACHE_DRIVER=file\nREDIS_HOST=127.0.0.1\nREDIS_PASSWORD=null\n\
         PUSHER_APP_ID=12345\nPUSHER_APP_KEY=local-key\nPUSHER_APP_SECRET=local-secret\nPUSHER_HOST=127.0.0.1\n\
         PUSHER_PORT={port}\nPUSHER_SCHEME=http\nPUSHER_APP_CLUSTER=mt1\n\
         MIX_PUSHER_APP_KEY=\"${{PUSHER_APP_KEY}}\"\nMIX_PUSHER_APP_CLUSTER=\"${{PUSHER_APP_CLUSTER}}\"\n"
    );
    let server = of(&dotenv).start();
    assert_eq!(server.addr.port(), port);
    expect_served(&server, App { id: "12345", key: "local-key", secret: "local-secret" });
}

#[test]
fn laravel_9_with_the_pusher_driver_on_a_host_that_is_not_this_machine() {
    let dotenv = "BROADCAST_DRIVER=pusher\nPUSHER_APP_ID=1\nPUSHER_APP_KEY=\"k-1\"\nPUSHER_APP_SECRET='s-1'\n\
                  PUSHER_HOST=ws.example.com\nPUSHER_PORT=443\nPUSHER_SCHEME=https\n";
    let server = of(dotenv).arguments(&["--listen", "127.0.0.1:0"]).start();
    expect_served(&server, App { id: "1", key: "k-1", secret: "s-1" });
    let mut printed = String::new();
    while !printed.contains("ws.example.com") {
        printed.push_str(&server.process.line().expect("where PHP sends to is printed"));
    }
    assert!(!printed.contains("s-1"), "{printed}");
}

#[test]
fn laravel_11_with_reverb_and_a_path() {
    let port = free_port();
    let dotenv = format!(
        "APP_NAME=Laravel\nBROADCAST_CONNECTION=reverb\n\nREVERB_APP_ID=256980\nREVERB_APP_KEY=fkqb2ymfkbhwntlsvq1c\n\
         REVERB_APP_SECRET=wb2jbxnhb4ptjbfgvzxr\nREVERB_HOST=\"localhost\"\nREVERB_PORT={port}\n\
         REVERB_SCHEME=http\n\nREVERB_SERVER_HOST=127.0.0.1\nREVERB_SERVER_PORT={port}\nREVERB_SERVER_PATH=/ws\n\
         VITE_REVERB_APP_KEY=\"${{REVERB_APP_KEY}}\"\n"
    );
    let server = of(&dotenv).start();
    assert_eq!(server.addr.port(), port);
    let path = "/ws/app/fkqb2ymfkbhwntlsvq1c?protocol=7&client=js&version=8.6.0&flash=false";
    server.open(path).established(50);
}

#[test]
fn laravel_10_with_the_redis_driver_and_a_prefix() {
    let redis = Redis::with("requirepass hush-hush\n").log_in_with(&["--no-auth-warning", "-a", "hush-hush"]);
    let dotenv = format!(
        "APP_NAME=\"My App 2.0\"\nAPP_URL=http://localhost\nBROADCAST_DRIVER=redis\nREDIS_HOST=127.0.0.1\n\
         REDIS_PASSWORD=hush-hush\nREDIS_PORT={}\nPUSHER_APP_ID=1\nPUSHER_APP_KEY=k-1\nPUSHER_APP_SECRET=s-1\n",
        redis.port
    );
    let server = of(&dotenv).arguments(&["--listen", "127.0.0.1:0"]).start();
    server.expect_metric("fanfare_redis_feed_connections_up", 1.0);
    let mut socket = server.connect_to(App { id: "1", key: "k-1", secret: "s-1" });
    socket.subscribe("orders");
    redis.publish("my_app_20_database_orders", r#"{"event":"shipped","data":{"id":1},"socket":null}"#);
    socket.expect_event("orders", "shipped", r#"{"id":1}"#);
    let printed = server.process.lines_so_far().join("\n");
    assert!(!printed.contains("hush"), "{printed}");
}

#[test]
fn a_dotenv_that_cannot_be_read_ends_the_start_with_64() {
    let ended = of("PUSHER_APP_SECRET=hush hush").run();
    assert_eq!(ended.status, 64, "{}", ended.stderr);
    assert!(ended.stderr.contains(".env:1: not a .env"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hush"), "{}", ended.stderr);
}

/// The output of `fanfare laravel env` for the app of the reference.
fn lines(arguments: &[&str]) -> String {
    let setup = Setup::new().config("[listen]\npath_prefix = \"/ws\"").arguments(&["--check"]);
    let checked = setup.run();
    assert_eq!(checked.status, 0, "{}", checked.stderr);
    let mut command = binary(setup.folder());
    let ended = run(command.args(["laravel", "env", "--config", "fanfare.toml"]).args(arguments));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    ended.stdout
}

fn expect_lines(printed: &str, lines: &[&str]) {
    for line in lines {
        assert!(printed.lines().any(|found| found == *line), "{line} is not among\n{printed}");
    }
}

#[test]
fn the_lines_for_a_driver_are_for_dotenv_configuration_and_echo() {
    let pusher = lines(&["--app", "3"]);
    expect_lines(
        &pusher,
        &[
            "BROADCAST_CONNECTION=pusher",
            "BROADCAST_DRIVER=pusher",
            "PUSHER_APP_SECRET=7ad3773142a6692b25b8",
            "PUSHER_HOST=127.0.0.1",
            "PUSHER_PATH=/ws/",
            "VITE_PUSHER_HOST=\"${PUSHER_HOST}\"",
            "        'path' => env('PUSHER_PATH'),",
            "    wsPath: '/ws',",
        ],
    );
    let reverb = lines(&["--driver", "reverb"]);
    expect_lines(&reverb, &["BROADCAST_CONNECTION=reverb", "REVERB_APP_ID=3", "    broadcaster: 'reverb',"]);
    let redis = lines(&["--driver", "redis", "--public", "wss://ws.example.com"]);
    expect_lines(
        &redis,
        &[
            "BROADCAST_CONNECTION=redis",
            "    'connection' => 'default',",
            "VITE_PUSHER_HOST=ws.example.com",
            "VITE_PUSHER_SCHEME=https",
            "    authEndpoint: 'https://ws.example.com:443/ws/app/278d425bdf160c739803/auth',",
        ],
    );
}

/// The output of `fanfare laravel env` with this configuration.
fn lines_by(config: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    fs::write(folder.path().join("fanfare.toml"), config).expect("the folder can be written to");
    let ended = run(binary(folder.path()).args(["laravel", "env", "--config", "fanfare.toml"]));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    ended.stdout
}

const APP_OF_LINES: &str = "[[apps.list]]\nid = \"3\"\nkey = \"k\"\nsecret = \"s\"\n";

#[test]
fn the_lines_are_for_the_listener_with_tls_where_there_is_one() {
    let tls = "[tls]\naddr = \"127.0.0.1:6443\"\ncert_file = \"none.pem\"\nkey_file = \"none.pem\"\n";
    let printed = lines_by(&format!("{tls}{APP_OF_LINES}"));
    expect_lines(
        &printed,
        &["PUSHER_PORT=6443", "PUSHER_SCHEME=https", "VITE_PUSHER_PORT=\"${PUSHER_PORT}\""],
    );
}

#[test]
fn an_app_that_takes_tls_alone_gets_lines_for_a_proxy_where_there_is_no_such_listener() {
    let printed = lines_by(&format!("{APP_OF_LINES}force_tls = true\n"));
    expect_lines(&printed, &["PUSHER_SCHEME=http", "VITE_PUSHER_SCHEME=https"]);
    assert!(printed.contains("put in the host and port of the proxy"), "{printed}");
}

#[test]
fn an_app_that_is_not_there_and_a_public_url_that_is_none_are_told() {
    let ended =
        Setup::bare().command(Some("laravel")).arguments(&["env", "--app", "99", "--create-database"]).run();
    assert_eq!((ended.status, ended.stdout.as_str()), (69, ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("no such app"), "{}", ended.stderr);
    let ended =
        Setup::bare().command(Some("laravel")).arguments(&["env", "--public", "ws.example.com"]).run();
    assert_eq!(ended.status, 64, "{}", ended.stderr);
    assert!(ended.stderr.contains("https://ws.example.com"), "{}", ended.stderr);
}
