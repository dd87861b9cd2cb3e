//! Lines to paste for an app, as operators get them (CON-053).

use serde_json::{Value, json};

use crate::support::APP;
use crate::support::admin::Admin;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tls::Secured;

const CONNECT: &str = "/v1/apps/3/connect";

/// The actions of the audit log, the newest first.
fn actions(admin: &Admin) -> Vec<Value> {
    let entries = &admin.get("/v1/audit").expect(200)["entries"];
    entries.as_array().expect("a list").iter().map(|entry| entry["action"].clone()).collect()
}

#[test]
fn con_053_the_lines_are_those_of_the_first_run_for_the_place_that_is_asked_for() {
    let server = Setup::new().config("[apps]\ndatabase = \"sqlite\"\n").start();
    let admin = reader(&server);
    let lines = admin.get(&format!("{CONNECT}?host=ws.example.com&port=8443&tls=true")).expect(200);
    let has = |block: &str, line: &str| {
        let text = lines[block].as_str().expect("a text");
        assert!(text.lines().any(|found| found.trim() == line), "{line} in\n{text}");
    };
    for line in [
        "PUSHER_APP_ID=3",
        &format!("PUSHER_APP_KEY={}", APP.key),
        "PUSHER_HOST=ws.example.com",
        "PUSHER_PORT=8443",
        "PUSHER_SCHEME=https",
    ] {
        has("laravel", line);
    }
    for block in ["pusher_js", "echo"] {
        for line in ["wsHost: 'ws.example.com',", "wssPort: 8443,", "forceTLS: true,"] {
            has(block, line);
        }
    }
    for line in ["host: 'ws.example.com',", "port: '8443',", "useTLS: true,"] {
        has("backend", line);
    }
    // What `fanfare env` prints, but for the place.
    let printed = server.commanded(&["env", "--config", "fanfare.toml"]);
    let js = lines["pusher_js"].as_str().expect("a text");
    let own = |line: &&str| !["Host", "Port", "TLS"].iter().any(|word| line.contains(word));
    for line in js.lines().filter(own) {
        assert!(
            printed.contains(line),
            "{line} in
{printed}"
        );
    }
    let plain = admin.get(&format!("{CONNECT}?host=10.0.0.7&port=6001&tls=false")).expect(200);
    assert!(plain["pusher_js"].as_str().is_some_and(|text| text.contains("forceTLS: false")), "{plain}");
    let proxied = admin.get(&format!("{CONNECT}?host=ws.example.com&tls=true")).expect(200);
    assert!(proxied["laravel"].as_str().is_some_and(|text| text.contains("PUSHER_PORT=443")), "{proxied}");
    admin.get("/v1/apps/zzz/connect").refused(404, "no-such-app", &[]);
}

/// The lines for a request with this `Host`.
#[track_caller]
fn lines_for(admin: &Admin, host: &str) -> Value {
    let head = admin.head("GET", CONNECT, "").replace("Host: localhost", &format!("Host: {host}"));
    admin.send_bytes("GET", CONNECT, &head).expect(200)
}

/// An operator who may read, of a server whose database the configuration file names.
#[track_caller]
fn reader(server: &TestServer) -> Admin {
    let token = ["token", "create", "--name", "t", "--scope", "read", "--json", "--config", "fanfare.toml"];
    let made: Value = serde_json::from_str(&server.commanded(&token)).expect("JSON");
    Admin::nobody(server).bearing(made["token"].as_str().expect("a token"))
}

#[track_caller]
fn expect_place(lines: &Value, host: &str, port: u16) {
    let text = lines["laravel"].as_str().expect("a text");
    for line in [format!("PUSHER_HOST={host}"), format!("PUSHER_PORT={port}")] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

/// A server with a database and a name by which operators reach it.
fn named() -> Setup {
    let listen = "[listen]\nadmin_hosts = [\"ws.example.com\"]\n";
    Setup::new().config(&format!("{listen}[apps]\ndatabase = \"sqlite\"\n"))
}

#[test]
fn con_053_without_a_place_the_lines_have_the_bound_port_and_the_host_by_which_the_operator_comes() {
    let server = named().start();
    let admin = reader(&server);
    let port = server.addr.port();
    expect_place(&admin.get(CONNECT).expect(200), "127.0.0.1", port);
    for (host, told) in [
        ("ws.example.com:9600", "ws.example.com"),
        ("10.0.0.7:9600", "10.0.0.7"),
        ("[fd00::7]:9600", "[fd00::7]"),
        ("[::1]:9600", "127.0.0.1"),
        ("127.0.0.5", "127.0.0.1"),
    ] {
        expect_place(&lines_for(&admin, host), told, port);
    }
    expect_place(&admin.get(&format!("{CONNECT}?tls=false")).expect(200), "127.0.0.1", port);
}

#[test]
fn con_053_over_tls_who_comes_by_loopback_gets_the_name_of_the_certificate_with_the_bound_port() {
    let secured = Secured::start_with(named());
    let admin = reader(&secured.server);
    let port = secured.addr().port();
    expect_place(&admin.get(CONNECT).expect(200), "ws.test", port);
    expect_place(&lines_for(&admin, "ws.example.com"), "ws.example.com", port);
    expect_place(&admin.get(&format!("{CONNECT}?tls=true")).expect(200), "ws.test", port);
    let echo = admin.get(CONNECT).expect(200)["echo"].to_string();
    assert!(echo.contains(&format!("wssPort: {port}")), "{echo}");
}

#[test]
fn con_053_the_secret_is_for_its_scope_and_to_look_is_noted() {
    let server = TestServer::with_stored_app(&[]);
    let (reader, keeper) = (Admin::with(&server, "read"), Admin::with(&server, "read,secrets"));
    let masked = reader.get(CONNECT).expect(200).to_string();
    assert!(!masked.contains(APP.secret) && masked.contains("PUSHER_APP_SECRET=(hidden)"), "{masked}");
    reader.get(&format!("{CONNECT}?secrets=true")).refused(403, "scope-missing", &[]);
    keeper.get(&format!("{CONNECT}?secrets=false")).expect(200);
    assert_eq!(actions(&reader).iter().filter(|action| **action == "secret.show").count(), 0);
    let shown = keeper.get(&format!("{CONNECT}?secrets=true")).expect(200);
    for block in ["laravel", "backend"] {
        assert!(shown[block].as_str().is_some_and(|text| text.contains(APP.secret)), "{shown}");
    }
    for block in ["pusher_js", "echo"] {
        assert!(!shown[block].to_string().contains(APP.secret), "a page gets no secret: {shown}");
    }
    let entry = &reader.get("/v1/audit?limit=1").expect(200)["entries"][0];
    assert_eq!((&entry["action"], &entry["app"]), (&json!("secret.show"), &json!("3")));
}

#[test]
fn con_053_nothing_but_a_host_gets_into_the_lines() {
    let server = TestServer::with_stored_app(&[]);
    let admin = Admin::with(&server, "read");
    for host in ["x';alert(1)//", "a b", "a%0AB=1", "<b>", "$(x)", "\u{202e}"] {
        let query: String = host.bytes().map(|b| format!("%{b:02X}")).collect();
        let refused = admin.get(&format!("{CONNECT}?host={query}"));
        refused.refused(400, "faulty-query", &["host is not a host name or an address"]);
    }
    let faults = ["port is not a port from 1 to 65535", "tls is not one of true, false"];
    admin.get(&format!("{CONNECT}?port=0&tls=1")).refused(400, "faulty-query", &faults);
}
