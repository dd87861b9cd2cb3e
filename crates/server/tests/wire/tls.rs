//! TLS beside plain TCP: the same server behind both.

use crate::support::http::Http;
use crate::support::server::pusher_js;
use crate::support::setup::Setup;
use crate::support::tls::{BOTH, HOST, Secured};
use crate::support::upgrade::Upgrade;
use crate::support::{APP, App};

use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};

#[test]
fn the_ready_line_names_both_listeners_and_both_accept() {
    let secured = Secured::start();
    let server = &secured.server;
    let (addr, tls, admin) = (server.addr, secured.addr(), server.admin);
    assert_eq!(
        server.ready,
        format!("Fanfare is ready: http://{addr}, https://{tls} (admin http://{admin})")
    );
    assert_eq!(server.public("/up").head.status, 200);
    let mut http = secured.http();
    http.write(b"GET /up HTTP/1.1\r\nHost: ws.test\r\n\r\n");
    http.answer().expect(r#"{"health":"OK"}"#);
}

#[test]
fn tls_1_2_and_1_3_are_spoken() {
    let secured = Secured::start();
    let spoken = |version| secured.http_over(&[version]).session().protocol_version();
    assert_eq!(spoken(&TLS12), Some(ProtocolVersion::TLSv1_2));
    assert_eq!(spoken(&TLS13), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(secured.http().session().protocol_version(), Some(ProtocolVersion::TLSv1_3));
}

#[test]
fn websockets_and_the_http_api_work_over_either_version() {
    let secured = Secured::start();
    for version in BOTH {
        let http = || secured.http_over(&[version]);
        let mut socket = Upgrade::to(&pusher_js(APP)).open_over(http()).1.established(50);
        socket.subscribe("news");
        let mut api = crate::support::api::Api::over(http(), APP);
        api.publish("news", "e", "hello");
        socket.expect_event("news", "e", "hello");
        api.get("/channels", &[]).expect(r#"{"channels":{"news":{}}}"#);
        socket.close();
        secured.server.expect_metric("fanfare_connections{app=\"3\"}", 0.0);
    }
}

#[test]
fn a_publish_over_tls_with_a_wrong_signature_is_refused() {
    let secured = Secured::start();
    let mut wrong = crate::support::api::Api::over(secured.http(), App { secret: "wrong", ..APP });
    wrong.get("/channels", &[]).refused(401, "signature");
}

#[test]
fn an_event_from_either_side_reaches_both() {
    let secured = Secured::start();
    let (mut plain, mut tls) = (secured.server.connect(), secured.connect());
    plain.subscribe("news");
    tls.subscribe("news");
    secured.server.api().publish("news", "e", "from plain");
    secured.api().publish("news", "e", "from TLS");
    for socket in [&mut plain, &mut tls] {
        socket.expect_event("news", "e", "from plain");
        socket.expect_event("news", "e", "from TLS");
        socket.expect_nothing_more();
    }
}

#[test]
fn client_events_pass_between_plain_and_tls() {
    let secured = Secured::start_with(Setup::with_app("client_events = true"));
    let (mut plain, mut tls) = (secured.server.connect(), secured.connect());
    plain.subscribe_private(APP, "private-a");
    tls.subscribe_private(APP, "private-a");
    plain.client_event("private-a", "client-x", r#"{"n":1}"#);
    tls.expect_event("private-a", "client-x", r#"{"n":1}"#);
    tls.client_event("private-a", "client-y", r#"{"n":2}"#);
    plain.expect_event("private-a", "client-y", r#"{"n":2}"#);
}

#[test]
fn ws_063_a_connection_over_tls_satisfies_force_tls_without_any_proxy() {
    let secured =
        Secured::start_with(Setup::with_app("force_tls = true").config("[listen]\ntrusted_proxies = []"));
    secured.connect().expect_nothing_more();
    let (_, mut plain) = Upgrade::to(&pusher_js(APP))
        .header("X-Forwarded-Proto", "https")
        .open_over(Http::connect(secured.server.addr));
    plain.expect_close_code(4000);
}

#[test]
fn what_a_client_sends_along_with_its_request_is_not_lost() {
    use crate::support::socket::{FIN, TEXT, masked};
    let secured = Secured::start();
    let ask = masked(FIN | TEXT, br#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#);
    for version in BOTH {
        // More than one record, so that a part is still encrypted at the upgrade.
        let mut behind = ask.clone();
        let filling = format!(r#"{{"event":"pusher:ping","data":{{"x":"{}"}}}}"#, "x".repeat(30_000));
        behind.extend(masked(FIN | TEXT, filling.as_bytes()));
        let upgrade = Upgrade::to(&pusher_js(APP)).followed_by(&behind);
        let mut socket = upgrade.open_over(secured.http_over(&[version])).1.established(50);
        socket.expect_succeeded("news");
        socket.expect_text(crate::support::PONG);
        socket.expect_nothing_more();
    }
}

#[test]
fn alpn_offers_http_2_and_http_1_1_and_nothing_else() {
    let secured = Secured::start();
    let with = |protocols: &[&[u8]]| {
        let mut config = (*secured.authority.client(&BOTH)).clone();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Http::try_over_tls(secured.addr(), config.into())
    };
    let both = with(&[b"h2", b"http/1.1"]).expect("they agree on one");
    assert_eq!(both.session().alpn_protocol(), Some(&b"h2"[..]));
    let refused = with(&[b"spdy/3.1"]).err().expect("they agree on none").to_string();
    assert!(refused.contains("NoApplicationProtocol"), "{refused}");
}

#[test]
fn the_lines_to_paste_are_for_the_name_in_the_certificate() {
    let secured = Secured::start();
    let mut text = String::new();
    while !text.contains("/up") {
        text.push_str(&secured.server.process.line().expect("more lines"));
        text.push('\n');
    }
    let port = secured.addr().port();
    for line in [
        format!("PUSHER_HOST={HOST}"),
        format!("PUSHER_PORT={port}"),
        "PUSHER_SCHEME=https".to_owned(),
        "  forceTLS: true,".to_owned(),
        format!("curl https://{HOST}:{port}/up"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not among\n{text}");
    }
}

#[test]
fn a_refusal_names_the_client_that_a_trusted_proxy_names() {
    let secured = Secured::start_with(Setup::new().config("[log]\nformat = \"json\""));
    let unknown = "/app/no-such-key?protocol=7";
    let (_, mut socket) =
        Upgrade::to(unknown).header("X-Forwarded-For", "203.0.113.9").open_over(secured.http());
    socket.expect_close_code(4001);
    secured.server.process.log_line("the client of the refusal", |line| {
        (line.contains("connection refused") && line.contains("\"203.0.113.9\"")).then_some(())
    });
}
