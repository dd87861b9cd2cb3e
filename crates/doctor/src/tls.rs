//! The second hop: TLS, with the chain, the name and the days until the expiry.

use std::sync::Arc;
use std::time::SystemTime;

use fanfare_config::validity::{Facts, Validity};
use fanfare_outgoing::{TlsFault, Trust};
use fanfare_protocol::utc::since_1970;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::base_url::BaseUrl;
use super::bounds::PATIENCE;
use super::hop::{Complaint, Finding, complain};
use super::reach::Io;

/// Fewer days until the expiry are a warning: renewals happen thirty days before.
const FEW_DAYS: u64 = 14;

/// The stream after the handshake, and the finding about the certificate.
pub(super) async fn begin(
    place: &BaseUrl,
    trust: &Trust,
    stream: TcpStream,
) -> Result<(Finding, Box<dyn Io>), Complaint> {
    let host = place.host.trim_matches(['[', ']']);
    let Ok(name) = ServerName::try_from(host.to_owned()) else {
        return complain(
            format!("no certificate can be for {host}"),
            "Name the server by the name of its certificate.",
        );
    };
    let connector = TlsConnector::from(Arc::new(trust.client_config()));
    match timeout(PATIENCE, connector.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok((valid(host, &stream), Box::new(stream))),
        Ok(Err(error)) => {
            let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            let other = || rustls::Error::General(error.to_string());
            Err(complaint(place, &cause.cloned().unwrap_or_else(other)))
        }
        Err(_) => complain("the TLS handshake is not answered", NO_TLS),
    }
}

const NO_TLS: &str = "This port seems to speak plain HTTP: use ws:// and http:// (PUSHER_SCHEME=http, forceTLS: \
                      false), or the port of the proxy that has the certificate. Or a balancer that passes TLS through puts \
                      the PROXY protocol in front, which Fanfare reads only with listen.proxy_protocol = true from an address \
                      in listen.trusted_proxies, where it expects it: set both, or neither, as the balancer does (send-proxy \
                      and send-proxy-v2 of HAProxy, proxy_protocol of nginx).";

fn valid(host: &str, stream: &TlsStream<TcpStream>) -> Finding {
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let validity = certificates.first().and_then(|certificate| Facts::of(certificate).ok());
    match validity.map(|facts| facts.validity(since_1970(SystemTime::now()).as_secs())) {
        Some(Validity::For { days }) if days < FEW_DAYS => complain(
            format!("the certificate for {host} is valid for {days} more days only"),
            "See why it is not renewed (certbot renew --dry-run; the log of Caddy or Traefik; with tls.acme Fanfare's own log, \
             fanfare::tls, and /ready).",
        ),
        Some(Validity::For { days }) => {
            Ok(format!("the certificate is for {host}, trusted, and valid for {days} more days"))
        }
        _ => Ok(format!("the certificate is for {host} and trusted")),
    }
}

fn complaint(place: &BaseUrl, error: &rustls::Error) -> Complaint {
    let host = place.host.trim_matches(['[', ']']);
    let fault = TlsFault::from(error);
    let mend = match &fault {
        TlsFault::UnknownIssuer => {
            "If it is of a public authority, have the proxy send the whole chain (fullchain.pem, not cert.pem). If \
             it is your own, give its authority with --ca-file; browsers and PHP need it, too."
                .to_owned()
        }
        TlsFault::WrongName(_) => format!("Use a name that it is for, or get one for {host}."),
        TlsFault::Expired => {
            "Renew it and reload the proxy (certbot renew; with tls.acme see Fanfare's log, fanfare::tls), or set this machine's \
             clock if that is wrong.".to_owned()
        }
        TlsFault::NotValidYet => {
            "Set this machine's clock, or the one of the machine that made the certificate.".to_owned()
        }
        TlsFault::OfAuthority => {
            "Make it with -addext basicConstraints=critical,CA:FALSE, or have an authority of your own sign another."
                .to_owned()
        }
        TlsFault::Refused(_) => "Get one from a public authority.".to_owned(),
        TlsFault::Alert(_) => format!(
            "It has no certificate for {host}, or speaks neither TLS 1.2 nor 1.3: see to server_name and \
             ssl_protocols of the proxy. With tls.acme there may be no certificate yet: Fanfare's log (fanfare::tls) says why."
        ),
        TlsFault::NoTls | TlsFault::Other(_) => NO_TLS.to_owned(),
    };
    let what = match fault {
        TlsFault::WrongName(Some(names)) => format!("the certificate is for {names}, not for {host}"),
        TlsFault::WrongName(None) => format!("the certificate is not for {host}"),
        TlsFault::NoTls => format!("{host}:{} does not answer in TLS", place.port),
        TlsFault::Alert(alert) => format!("the server refuses the TLS handshake ({alert})"),
        other => other.to_string(),
    };
    Complaint { what, mend }
}
