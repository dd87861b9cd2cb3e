//! Failures of a request, in words for the operator of the other server.

use std::error::Error;
use std::io;
use std::time::Duration;

use crate::reach::{NoAddress, NotPublic};
use crate::tls_fault::TlsFault;

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutgoingError {
    /// Nothing listens at the address.
    #[error("the connection was refused")]
    Refused,
    /// The name does not resolve.
    #[error("the name is not found: {0}")]
    NameNotFound(String),
    /// No packet reaches the host.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// The address may not be connected to.
    #[error(transparent)]
    NotPublic(#[from] NotPublic),
    /// The certificate is not trusted, or the other side does not speak TLS.
    #[error("TLS failed: {0}")]
    Tls(#[from] TlsFault),
    /// The timeout of the whole exchange has passed.
    #[error("there was no whole answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The answer's body is larger than allowed.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection broke, or the answer was not HTTP.
    #[error("the answer broke off: {0}")]
    Broken(String),
}

impl OutgoingError {
    /// The cause of a failed connect.
    pub(crate) fn connecting(error: &(dyn Error + 'static)) -> Self {
        let innermost = innermost(error);
        if let Some(tls) = innermost.downcast_ref::<rustls::Error>() {
            return Self::Tls(tls.into());
        }
        match innermost.downcast_ref() {
            Some(NoAddress::NotPublic(fault)) => return Self::NotPublic(*fault),
            Some(NoAddress::Unknown(error)) => return Self::NameNotFound(error.to_string()),
            None => {}
        }
        match innermost.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
            _ => Self::Unreachable(innermost.to_string()),
        }
    }

    /// The cause of a failed exchange on an open connection.
    pub(crate) fn broken(error: &(dyn Error + 'static)) -> Self {
        Self::Broken(innermost(error).to_string())
    }
}

/// The innermost source of an error; `io::Error` hides its own behind `get_ref`.
fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let inner = match error.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    };
    inner.map_or(error, innermost)
}
