//! The listeners of a server before they accept: on the sockets that were passed on, else on the configured addresses.
//!
//! A listener that cannot be opened stops the start.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use fanfare_config::certificate::CertificateError;
use fanfare_config::{AcmeSection, ListenAddress, ListenSection, TlsSection};

use crate::paste_lines::OverTls;
use crate::sockets::{BoundSockets, Inherited, ListeningSockets, PassedFor};
use crate::tls::ServerTls;

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// An address.
    #[error("cannot listen on {address}: {error} (setting {setting}, option {option})")]
    Address {
        /// The configured address.
        address: SocketAddr,
        /// The setting of the address.
        setting: &'static str,
        /// The command line option of the address.
        option: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// The Unix-domain socket.
    #[error("cannot listen on {path}: {error} (setting listen.unix_path)")]
    Unix {
        /// The configured path.
        path: String,
        /// The system's error, or what is there.
        error: io::Error,
    },
    /// A bound socket that does not listen.
    #[error("cannot listen: {0}")]
    Begin(io::Error),
    /// A socket that was passed on.
    #[error("cannot use a socket that was passed on (LISTEN_FDS): {0}")]
    Inherited(io::Error),
    /// A socket for TLS was passed on to a server without a certificate.
    #[error("a socket named tls was passed on (LISTEN_FDS), but [tls] is not set")]
    NoTls,
    /// The listener of certificate authorities.
    #[error(
        "cannot listen on {address} for certificate authorities: {error} (setting tls.acme.http_addr; a port below 1024 needs \
         CAP_NET_BIND_SERVICE)"
    )]
    Challenges {
        /// The configured address.
        address: SocketAddr,
        /// The system's error.
        error: io::Error,
    },
    /// The certificate for TLS.
    #[error("{setting}: {error}")]
    Certificate {
        /// The setting that names the faulty file.
        setting: String,
        /// The fault.
        error: CertificateError,
    },
}

/// All of them: bound, or listening.
pub(super) struct Listeners<S> {
    pub public: S,
    pub admin: S,
    pub secure: Option<SecureListener<S>>,
}

/// The TLS listener.
pub(super) struct SecureListener<S> {
    pub sockets: S,
    pub address: SocketAddr,
    pub tls: Arc<ServerTls>,
    /// The ACME client's settings, and the listener of its authority, if that asks over HTTP.
    pub acme: Option<(AcmeSection, Option<S>)>,
}

impl Listeners<BoundSockets> {
    /// Takes the addresses. Where the next process overlaps, connections go to the other process until [`Self::listen`].
    pub async fn bind(listen: &ListenSection, mut inherited: Inherited) -> Result<Self, ListenError> {
        let overlap = listen.overlap;
        let mut public = match passed(&mut inherited, PassedFor::Public)? {
            Some(sockets) => sockets,
            None => bind(listen.addr, overlap, "listen.addr", "--listen").await?,
        };
        bind_unix(&mut public, listen).await?;
        let admin = match passed(&mut inherited, PassedFor::Admin)? {
            Some(sockets) => sockets,
            None => bind(listen.admin_addr, overlap, "listen.admin_addr", "--admin-listen").await?,
        };
        let of_tls = passed(&mut inherited, PassedFor::Tls)?;
        let secure = match (&listen.tls, of_tls) {
            (Some(settings), sockets) => Some(SecureListener::bind(settings, sockets, overlap).await?),
            (None, Some(_)) => return Err(ListenError::NoTls),
            (None, None) => None,
        };
        Ok(Self { public, admin, secure })
    }

    /// Takes connections from now on: what can keep the server from starting is behind it.
    pub fn listen(self) -> Result<Listeners<ListeningSockets>, ListenError> {
        let begin = |sockets: BoundSockets| sockets.listen().map_err(ListenError::Begin);
        let secure = self.secure.map(|SecureListener { sockets, address, tls, acme }| {
            let acme = match acme {
                Some((section, challenges)) => Some((section, challenges.map(begin).transpose()?)),
                None => None,
            };
            Ok(SecureListener { sockets: begin(sockets)?, address, tls, acme })
        });
        Ok(Listeners { public: begin(self.public)?, admin: begin(self.admin)?, secure: secure.transpose()? })
    }
}

impl SecureListener<BoundSockets> {
    async fn bind(
        settings: &TlsSection,
        sockets: Option<BoundSockets>,
        overlap: bool,
    ) -> Result<Self, ListenError> {
        let tls = ServerTls::open(settings.files.clone())
            .map_err(|(setting, error)| ListenError::Certificate { setting, error })?;
        let sockets = match sockets {
            Some(sockets) => sockets,
            None => bind(settings.addr, overlap, "tls.addr", "--tls-listen").await?,
        };
        let address = sockets.address().unwrap_or(settings.addr.first());
        let acme = match &settings.acme {
            Some(section) => Some((section.clone(), bind_challenges(section, overlap).await?)),
            None => None,
        };
        Ok(Self { sockets, address, tls: Arc::new(tls), acme })
    }

    pub fn lines(&self) -> OverTls {
        let expected = || self.acme.as_ref().and_then(|(section, _)| section.domains.first().cloned());
        OverTls { listen: self.address, host: self.tls.host().or_else(expected) }
    }
}

/// The listener of an authority that asks over HTTP.
async fn bind_challenges(section: &AcmeSection, overlap: bool) -> Result<Option<BoundSockets>, ListenError> {
    let Some(address) = section.http else { return Ok(None) };
    let bound = BoundSockets::bind(address, overlap).await;
    bound.map(Some).map_err(|(address, error)| ListenError::Challenges { address, error })
}

fn passed(inherited: &mut Inherited, listener: PassedFor) -> Result<Option<BoundSockets>, ListenError> {
    inherited.sockets_of(listener).map_err(ListenError::Inherited)
}

/// Makes the Unix-domain socket too, if one is configured.
async fn bind_unix(sockets: &mut BoundSockets, listen: &ListenSection) -> Result<(), ListenError> {
    let path = &listen.unix_path;
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    let named = |error| ListenError::Unix { path: path.display().to_string(), error };
    sockets.bind_unix(path, listen.unix_mode).await.map_err(named)
}

async fn bind(
    address: ListenAddress,
    overlap: bool,
    setting: &'static str,
    option: &'static str,
) -> Result<BoundSockets, ListenError> {
    let bound = BoundSockets::bind(address, overlap).await;
    bound.map_err(|(address, error)| ListenError::Address { address, setting, option, error })
}
