//! What is told of a delivery: never its data or its signature. What the receiver answered is told apart.

use std::fmt::{self, Display, Formatter};

use fanfare_protocol::auth::Secret;
use fanfare_protocol::webhook::EventNames;
use serde::{Deserialize, Serialize};

/// Tells requests of a URL from each other. Follows from what was signed, so that it is the same for every attempt, on every node and
/// after a start; nothing follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(u64);

impl RequestId {
    /// The id of the request with this signature.
    pub(crate) fn of(signature: &str) -> Self {
        let digest = Secret::new(signature).sign(&[b"request"]);
        Self(u64::from_str_radix(digest.get(..16).unwrap_or_default(), 16).unwrap_or_default())
    }
}

impl Display for RequestId {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{:016x}", self.0)
    }
}

/// One attempt to deliver a request to a URL (CON-054).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The attempt's number among those of its node since the start.
    pub number: u64,
    /// When the attempt began, in milliseconds since 1970.
    pub at: u64,
    /// What is the same for all attempts of the request to this URL; `None` if another release has told the delivery.
    #[serde(default)]
    pub request: Option<RequestId>,
    /// The names of the request's events, each once.
    pub names: EventNames,
    /// The number of the request's events.
    pub events: u32,
    /// 1 for the first attempt of the request.
    pub attempt: u32,
    /// Whether the request was a test.
    pub test: bool,
    /// The status of the answer, if one came.
    pub status: Option<u16>,
    /// Why the attempt failed; `None` for a delivery.
    pub cause: Option<DeliveryCause>,
    /// The cause as a sentence, at most 200 bytes; empty for a delivery.
    pub text: Box<str>,
    /// How long the attempt took, in milliseconds.
    pub took: u32,
    /// Whether the same request is tried once more.
    pub again: bool,
    /// The first 200 bytes of what the receiver answered; for those alone who may see payloads.
    #[serde(default)]
    pub answer: Option<Box<str>>,
    /// Whether what was sent is still kept, so that it can be sent again.
    #[serde(default)]
    pub is_kept: bool,
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryCause {
    /// The status is neither 2xx nor a redirect.
    Status,
    /// The answer is a redirect, which is not followed.
    Redirect,
    /// The name does not resolve.
    NameNotFound,
    /// Nothing listens at the address.
    Refused,
    /// There is no way to the address.
    Unreachable,
    /// The address is not public, and `apps.allow_private` is off.
    ForbiddenAddress,
    /// The certificate's time is over, or has not begun.
    CertificateExpired,
    /// The certificate is self-signed, or of an authority that is not trusted.
    CertificateUnknownIssuer,
    /// The certificate is for another host.
    CertificateWrongName,
    /// The certificate is not accepted for another reason.
    Certificate,
    /// The other side speaks no TLS, or refuses the handshake.
    Tls,
    /// No answer came in time.
    TimedOut,
    /// The connection broke, or the answer was not HTTP.
    Broken,
    /// The events became too old before their turn.
    TooLate,
    /// The attempt was broken off after half a second, because too many URLs are slow.
    Crowded,
    /// A cause that only another release knows.
    #[serde(other)]
    Other,
}

impl Delivery {
    /// Whether the URL has answered, or failed to: otherwise the attempt says nothing of the URL.
    pub(crate) const fn is_of_url(&self) -> bool {
        !matches!(self.cause, Some(DeliveryCause::TooLate | DeliveryCause::Crowded | DeliveryCause::Other))
    }

    /// Memory of a kept delivery.
    pub(crate) fn cost(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.answer.as_ref().map_or(0, |answer| answer.len())
    }
}
