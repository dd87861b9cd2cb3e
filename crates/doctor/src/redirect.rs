//! A redirect instead of an answer: its target, and the remedy.
//!
//! Never repeats the query of its target: signed requests would come back with their signatures.

use super::hop::{Complaint, repeated};

/// The kind of client that was redirected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Browser,
    /// A browser without WebSockets.
    Fallback,
    BackEnd,
}

/// The complaint for an answer with this status and `Location`; `None` if the answer is no redirect.
pub(super) fn complaint(sender: Sender, status: u16, location: &str) -> Option<Complaint> {
    if !matches!(status, 301..=303 | 307 | 308) {
        return None;
    }
    let target = location.split(['?', '#']).next().unwrap_or_default();
    let target = match target {
        "" => "an address that it does not name".to_owned(),
        target => repeated(target, 200),
    };
    let (request, mend) = match sender {
        Sender::Browser => (
            "the handshake",
            "WebSockets do not follow redirects: point the clients at that address (wsHost, wsPort, forceTLS), or \
             stop the redirect for /app/.",
        ),
        Sender::Fallback => (
            "a request of the HTTP fallback",
            "Pages do not follow it: point the clients at that address (httpHost, httpPort, httpsPort, httpPath), or stop the \
             redirect for /pusher/.",
        ),
        Sender::BackEnd => (
            "a signed request",
            "A signed request does not survive a redirect: point the back end at that address (PUSHER_HOST, \
             PUSHER_PORT, PUSHER_SCHEME), or stop the redirect for /apps/.",
        ),
    };
    Some(Complaint {
        what: format!("{request} is answered {status}, with a redirect to {target}"),
        mend: mend.to_owned(),
    })
}
