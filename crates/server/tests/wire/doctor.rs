//! The doctor on a working server, and on each real fault.

use std::fs;
use std::net::TcpListener;

use rcgen::{BasicConstraints, CertificateParams, IsCa, date_time_ymd};

use crate::support::application::Application;
use crate::support::examined::{doctor, examine, examine_in};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tls::Secured;
use crate::support::{APP, App};

const CREDENTIALS: [&str; 6] = ["--key", APP.key, "--app-id", APP.id, "--secret", APP.secret];

/// Runs the doctor on a server of the app of the reference, with further arguments.
fn examine_at(url: &str, arguments: &[&str]) -> crate::support::examined::Examined {
    examine(&[&["--url", url], &CREDENTIALS[..], arguments].concat())
}

fn url(server: &TestServer) -> String {
    format!("ws://{}", server.addr)
}

/// A server that answers every request with these bytes.
fn answering(status: &str, headers: &str, body: &str) -> Application {
    let length = body.len();
    Application::raw(&format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"))
}

#[test]
fn a_server_that_is_well_has_no_cross_and_ends_with_0() {
    let server = TestServer::start();
    let hops =
        ["TCP", "WebSocket upgrade", "app key", "signature", "clock", "publish and receive", "HTTP fallback"];
    examine_at(&url(&server), &[]).expect_well(&hops).expect("Redis", "skipped", &["--redis"]);
    let ended = doctor(&[&["--url", &*url(&server)], &CREDENTIALS[..]].concat());
    assert_eq!(ended.status, 0, "{}", ended.stdout);
    for hop in hops {
        let line = ended.stdout.lines().find(|line| line.starts_with(&format!("✓ {hop}")));
        assert!(line.is_some(), "{hop} has no tick in\n{}", ended.stdout);
    }
    assert!(ended.stdout.contains("Nothing is amiss"), "{}", ended.stdout);
}

#[test]
fn a_laravel_project_says_where_and_who() {
    let server = Setup::new().config("[listen]\npath_prefix = \"/ws\"").start();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let App { id, key, secret } = APP;
    let dotenv = format!(
        "BROADCAST_CONNECTION=reverb\nAPP_URL=https://shop.example\nREVERB_APP_ID={id}\nREVERB_APP_KEY={key}\n\
         REVERB_APP_SECRET={secret}\nREVERB_HOST=127.0.0.1\nREVERB_PORT={port}\nREVERB_SCHEME=http\n\
         REVERB_SERVER_PATH=ws\nVITE_REVERB_HOST=localhost\nVITE_REVERB_PORT={port}\nVITE_REVERB_SCHEME=http\n",
        port = server.addr.port()
    );
    fs::write(folder.path().join(".env"), dotenv).expect("the folder can be written to");
    let path = folder.path().to_string_lossy();
    let hops =
        ["TCP of browsers", "TCP of the back end", "app key", "signature", "clock", "publish and receive"];
    examine(&["--laravel", &path]).expect_well(&hops).expect("WebSocket upgrade", "passed", &["/ws"]);
}

#[test]
fn an_app_is_named_in_part_by_options_and_in_part_by_variables_or_the_configuration() {
    let App { id, key, secret } = APP;
    let other = App { id: "4", key: "other-key", secret: "other-secret" };
    let server = Setup::bare().app(other, "").app(APP, "").start();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let write = |name: &str, text: String| {
        let file = folder.path().join(name);
        fs::write(&file, text).expect("the folder can be written to");
        file.to_string_lossy().into_owned()
    };
    let dotenv =
        write(".env", format!("BROADCAST_CONNECTION=pusher\nPUSHER_APP_ID={id}\nPUSHER_APP_KEY={key}\n"));
    fs::create_dir(folder.path().join("reverb")).expect("the folder can be written to");
    let reverb = format!(
        "BROADCAST_CONNECTION=reverb\nREVERB_APP_ID={id}\nREVERB_APP_SECRET={secret}\nREVERB_HOST=127.0.0.1\n\
         REVERB_PORT={}\nREVERB_SCHEME=http\n",
        server.addr.port()
    );
    let reverb = write("reverb/.env", reverb);
    let listed = |App { id, key, secret }: App| {
        format!("[[apps.list]]\nid = \"{id}\"\nkey = \"{key}\"\nsecret = \"{secret}\"\n")
    };
    let config = write("fanfare.toml", listed(other) + &listed(APP));
    let unset = [("PUSHER_APP_ID", ""), ("PUSHER_APP_KEY", ""), ("REVERB_APP_SECRET", secret)];
    for (environment, arguments) in [
        (&[("PUSHER_APP_SECRET", secret)][..], &["--key", key, "--app-id", id][..]),
        (&[("PUSHER_APP_ID", id), ("PUSHER_APP_KEY", key)], &["--secret", secret]),
        (&unset, &["--key", key, "--app-id", id]),
        (&[], &["--laravel", &dotenv, "--secret", secret]),
        (&[("PUSHER_APP_SECRET", secret)], &["--laravel", &dotenv]),
        (&[("PUSHER_APP_SECRET", secret)], &["--config", &config, "--key", key]),
        (&[], &["--config", &config, "--key", key]),
        (&[], &["--config", &config, "--app-id", id]),
    ] {
        let examined = examine_in(environment, &[&["--url", &*url(&server)], arguments].concat());
        examined.expect_well(&["app key", "signature", "publish and receive"]);
        examined.expect("signature", "passed", &["for app 3 is accepted"]);
    }
    examine(&["--laravel", &reverb, "--key", key]).expect_well(&["app key", "signature"]);
    let examined = examine_in(&[("PUSHER_APP_SECRET", secret)], &["--url", &url(&server)]);
    examined.expect("WebSocket upgrade", "skipped", &["no app key is known"]);
}

#[test]
fn a_closed_port_and_a_name_that_is_none_end_the_way() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr();
    let free = free.expect("a bound socket has an address");
    let examined = examine_at(&format!("ws://{free}"), &[]);
    examined.expect_failed("TCP", &["refuses connections", "its first line names the address"]);
    for hop in ["WebSocket upgrade", "signature", "clock", "publish and receive"] {
        examined.expect(hop, "skipped", &[]);
    }
    let examined = examine_at("ws://nowhere.invalid:6001", &[]);
    examined.expect_failed("TCP", &["nowhere.invalid does not resolve", "DNS"]);
    let ended = doctor(&["--url", "ws://nowhere.invalid"]);
    assert_eq!(ended.status, 1);
    assert!(ended.stdout.starts_with("✗ TCP"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\n– WebSocket upgrade"), "{}", ended.stdout);
    assert!(ended.stdout.contains("1 thing is amiss"), "{}", ended.stdout);
}

#[test]
fn a_certificate_is_good_once_its_authority_is_given() {
    let (secured, authority) = Secured::start_for(&["localhost"], |_| {});
    let url = format!("wss://localhost:{}", secured.addr().port());
    let given = examine_at(&url, &["--ca-file", &authority.path().to_string_lossy()]);
    given.expect_well(&["TLS", "app key", "signature", "publish and receive", "HTTP fallback"]);
    given.expect("TLS", "passed", &["for localhost", "more days"]);
    let unknown = examine_at(&url, &[]);
    unknown.expect_failed("TLS", &["authority that is not known", "fullchain.pem", "--ca-file"]);
    unknown.expect("WebSocket upgrade", "skipped", &[]).expect("signature", "skipped", &[]);
}

#[test]
fn a_certificate_for_another_name_and_one_that_has_expired_are_told() {
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    };
    let (other, others_authority) = Secured::start_for(&["other.test"], |_| {});
    let (expired, expireds_authority) = Secured::start_for(&["localhost"], expired);
    for (secured, authority, mentions) in [
        (other, others_authority, &["for other.test, not for localhost"][..]),
        (expired, expireds_authority, &["has expired", "certbot renew"]),
    ] {
        let url = format!("wss://localhost:{}", secured.addr().port());
        examine_at(&url, &["--ca-file", &authority.path().to_string_lossy()]).expect_failed("TLS", mentions);
    }
}

/// A default certificate of `openssl req -x509`; curl accepts the certificate, rustls does not.
#[test]
fn a_certificate_that_is_its_own_authority_is_told_how_to_make_another() {
    let (secured, authority) =
        Secured::start_for(&["localhost"], |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let url = format!("wss://localhost:{}", secured.addr().port());
    for arguments in [&["--ca-file", &*authority.path().to_string_lossy()][..], &[]] {
        let mentions = ["one of an authority itself", "basicConstraints=critical,CA:FALSE"];
        examine_at(&url, arguments).expect_failed("TLS", &mentions);
    }
}

#[test]
fn tls_where_there_is_none_and_none_where_there_is_are_told() {
    let server = TestServer::start();
    let examined = examine_at(&format!("wss://{}", server.addr), &[]);
    examined.expect_failed("TLS", &["does not answer in TLS", "PUSHER_SCHEME=http", "forceTLS: false"]);
    let (secured, _) = Secured::start_for(&["localhost"], |_| {});
    let examined = examine_at(&format!("ws://localhost:{}", secured.addr().port()), &[]);
    examined.expect_failed("WebSocket upgrade", &["400", "This port speaks TLS: use wss://"]);
}

#[test]
fn a_proxy_that_does_not_pass_on_the_upgrade_is_told_how_to() {
    let ours = "This is the address of a WebSocket: a proxy in between must pass on the headers";
    for (status, headers, body, mentions) in [
        (
            "426 Upgrade Required",
            "Server: nginx/1.22.1\r\n",
            ours,
            &["426 by nginx", "proxy_set_header Upgrade $http_upgrade"][..],
        ),
        ("400 Bad Request", "Server: Apache/2.4.62\r\n", "", &["400 by Apache", "upgrade=websocket"]),
        ("200 OK", "Server: cloudflare\r\n", "<html>", &["200 by cloudflare", "WebSockets under Network"]),
        ("426 Upgrade Required", "Server: Caddy\r\n", "", &["by Caddy", "reverse_proxy"]),
        ("404 Not Found", "Server: nginx\r\n", "<html>", &["404", "another server"]),
        ("404 Not Found", "", "There is nothing at this path", &["listen.path_prefix"]),
        (
            "301 Moved Permanently",
            "Location: https://ws.example.com/app/x\r\n",
            "",
            &["301", "https://ws.example.com/app/x"],
        ),
        ("502 Bad Gateway", "Server: nginx\r\n", "", &["502", "does not reach the server behind it"]),
        (
            "400 Bad Request",
            "Server: nginx\r\n",
            "The plain HTTP request was sent to HTTPS port",
            &["wss://"],
        ),
        ("403 Forbidden", "", "", &["403", "let /app/ through"]),
        ("101 Switching Protocols", "", "", &["101", "Sec-WebSocket-Accept"]),
    ] {
        let front = answering(status, headers, body);
        let examined = examine_at(&format!("ws://{}", front.addr), &[]);
        examined.expect_failed("WebSocket upgrade", mentions).expect("app key", "skipped", &[]);
    }
}

#[test]
fn a_wrong_key_is_told_and_so_is_a_wrong_path() {
    let server = TestServer::start();
    let examined = examine(&["--url", &url(&server), "--key", "no-such-key"]);
    examined.expect_failed("app key", &["4001", "no-such-key", "PUSHER_APP_KEY"]);
    examined.expect("signature", "skipped", &["--app-id"]).expect("clock", "passed", &[]);
    let examined = examine_at(&format!("{}/wrong", url(&server)), &[]);
    examined.expect_failed("app key", &["4005", "listen.path_prefix"]);
    examined.expect_failed("signature", &["404", "/wrong/apps/3/channels"]);
}

#[test]
fn a_wrong_secret_and_a_wrong_id_are_told_without_the_secret() {
    let server = TestServer::start();
    let url = url(&server);
    let arguments = ["--url", &*url, "--key", APP.key, "--app-id", APP.id, "--secret", "hush-hush"];
    examine(&arguments).expect_failed("signature", &["401", "secret is wrong", "PUSHER_APP_SECRET"]).expect(
        "publish and receive",
        "skipped",
        &[],
    );
    let ended = doctor(&arguments);
    assert!(!ended.stdout.contains("hush-hush") && !ended.stderr.contains("hush-hush"));
    let examined = examine(&["--url", &url, "--key", APP.key, "--app-id", "99", "--secret", APP.secret]);
    examined.expect_failed("signature", &["404", "no app with the id 99", "PUSHER_APP_ID"]);
}

#[test]
fn a_path_that_a_proxy_has_changed_is_seen_in_what_the_server_would_have_signed() {
    let changed = r#"Invalid signature: you should have sent HmacSHA256Hex("GET\n/ws/channels\nauth_key=k", your_secret_key)"#;
    let front = answering("401 Unauthorized", "", changed);
    let examined = examine_at(&format!("ws://{}", front.addr), &[]);
    examined.expect_failed("signature", &["A proxy changes the path"]);
    let unknown = answering("401 Unauthorized", "", "Unknown auth_key");
    let examined = examine_at(&format!("ws://{}", unknown.addr), &[]);
    examined.expect_failed("signature", &["The key belongs to no app with this id"]);
}

#[test]
fn a_refusal_of_the_server_is_repeated_in_what_to_do() {
    let server = Setup::with_app("enabled = false").start();
    let examined = examine_at(&url(&server), &[]);
    examined.expect_failed("app key", &["4003", "enabled = true"]).expect_failed("signature", &["403"]);
    let server = Setup::with_app("force_tls = true").start();
    examine_at(&url(&server), &[]).expect_failed("app key", &["4000", "X-Forwarded-Proto"]);
}

#[test]
fn clocks_that_differ_are_told() {
    let expired = "Timestamp expired: Given timestamp (2020) not within 600s of server time";
    let behind = answering("401 Unauthorized", "Date: Wed, 01 Jan 2020 00:00:00 GMT\r\n", expired);
    let examined = examine_at(&format!("ws://{}", behind.addr), &[]);
    examined.expect_failed("clock", &["days behind this machine's", "NTP"]);
    examined.expect_failed("signature", &["Timestamp expired", "NTP"]);
    let ahead = answering("404 Not Found", "Date: Sat, 01 Jan 2124 00:00:00 GMT\r\n", "");
    let examined = examine(&["--url", &format!("ws://{}", ahead.addr)]);
    examined.expect_failed("clock", &["days ahead of this machine's"]);
}

#[test]
fn an_event_that_goes_to_another_server_is_missed() {
    let (one, other) = (TestServer::start(), TestServer::start());
    let api = format!("http://{}", other.addr);
    let examined = examine_at(&url(&one), &["--api", &api]);
    examined.expect("app key", "passed", &[]).expect("signature", "passed", &[]);
    examined.expect_failed("publish and receive", &["did not arrive", "VITE_PUSHER_HOST"]);
}

#[test]
fn nothing_to_look_at_is_wrong_usage() {
    for (arguments, mention) in [
        (&[][..], "say what to look at"),
        (&["--url", "ws.example.com"], "--url"),
        (&["--auth-url", "http://127.0.0.1/broadcasting/auth"], "--channel"),
        (&["--channel", "private-x"], "--auth-url"),
        (&["--laravel", "/no/such/project"], "/no/such/project"),
        (&["--url", "ws://h", "--ca-file", "/no/such/file"], "--ca-file"),
        (&["--url", "ws://h", "--watch", "0"], "--watch"),
        (&["--auth-url", "http://h/", "--channel", "private-x", "--header", "none"], "--header"),
    ] {
        let ended = doctor(arguments);
        assert_eq!((ended.status, ended.stdout.as_str()), (64, ""), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(mention), "{arguments:?}: {}", ended.stderr);
    }
}
