//! Several certificates: which one a client is shown, and how each is replaced.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::support::eventually;
use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tls::{Authority, BOTH, HOST, Issued, tls_setup};

/// The names of the further certificates.
const OTHERS: [&[&str]; 2] = [&["a.example.test", "b.example.test"], &["*.example.test", "*.wild.test"]];

/// A server with a certificate for [`HOST`], and the two others.
struct Named {
    server: TestServer,
    authority: Authority,
    first: Issued,
    others: Vec<Issued>,
}

fn issue(authority: &Authority, names: &[&str]) -> Issued {
    let names: Vec<_> = names.iter().map(|&name| name.try_into().expect("a legal name")).collect();
    authority.issue_with(|params| {
        params.subject_alt_names = names.into_iter().map(rcgen::SanType::DnsName).collect();
    })
}

fn write(setup: &std::path::Path, number: usize, issued: &Issued) {
    fs::write(setup.join(format!("cert{number}.pem")), &issued.certificate)
        .expect("the folder can be written to");
    fs::write(setup.join(format!("key{number}.pem")), &issued.key).expect("the folder can be written to");
}

fn listed(setup: Setup, count: usize) -> Setup {
    (1..=count).fold(setup, |setup, number| {
        setup.config(&format!(
            "[[tls.certificates]]\ncert_file = \"cert{number}.pem\"\nkey_file = \"key{number}.pem\""
        ))
    })
}

impl Named {
    fn start() -> Self {
        let authority = Authority::new();
        let first = authority.issue();
        let setup = listed(tls_setup(Setup::new()), OTHERS.len());
        first.write_to(setup.folder());
        let others: Vec<_> = OTHERS.iter().map(|names| issue(&authority, names)).collect();
        for (at, issued) in others.iter().enumerate() {
            write(setup.folder(), at + 1, issued);
        }
        Self { server: setup.start(), authority, first, others }
    }

    fn addr(&self) -> SocketAddr {
        self.server.tls.expect("the server speaks TLS")
    }

    /// A connection to a host of this name, or why there is none.
    fn to(&self, name: &str) -> std::io::Result<Http> {
        connect(self.addr(), self.authority.client(&BOTH), name)
    }
}

fn connect(addr: SocketAddr, client: Arc<ClientConfig>, name: &str) -> std::io::Result<Http> {
    let tcp = TcpStream::connect(addr).expect("the server accepts connections");
    Http::try_tls_to(tcp, client, ServerName::try_from(name.to_owned()).expect("a legal name"))
}

#[test]
fn the_name_in_the_handshake_chooses_the_certificate_an_exact_one_before_a_wildcard() {
    let named = Named::start();
    let [of_names, of_wildcards] = [&named.others[0], &named.others[1]];
    for (name, expected) in [
        (HOST, &named.first),
        ("a.example.test", of_names),
        ("B.example.TEST", of_names),
        ("c.example.test", of_wildcards),
        ("x.wild.test", of_wildcards),
    ] {
        let http = named.to(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(http.shown(), expected.der, "{name}");
    }
}

#[test]
fn a_client_that_names_no_host_or_an_unknown_one_is_shown_the_first_certificate() {
    let named = Named::start();
    let mut without = (*named.authority.client(&BOTH)).clone();
    without.enable_sni = false;
    let http = connect(named.addr(), Arc::new(without), HOST).expect("a handshake");
    assert_eq!(http.shown(), named.first.der);
    // A wildcard is for one label.
    for unknown in ["other.test", "a.b.example.test", "example.test"] {
        let fault = named.to(unknown).err().expect("a certificate for another name").to_string();
        assert!(fault.contains("NotValidForName") || fault.contains("not valid for name"), "{fault}");
        assert!(fault.contains(HOST), "the first certificate is shown: {fault}");
    }
}

#[test]
fn each_certificate_is_replaced_when_its_own_files_change() {
    let named = Named::start();
    let mut open = named.server.connect();
    let new = issue(&named.authority, OTHERS[1]);
    write(named.server.folder(), 2, &new);
    eventually("newcomers see the new certificate", || {
        (named.to("x.wild.test").expect("a handshake").shown() == new.der).then_some(())
    });
    assert_eq!(named.to("a.example.test").expect("a handshake").shown(), named.others[0].der);
    assert_eq!(named.to(HOST).expect("a handshake").shown(), named.first.der);
    open.expect_nothing_more();
}

#[test]
fn a_faulty_file_leaves_that_certificate_as_it_was_and_has_the_others_replaced() {
    let named = Named::start();
    fs::write(named.server.folder().join("cert1.pem"), "no PEM").expect("the folder can be written to");
    named.server.process.log_line("the refusal", |line| {
        let words = ["tls.certificates[1].cert_file", "cert1.pem", "the one before stays in use"];
        words.iter().all(|word| line.contains(word)).then_some(())
    });
    let new = named.authority.issue();
    new.write_to(named.server.folder());
    eventually("newcomers see the new certificate", || {
        (named.to(HOST).expect("a handshake").shown() == new.der).then_some(())
    });
    assert_eq!(named.to("a.example.test").expect("a handshake").shown(), named.others[0].der);
}

#[test]
fn the_metrics_say_when_each_certificate_expires() {
    let authority = Authority::new();
    let until = |year, name: &str| {
        authority.issue_with(|params| {
            params.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into().expect("a legal name"))];
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
        })
    };
    let setup = listed(tls_setup(Setup::new()), 1);
    until(2041, HOST).write_to(setup.folder());
    write(setup.folder(), 1, &until(2040, "b.test"));
    let server = setup.start();
    let each = |name, source| {
        format!("fanfare_tls_certificates_expire_timestamp_seconds{{name=\"{name}\",source=\"{source}\"}}")
    };
    server.expect_metric(&each(HOST, "cert.pem"), 2_240_611_200.0);
    server.expect_metric(&each("b.test", "cert1.pem"), 2_208_988_800.0);
    server.expect_metric("fanfare_tls_certificate_expires_timestamp_seconds", 2_208_988_800.0);
}

#[test]
fn a_fault_of_a_listed_certificate_stops_the_start_and_names_the_place_the_setting_and_the_file() {
    let (authority, other) = (Authority::new(), Authority::new().issue());
    let setup = listed(tls_setup(Setup::new()), 2);
    authority.issue().write_to(setup.folder());
    write(setup.folder(), 1, &Issued { key: other.key, ..authority.issue() });
    let ended = setup.run();
    assert_eq!(ended.status, 64, "{}", ended.stderr);
    for words in [
        "tls.certificates[1].key_file: key1.pem: is not the key of the first certificate in cert1.pem",
        "tls.certificates[2].cert_file: cert2.pem: cannot be read",
    ] {
        let line = ended.stderr.lines().find(|line| line.contains(words));
        assert!(line.is_some_and(|line| line.contains("fanfare.toml:")), "{words} in {}", ended.stderr);
    }
    for (toml, words) in [
        (
            "[tls]\naddr = \"127.0.0.1:0\"\n[[tls.certificates]]\ncert_file = \"a.pem\"",
            "tls.certificates[1] has no key_file",
        ),
        ("[tls]\ncertificates = \"a.pem\"", "tls.certificates must be a list of certificates"),
        (
            "[[tls.certificates]]\ncert_file = \"a.pem\"\nkey_file = \"b.pem\"",
            "tls.certificates is set without tls.addr",
        ),
        (
            "[[tls.certificates]]\ncert_files = \"a.pem\"",
            "unknown key tls.certificates[1].cert_files; did you mean cert_file?",
        ),
    ] {
        let ended = Setup::new().config(toml).arguments(&["--check"]).run();
        assert_eq!(ended.status, 64, "{toml}");
        assert!(ended.stderr.contains(words), "{words} in {}", ended.stderr);
    }
}

#[test]
fn the_list_alone_is_enough_and_its_first_is_for_everybody_else() {
    let authority = Authority::new();
    let setup = listed(Setup::new().config("[tls]\naddr = \"127.0.0.1:0\""), 2);
    let (first, second) = (authority.issue(), issue(&authority, &["b.test"]));
    write(setup.folder(), 1, &first);
    write(setup.folder(), 2, &second);
    let printed = setup.run_with(&["--print"]).stdout;
    assert!(
        printed.contains("[[tls.certificates]]\ncert_file = \"cert2.pem\"\nkey_file = \"key2.pem\""),
        "{printed}"
    );
    let server = setup.start();
    let to = |name| connect(server.tls.expect("TLS"), authority.client(&BOTH), name).expect("a handshake");
    assert_eq!((to(HOST).shown(), to("b.test").shown()), (first.der, second.der));
}
