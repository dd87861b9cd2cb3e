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

#[test]
fn con_053_the_lines_for_reverb_are_those_that_laravel_env_prints() {
    let server = Setup::new().config("[apps]\ndatabase = \"sqlite\"\n").start();
    let admin = reader(&server);
    let place = "host=ws.example.com&port=8443&tls=true";
    let lines = &admin.get(&format!("{CONNECT}?{place}")).expect(200)["reverb"];
    let shown: Vec<&str> = lines.as_str().expect("a text").lines().collect();
    let command = ["laravel", "env", "--driver", "reverb", "--config", "fanfare.toml"];
    let printed = server.commanded(&command);
    let dotenv: Vec<&str> = printed.lines().skip(1).take_while(|line| !line.is_empty()).collect();
    let expected: Vec<String> = dotenv
        .into_iter()
        .map(|line| match line.split_once('=').expect("a variable") {
            (name @ "REVERB_APP_SECRET", _) => format!("{name}=(hidden)"),
            (name @ "REVERB_HOST", _) => format!("{name}=ws.example.com"),
            (name @ "REVERB_PORT", _) => format!("{name}=8443"),
            (name @ "REVERB_SCHEME", _) => format!("{name}=https"),
            _ => line.to_owned(),
        })
        .collect();
    assert_eq!(shown, expected);
    for line in ["BROADCAST_CONNECTION=reverb", "REVERB_APP_ID=3", &format!("REVERB_APP_KEY={}", APP.key)] {
        assert!(shown.contains(&line), "{line} in {shown:?}");
    }
}

#[test]
fn con_053_the_lines_are_for_the_key_that_is_asked_for_and_for_no_other_apps_or_revoked_one() {
    let server = TestServer::with_stored_app(&[]);
    let admin = Admin::with(&server, "read,write,secrets");
    let made = admin.post("/v1/apps/3/keys", "").expect(201);
    let (key, secret) = (made["key"].as_str().expect("a key"), made["secret"].as_str().expect("a secret"));
    let other = admin.post("/v1/apps", "{\"id\": \"1001\"}").expect(201);
    let of_other = other["keys"][0]["key"].as_str().expect("a key");

    let first = admin.get(CONNECT).expect(200);
    assert_eq!((&first["key"], &first["keys"]), (&json!(APP.key), &json!([APP.key, key])));
    let chosen = admin.get(&format!("{CONNECT}?key={key}&secrets=true")).expect(200);
    assert_eq!(chosen["key"], json!(key));
    for block in ["laravel", "reverb", "pusher_js", "echo", "backend"] {
        let text = chosen[block].as_str().expect("a text");
        assert!(text.contains(key) && !text.contains(APP.key), "{block}: {text}");
        assert!(!text.contains(APP.secret), "{block}: {text}");
    }
    assert!(chosen["reverb"].as_str().is_some_and(|text| text.contains(secret)), "{chosen}");
    let noted = &admin.get("/v1/audit?limit=1").expect(200)["entries"][0];
    assert_eq!(noted["action"], json!("secret.show"));
    assert_eq!(noted["detail"]["keys"], json!([format!("{}…", &key[..4])]), "the key whose secret was shown");

    admin.delete(&format!("/v1/apps/3/keys/{key}")).expect(204);
    for refused in [key, of_other, "nobody"] {
        admin.get(&format!("{CONNECT}?key={refused}&secrets=true")).refused(404, "no-such-key", &[]);
    }
    let looks = actions(&admin).iter().filter(|action| **action == "secret.show").count();
    assert_eq!(looks, 1, "what was refused was not shown");
    assert_eq!(admin.get(CONNECT).expect(200)["keys"], json!([APP.key]));
}

/// The lines for a request with this `Host`.
#[track_caller]
fn lines_for(admin: &Admin, host: &str) -> Value {
    lines_with(admin, CONNECT, host, "")
}

/// The lines at this path for a request with this `Host`, and these headers beside.
#[track_caller]
fn lines_with(admin: &Admin, path: &str, host: &str, headers: &str) -> Value {
    let head = admin.head("GET", path, headers).replace("Host: localhost", &format!("Host: {host}"));
    admin.send_bytes("GET", path, &head).expect(200)
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
fn con_053_through_a_proxy_the_operators_host_is_not_claimed_and_what_is_unknown_is_told() {
    let server = named().start();
    let admin = reader(&server);
    let host = "ws.example.com:9600";
    let direct = lines_for(&admin, "10.0.0.7:9600");
    assert_eq!(direct["fill_in"], json!([]));
    assert_eq!(direct["place"], json!({"host": "10.0.0.7", "port": server.addr.port(), "tls": false}));
    for proxied in [
        "X-Forwarded-For: 192.0.2.7\r\n",
        "X-Forwarded-Proto: https\r\n",
        "X-Forwarded-Host: 10.0.0.7\r\n",
        "Forwarded: for=192.0.2.7\r\n",
        "Sec-Fetch-Site: same-origin\r\n",
    ] {
        let lines = lines_with(&admin, CONNECT, "10.0.0.7:9600", proxied);
        expect_place(&lines, "ws.example.com", 443);
        assert_eq!(lines["fill_in"], json!(["host", "port"]), "{proxied}");
        assert!(!lines.to_string().contains("10.0.0.7"), "{proxied}: {lines}");
    }
    let filled = |query: &str| {
        lines_with(&admin, &format!("{CONNECT}?{query}"), host, "X-Forwarded-For: 192.0.2.7\r\n")
    };
    for (query, place, unknown) in [
        ("host=live.test", json!({"host": "live.test", "port": 443, "tls": true}), json!(["port"])),
        ("tls=false", json!({"host": "ws.example.com", "port": 80, "tls": false}), json!(["host", "port"])),
        ("host=live.test&port=8443", json!({"host": "live.test", "port": 8443, "tls": true}), json!([])),
    ] {
        let lines = filled(query);
        assert_eq!((&lines["place"], &lines["fill_in"]), (&place, &unknown), "{query}");
    }
    // A browser on this machine sends the header without any proxy, too.
    let near = lines_with(&admin, CONNECT, "127.0.0.1:9600", "Sec-Fetch-Site: same-origin\r\n");
    expect_place(&near, "127.0.0.1", server.addr.port());
}

#[test]
fn con_053_through_a_proxy_the_name_of_the_certificate_is_known() {
    let secured = Secured::start_with(named());
    let admin = reader(&secured.server);
    let lines = lines_with(&admin, CONNECT, "ws.example.com", "X-Forwarded-For: 192.0.2.7\r\n");
    expect_place(&lines, "ws.test", secured.addr().port());
    assert_eq!(lines["fill_in"], json!([]));
}

#[test]
fn con_053_an_app_that_takes_tls_alone_has_a_placeholder_to_fill_in_where_the_server_has_no_tls() {
    let server = TestServer::with_stored_app(&["force_tls=true"]);
    let lines = Admin::with(&server, "read").get(CONNECT).expect(200);
    assert_eq!(lines["fill_in"], json!(["host", "port"]));
    assert_eq!(lines["place"], json!({"host": "ws.example.com", "port": 443, "tls": true}));
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
    for block in ["laravel", "reverb", "backend"] {
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
