//! A private CA, the certificates that the CA issues, and clients that trust this CA alone.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use tempfile::NamedTempFile;

use super::api::Api;
use super::http::Http;
use super::server::{TestServer, pusher_js};
use super::setup::Setup;
use super::socket::Socket;
use super::stream::Stream;
use super::upgrade::Upgrade;
use super::{APP, DEADLINE};

/// The name in the certificates.
pub const HOST: &str = "ws.test";

/// The supported versions of TLS.
pub const BOTH: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// A CA that only the tests trust.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
pub struct Issued {
    pub certificate: String,
    pub key: String,
    /// The certificate for comparison with the one that a client was shown.
    pub der: CertificateDer<'static>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are legal names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Fanfare's tests");
        let key = KeyPair::generate().expect("the system has random numbers");
        Self(CertifiedIssuer::self_signed(params, key).expect("a key signs"))
    }

    /// Its own certificate, as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for [`HOST`] that is valid now.
    pub fn issue(&self) -> Issued {
        self.issue_with(|_| {})
    }

    pub fn issue_with(&self, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        self.sign(&KeyPair::generate().expect("the system has random numbers"), change)
    }

    /// A certificate for this key.
    pub fn issue_for(&self, key: &KeyPair) -> Issued {
        self.sign(key, |_| {})
    }

    fn sign(&self, key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = CertificateParams::new(vec![HOST.to_owned()]).expect("a legal name");
        change(&mut params);
        let certificate = params.signed_by(key, &self.0).expect("the authority signs");
        Issued { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
    }

    /// A client that trusts this authority alone.
    pub fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
        Arc::new(config.expect("ring speaks both").with_root_certificates(roots).with_no_client_auth())
    }
}

impl Issued {
    /// Writes both files to the paths of [`tls_setup`].
    pub fn write_to(&self, folder: &Path) {
        write_files(folder, &self.certificate, &self.key);
    }
}

pub fn write_files(folder: &Path, certificate: &str, key: &str) {
    fs::write(folder.join("cert.pem"), certificate).expect("the folder can be written to");
    fs::write(folder.join("key.pem"), key).expect("the folder can be written to");
}

/// A server with TLS on a free port besides the plain one, whose certificate files may exist or not.
pub fn tls_setup(setup: Setup) -> Setup {
    setup.config("[tls]\naddr = \"127.0.0.1:0\"\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"")
}

/// A server with a certificate, and the issuer.
pub struct Secured {
    pub server: TestServer,
    pub authority: Authority,
    pub issued: Issued,
}

impl Secured {
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(Setup::new())
    }

    #[track_caller]
    pub fn start_with(setup: Setup) -> Self {
        let authority = Authority::new();
        let issued = authority.issue();
        issued.write_to(setup.folder());
        Self { server: tls_setup(setup).start(), authority, issued }
    }

    /// A server whose certificate is for these names, changed by `change`; and the file with its
    /// authority.
    #[track_caller]
    pub fn start_for(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (Self, NamedTempFile) {
        let (setup, authority) = (Setup::new(), Authority::new());
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let issued = authority.issue_with(|params| {
            *params = CertificateParams::new(names).expect("legal names");
            change(params);
        });
        issued.write_to(setup.folder());
        let file = NamedTempFile::new().expect("a temporary file can be made");
        fs::write(file.path(), authority.pem()).expect("the file can be written to");
        (Self { server: tls_setup(setup).start(), authority, issued }, file)
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.tls.expect("the server speaks TLS")
    }

    /// A connection over any version.
    #[track_caller]
    pub fn http(&self) -> Http {
        self.http_over(&BOTH)
    }

    #[track_caller]
    pub fn http_over(&self, versions: &[&'static SupportedProtocolVersion]) -> Http {
        Http::over_tls(self.addr(), self.authority.client(versions))
    }

    #[track_caller]
    pub fn api(&self) -> Api {
        Api::over(self.http(), APP)
    }

    /// An upgraded connection that has not read anything.
    #[track_caller]
    pub fn open(&self) -> Socket {
        Upgrade::to(&pusher_js(APP)).open_over(self.http()).1
    }

    /// A connection ready for commands.
    #[track_caller]
    pub fn connect(&self) -> Socket {
        self.open().established(50)
    }
}

impl Http {
    /// A connection after the handshake.
    #[track_caller]
    pub fn over_tls(addr: SocketAddr, config: Arc<ClientConfig>) -> Self {
        Self::try_over_tls(addr, config).unwrap_or_else(|error| panic!("no handshake: {error}"))
    }

    pub fn try_over_tls(addr: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<Self> {
        let tcp = std::net::TcpStream::connect(addr).expect("the server accepts connections");
        Self::try_tls_on(tcp, config)
    }

    /// The same over an open connection.
    pub fn try_tls_on(tcp: std::net::TcpStream, config: Arc<ClientConfig>) -> std::io::Result<Self> {
        Self::try_tls_to(tcp, config, ServerName::try_from(HOST).expect("a legal name"))
    }

    /// The same to a host of this name.
    pub fn try_tls_to(
        mut tcp: std::net::TcpStream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> std::io::Result<Self> {
        let mut session = ClientConnection::new(config, name).expect("a legal configuration");
        tcp.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        tcp.set_write_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        while session.is_handshaking() {
            session.complete_io(&mut tcp)?;
        }
        Ok(Self::over(Stream::Tls(Box::new(StreamOwned::new(session, tcp)))))
    }

    /// The TLS session.
    pub fn session(&self) -> &ClientConnection {
        match self.stream() {
            Stream::Tls(stream) => &stream.conn,
            Stream::Plain(_) => panic!("a plain connection"),
        }
    }

    /// The certificate that the server has sent.
    pub fn shown(&self) -> CertificateDer<'static> {
        let chain = self.session().peer_certificates().expect("servers show one");
        chain.first().expect("servers show one").clone()
    }
}
