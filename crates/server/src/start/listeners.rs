//! The listeners of a server before they accept: on the sockets that were passed on, else on the configured addresses.
//!
//! A listener that cannot be opened stops the start.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use fanfare_config::certificate::CertificateError;
use fanfare_config::{ListenAddress, ListenSection, TlsSection};

use crate::paste_lines::OverTls;
use crate::sockets::{Inherited, ListeningSockets, PassedFor};
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
    /// A socket that was passed on.
    #[error("cannot use a socket that was passed on (LISTEN_FDS): {0}")]
    Inherited(io::Error),
    /// A socket for TLS was passed on to a server without a certificate.
    #[error("a socket named tls was passed on (LISTEN_FDS), but [tls] is not set")]
    NoTls,
    /// The certificate for TLS.
    #[error("{setting}: {error}")]
    Certificate {
        /// The setting that names the faulty file.
        setting: String,
        /// The fault.
        error: CertificateError,
    },
}

/// All of them.
pub(super) struct Listeners {
    pub public: ListeningSockets,
    pub admin: ListeningSockets,
    pub secure: Option<SecureListener>,
}

/// The TLS listener.
pub(super) struct SecureListener {
    pub sockets: ListeningSockets,
    pub address: SocketAddr,
    pub tls: Arc<ServerTls>,
}

impl Listeners {
    pub async fn open(listen: &ListenSection, mut inherited: Inherited) -> Result<Self, ListenError> {
        let overlap = listen.overlap;
        let mut public = match passed(&mut inherited, PassedFor::Public)? {
            Some(sockets) => sockets,
            None => bind(listen.addr, overlap, "listen.addr", "--listen").await?,
        };
        bind_unix(&mut public, listen)?;
        let admin = match passed(&mut inherited, PassedFor::Admin)? {
            Some(sockets) => sockets,
            None => bind(listen.admin_addr, overlap, "listen.admin_addr", "--admin-listen").await?,
        };
        let of_tls = passed(&mut inherited, PassedFor::Tls)?;
        let secure = match (&listen.tls, of_tls) {
            (Some(settings), sockets) => Some(SecureListener::open(settings, sockets, overlap).await?),
            (None, Some(_)) => return Err(ListenError::NoTls),
            (None, None) => None,
        };
        Ok(Self { public, admin, secure })
    }
}

impl SecureListener {
    async fn open(
        settings: &TlsSection,
        sockets: Option<ListeningSockets>,
        overlap: bool,
    ) -> Result<Self, ListenError> {
        let tls = ServerTls::open(settings.files.clone())
            .map_err(|(setting, error)| ListenError::Certificate { setting, error })?;
        let sockets = match sockets {
            Some(sockets) => sockets,
            None => bind(settings.addr, overlap, "tls.addr", "--tls-listen").await?,
        };
        let address = sockets.address().unwrap_or(settings.addr.first());
        Ok(Self { sockets, address, tls: Arc::new(tls) })
    }

    pub fn lines(&self) -> OverTls {
        OverTls { listen: self.address, host: self.tls.host() }
    }
}

fn passed(inherited: &mut Inherited, listener: PassedFor) -> Result<Option<ListeningSockets>, ListenError> {
    inherited.sockets_of(listener).map_err(ListenError::Inherited)
}

/// Listens on the Unix-domain socket too, if one is configured.
fn bind_unix(sockets: &mut ListeningSockets, listen: &ListenSection) -> Result<(), ListenError> {
    let path = &listen.unix_path;
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    let named = |error| ListenError::Unix { path: path.display().to_string(), error };
    sockets.bind_unix(path, listen.unix_mode).map_err(named)
}

async fn bind(
    address: ListenAddress,
    overlap: bool,
    setting: &'static str,
    option: &'static str,
) -> Result<ListeningSockets, ListenError> {
    let bound = ListeningSockets::bind(address, overlap).await;
    bound.map_err(|(address, error)| ListenError::Address { address, setting, option, error })
}
