//! Certificates: refusals at the start, and replacement while the server runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use rustls::HandshakeKind;

use crate::support::http::Http;
use crate::support::setup::{Ended, Setup};
use crate::support::socket::Socket;
use crate::support::tls::{Authority, BOTH, Issued, Secured, tls_setup, write_files};
use crate::support::{APP, eventually};

/// Number of connections that are open while the certificate is replaced.
const CROWD: usize = 1000;

/// Raises the file descriptor limit for the crowd's sockets in this process.
fn raise_descriptors() {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).expect("up to the hard limit");
}

#[track_caller]
fn expect_newcomers_to_see(secured: &Secured, new: &Issued) {
    eventually("newcomers see the new certificate", || (secured.http().shown() == new.der).then_some(()));
}

/// Replaces the certificate under a crowd; no connection is closed, and every client still gets events.
fn swap_under_a_crowd(swap: impl FnOnce(&Secured, &Issued)) {
    raise_descriptors();
    let secured = Secured::start();
    let mut crowd: Vec<Socket> = (0..CROWD).map(|_| secured.connect()).collect();
    crowd.iter_mut().for_each(|socket| socket.subscribe("news"));
    assert_eq!(secured.http().shown(), secured.issued.der);
    let new = secured.authority.issue();
    swap(&secured, &new);
    expect_newcomers_to_see(&secured, &new);
    let mut newcomer = secured.connect();
    newcomer.subscribe("news");
    secured.api().publish("news", "e", "after the swap");
    for socket in crowd.iter_mut().chain([&mut newcomer]) {
        socket.expect_event("news", "e", "after the swap");
    }
    secured.server.expect_metric("fanfare_connections{app=\"3\"}", (CROWD + 1) as f64);
}

/// Has the server read a file with these lines of `[tls]`, and waits for what the log says then.
#[track_caller]
fn reloaded(secured: &Secured, lines: &str, said: &str) {
    let app =
        format!("[[apps.list]]\nid = \"{}\"\nkey = \"{}\"\nsecret = \"{}\"\n", APP.id, APP.key, APP.secret);
    let file = secured.server.folder().join("fanfare.toml");
    fs::write(file, format!("[tls]\naddr = \"127.0.0.1:0\"\n{lines}{app}"))
        .expect("the folder can be written to");
    let logged = || secured.server.process.stderr().lines().filter(|line| line.contains(said)).count();
    let before = logged();
    secured.server.process.signal(Signal::HUP);
    eventually(said, || (logged() > before).then_some(()));
}

#[test]
fn a_reload_takes_over_other_paths_and_another_list_and_refuses_a_key_that_does_not_fit() {
    let secured = Secured::start();
    let folder = secured.server.folder();
    let [one, other] = [(); 2].map(|()| secured.authority.issue());
    for (name, text) in [
        ("1.pem", &one.certificate),
        ("1.key", &one.key),
        ("2.pem", &other.certificate),
        ("2.key", &other.key),
    ] {
        fs::write(folder.join(name), text).expect("the folder can be written to");
    }
    let mut open = secured.connect();
    open.subscribe("news");
    let own = |certificate: &str, key: &str| format!("cert_file = \"{certificate}\"\nkey_file = \"{key}\"\n");
    reloaded(&secured, &own("1.pem", "2.key"), "the reload is refused whole");
    reloaded(&secured, &own("gone.pem", "1.key"), "the reload is refused whole");
    assert_eq!(secured.http().shown(), secured.issued.der);
    let said = "settings reloaded, and taken over: tls.cert_file, tls.key_file";
    reloaded(&secured, &own("1.pem", "1.key"), said);
    assert_eq!(secured.http().shown(), one.der);
    secured.server.expect_metric("fanfare_config_settings_need_restart", 0.0);
    // The new paths are followed from now on, the old ones no longer.
    secured.authority.issue().write_to(folder);
    let newer = secured.authority.issue();
    for (name, text) in [("1.pem", &newer.certificate), ("1.key", &newer.key)] {
        fs::write(folder.join(name), text).expect("the folder can be written to");
    }
    expect_newcomers_to_see(&secured, &newer);
    let list = format!("[[tls.certificates]]\n{}", own("2.pem", "2.key"));
    reloaded(&secured, &list, "taken over: tls.cert_file, tls.key_file, tls.certificates");
    assert_eq!(secured.http().shown(), other.der);
    secured.api().publish("news", "e", "after the reloads");
    open.expect_event("news", "e", "after the reloads");
    // A listener that goes needs a restart, and keeps what it shows.
    let file = fs::read_to_string(folder.join("fanfare.toml")).expect("a text");
    fs::write(folder.join("fanfare.toml"), &file[file.find("[[apps").expect("apps")..])
        .expect("the folder can be written to");
    secured.server.process.signal(Signal::HUP);
    secured.server.process.log_line("what needs a restart", |line| {
        line.ends_with("stay as they were: tls.addr, tls.certificates").then_some(())
    });
    assert_eq!(secured.http().shown(), other.der);
}

#[test]
fn a_changed_file_replaces_the_certificate_under_a_thousand_connections() {
    swap_under_a_crowd(|secured, new| new.write_to(secured.server.folder()));
}

#[test]
fn sighup_replaces_the_certificate_under_a_thousand_connections() {
    swap_under_a_crowd(|secured, new| {
        new.write_to(secured.server.folder());
        secured.server.process.signal(Signal::HUP);
    });
}

#[test]
fn sighup_has_files_read_that_look_unchanged() {
    let secured = Secured::start();
    secured.server.process.signal(Signal::HUP);
    let is_told = |line: &str| line.contains("was read again and is the same").then_some(());
    secured.server.process.log_line("the second reading", is_told);
    secured.connect().expect_nothing_more();
}

/// A folder with both files behind a link, as Kubernetes mounts a secret.
fn mount(folder: &Path, version: &str, issued: &Issued) {
    fs::create_dir(folder.join(version)).expect("a new folder");
    issued.write_to(&folder.join(version));
    symlink(version, folder.join("new")).expect("a new link");
    fs::rename(folder.join("new"), folder.join("data")).expect("a link can be replaced");
}

#[test]
fn a_link_that_points_elsewhere_replaces_the_certificate() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(), authority.issue());
    let setup = tls_setup(Setup::new());
    mount(setup.folder(), "v1", &old);
    for file in ["cert.pem", "key.pem"] {
        symlink(Path::new("data").join(file), setup.folder().join(file)).expect("a new link");
    }
    let secured = Secured { server: setup.start(), authority, issued: old };
    assert_eq!(secured.http().shown(), secured.issued.der);
    mount(secured.server.folder(), "v2", &new);
    expect_newcomers_to_see(&secured, &new);
}

/// The files are refused with these words, the old certificate stays, and right files repair the fault.
fn expect_refused_and_mended(certificate: Option<&str>, key: Option<&str>, words: &str) {
    let secured = Secured::start();
    let mut open = secured.connect();
    let folder = secured.server.folder();
    let old = &secured.issued;
    write_files(folder, certificate.unwrap_or(&old.certificate), key.unwrap_or(&old.key));
    secured.server.process.log_line("the refusal", |line| {
        (line.contains("the one before stays in use") && line.contains(words)).then_some(())
    });
    assert!(!secured.server.process.stderr().contains("PRIVATE KEY-----\n"), "a key in the log");
    assert_eq!(secured.http().shown(), old.der, "the old one stays");
    secured.connect().expect_nothing_more();
    let new = secured.authority.issue();
    new.write_to(folder);
    expect_newcomers_to_see(&secured, &new);
    open.expect_nothing_more();
}

#[test]
fn a_new_file_that_is_no_certificate_leaves_the_old_one_in_use() {
    expect_refused_and_mended(Some("this is no PEM\n"), None, "holds no certificate");
}

#[test]
fn a_new_certificate_without_its_key_leaves_the_old_one_in_use() {
    let other = Authority::new().issue();
    expect_refused_and_mended(Some(&other.certificate), None, "is not the key of the first certificate");
}

#[test]
fn a_new_key_that_is_cut_short_leaves_the_old_one_in_use() {
    let other = Authority::new().issue();
    expect_refused_and_mended(None, Some(&other.key[..other.key.len() / 2]), "key.pem");
}

#[test]
fn a_session_of_the_old_certificate_is_not_resumed_under_the_new_one() {
    let secured = Secured::start();
    let config = secured.authority.client(&BOTH);
    let connect = || {
        let mut http = Http::over_tls(secured.addr(), config.clone());
        http.write(b"GET /up HTTP/1.1\r\nHost: ws.test\r\n\r\n");
        http.answer().expect(r#"{"health":"OK"}"#);
        http.session().handshake_kind().expect("the handshake is done")
    };
    assert_eq!([connect(), connect()], [HandshakeKind::Full, HandshakeKind::Resumed]);
    let new = secured.authority.issue();
    new.write_to(secured.server.folder());
    expect_newcomers_to_see(&secured, &new);
    assert_eq!([connect(), connect()], [HandshakeKind::Full, HandshakeKind::Resumed]);
}

#[test]
fn the_metrics_say_when_the_certificate_in_use_expires() {
    const EXPIRES: &str = "fanfare_tls_certificate_expires_timestamp_seconds";
    let authority = Authority::new();
    let until = |year| authority.issue_with(|params| params.not_after = rcgen::date_time_ymd(year, 1, 1));
    let setup = tls_setup(Setup::new());
    until(2040).write_to(setup.folder());
    let server = setup.start();
    server.expect_metric(EXPIRES, 2_208_988_800.0);
    until(2041).write_to(server.folder());
    server.expect_metric(EXPIRES, 2_240_611_200.0);
    let plain = Setup::new().start();
    assert!(!plain.admin("/metrics").body.lines().any(|line| line.starts_with(EXPIRES)));
}

/// The output of a start that fails because of these files.
fn refused(certificate: &str, key: &str) -> Ended {
    let setup = tls_setup(Setup::new());
    write_files(setup.folder(), certificate, key);
    let ended = setup.run();
    assert_eq!((ended.status, &*ended.stdout), (64, ""), "{}", ended.stderr);
    let checked = setup.arguments(&["--check"]).run();
    assert_eq!((checked.status, &checked.stderr), (64, &ended.stderr), "--check finds the same");
    ended
}

#[test]
fn files_that_are_no_certificate_and_its_key_stop_the_start() {
    let (issued, other) = (Authority::new().issue(), Authority::new().issue());
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (certificate, key, words) in [
        (
            &*issued.certificate,
            &*other.key,
            ["tls.key_file", "is not the key of the first certificate in cert.pem"],
        ),
        (&issued.key, &issued.key, ["tls.cert_file", "holds no certificate"]),
        (&issued.certificate, &issued.certificate, ["tls.key_file", "holds no key"]),
        (&issued.certificate, locked, ["tls.key_file", "locked by a password"]),
        (not_der, &issued.key, ["tls.cert_file", "first certificate cannot be used"]),
        ("", "", ["tls.cert_file", "holds no certificate"]),
    ] {
        let ended = refused(certificate, key);
        let line = ended.stderr.lines().next().expect("a fault");
        assert!(words.iter().all(|word| line.contains(word)), "{words:?} in {line}");
        assert!(line.contains("fanfare.toml:"), "the place is told: {line}");
        assert!(!ended.stderr.contains("BEGIN PRIVATE KEY-----\n"), "a key is shown");
    }
}

#[test]
fn missing_files_are_told_together_with_every_other_fault() {
    let ended = tls_setup(Setup::new().config("[limits]\nbatch = -1")).run();
    assert_eq!(ended.status, 64);
    for words in ["limits.batch", "tls.cert_file: cert.pem: cannot be read"] {
        assert!(ended.stderr.contains(words), "{words} in {}", ended.stderr);
    }
}

#[test]
fn commands_that_serve_nobody_do_not_need_the_certificate() {
    let setup = tls_setup(Setup::new());
    drop(setup.run());
    let env = setup.command(Some("env")).run();
    assert_eq!(env.status, 0, "{}", env.stderr);
}

#[test]
fn keys_of_every_usual_form_are_taken() {
    use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
    let authority = Authority::new();
    for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).expect("the system has random numbers");
        let issued = authority.issue_for(&key);
        let setup = tls_setup(Setup::new());
        issued.write_to(setup.folder());
        let ended = setup.arguments(&["--check"]).run();
        assert_eq!(ended.status, 0, "{}", ended.stderr);
    }
}

#[test]
fn a_certificate_that_has_expired_is_a_warning() {
    let authority = Authority::new();
    let issued = authority.issue_with(|params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 2, 3);
    });
    let setup = tls_setup(Setup::new());
    issued.write_to(setup.folder());
    let server = setup.start();
    server.process.log_line("the warning", |line| {
        (line.contains("WARN") && line.contains("it has expired") && line.contains("2021-02-03"))
            .then_some(())
    });
    server.connect().expect_nothing_more();
}

#[test]
fn a_certificate_of_the_future_is_a_warning() {
    let issued = Authority::new().issue_with(|params| params.not_before = rcgen::date_time_ymd(2999, 1, 1));
    let setup = tls_setup(Setup::new());
    issued.write_to(setup.folder());
    let server = setup.start();
    server.process.log_line("the warning", |line| {
        (line.contains("does not count yet") && line.contains("2999-01-01")).then_some(())
    });
}

#[test]
fn the_log_says_when_a_certificate_expires() {
    let issued = Authority::new().issue_with(|params| params.not_after = rcgen::date_time_ymd(2999, 4, 5));
    let setup = tls_setup(Setup::new());
    issued.write_to(setup.folder());
    let server = setup.start();
    server.process.log_line("when it expires", |line| {
        (line.contains("INFO") && line.contains("ws.test") && line.contains("2999-04-05")).then_some(())
    });
}

#[test]
fn a_certificate_that_is_an_authority_itself_is_a_warning_at_the_start_and_of_a_check() {
    let authority = Authority::new();
    let issued = authority.issue_with(|params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    let setup = tls_setup(Setup::new());
    issued.write_to(setup.folder());
    let checked = setup.run_with(&["--check"]);
    assert_eq!(checked.status, 0, "{}", checked.stderr);
    let warning = "its first certificate is an authority itself (CA:TRUE)";
    assert!(
        checked.stderr.contains(&format!("warning: tls.cert_file: cert.pem: {warning}")),
        "{}",
        checked.stderr
    );
    setup
        .start()
        .process
        .log_line("the warning", |line| (line.contains("WARN") && line.contains(warning)).then_some(()));
    let setup = tls_setup(Setup::new());
    authority.issue_with(|params| params.is_ca = rcgen::IsCa::ExplicitNoCa).write_to(setup.folder());
    assert_eq!(setup.run_with(&["--check"]).stderr, "");
}
