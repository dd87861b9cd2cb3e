//! Why a TLS handshake failed, in words for whoever runs the other server.

use rustls::{CertificateError as Wrong, Error, OtherError};

/// The cause of a failed handshake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// Nobody trusted has signed the certificate.
    #[error("the certificate is self-signed, or of an authority that is not known")]
    UnknownIssuer,
    /// The certificate is for these names; `None` where the library does not say.
    #[error("the certificate is {}not for this host", .0.as_ref().map(|names| format!("for {names}, ")).unwrap_or_default())]
    WrongName(Option<String>),
    /// The certificate's time is over.
    #[error("the certificate has expired")]
    Expired,
    /// The certificate's time has not begun.
    #[error("the certificate is not valid yet")]
    NotValidYet,
    /// The certificate is an authority's own.
    #[error(
        "the certificate is one of an authority itself, as `openssl req -x509` makes them; many clients refuse such"
    )]
    OfAuthority,
    /// Another fault of the certificate.
    #[error("the certificate is refused: {0}")]
    Refused(String),
    /// The other side speaks no TLS.
    #[error("the other side does not answer in TLS")]
    NoTls,
    /// The other side has refused the handshake, with this alert.
    #[error("the other side refuses the TLS handshake ({0})")]
    Alert(String),
    /// Anything else.
    #[error("the TLS handshake fails: {0}")]
    Other(String),
}

impl From<&Error> for TlsFault {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(wrong) => of_certificate(wrong),
            Error::InvalidMessage(_) => Self::NoTls,
            Error::AlertReceived(alert) => Self::Alert(format!("{alert:?}")),
            other => Self::Other(other.to_string()),
        }
    }
}

fn of_certificate(wrong: &Wrong) -> TlsFault {
    match wrong {
        // A bad signature: another authority of the same name.
        Wrong::UnknownIssuer | Wrong::BadSignature => TlsFault::UnknownIssuer,
        Wrong::NotValidForNameContext { presented, .. } => TlsFault::WrongName(Some(names(presented))),
        Wrong::NotValidForName => TlsFault::WrongName(None),
        Wrong::Expired | Wrong::ExpiredContext { .. } => TlsFault::Expired,
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => TlsFault::NotValidYet,
        Wrong::Other(other) if is_of_an_authority(other) => TlsFault::OfAuthority,
        other => TlsFault::Refused(other.to_string()),
    }
}

fn is_of_an_authority(other: &OtherError) -> bool {
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// `DnsName("a")` becomes `a`.
fn names(presented: &[String]) -> String {
    let names: Vec<&str> = presented.iter().map(|name| name.split('"').nth(1).unwrap_or(name)).collect();
    if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") }
}
