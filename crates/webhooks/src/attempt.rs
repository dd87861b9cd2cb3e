//! One attempt to deliver a request: made within the time-out, and told with its cause if it failed.

use std::fmt;
use std::time::Duration;

use fanfare_outgoing::{Bounds, Client, OutgoingError, TlsFault};
use fanfare_protocol::close::shortened;
use fanfare_protocol::ids::AppId;
use fanfare_spans::{Span, TRACEPARENT, Work};
use hyper::header::{HeaderValue, LOCATION};
use hyper::http::response::Parts;
use hyper::{Request, StatusCode};
use serde::Serialize as _;
use tokio::time::Instant;

use crate::delivery::{Delivery, DeliveryCause};
use crate::request::{Prepared, unix_milliseconds};
use crate::turns::QUICK;

/// Most bytes of an answer that are read; the answer's content means nothing.
const MOST_ANSWER: usize = 64 * 1024;

/// Most bytes of a redirect's target that are repeated.
const MOST_TARGET: usize = 120;

/// Most bytes of an answer that are kept.
const MOST_KEPT: usize = 200;

/// Most bytes of the sentence that says what went wrong.
const MOST_TEXT: usize = 200;

/// How an attempt has ended.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// When the attempt began, in milliseconds since 1970.
    pub at: u64,
    pub took: Duration,
    /// The status of success, or what went wrong.
    pub outcome: Result<u16, Failure>,
    /// The beginning of the answer's body, if an answer came.
    answer: Option<Box<[u8]>>,
}

/// Why a request has failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    NoAnswer(#[from] OutgoingError),
    #[error("the answer was {0}")]
    Status(u16),
    #[error("the answer was {status}, a redirect{to}, which is not followed")]
    Redirect {
        status: u16,
        /// ` to ` and the target without its query, or nothing.
        to: String,
    },
    #[error("its turn came too late")]
    Late,
    #[error("there was no answer within {} ms, and too many others are waited for", QUICK.as_millis())]
    Crowded,
}

impl Attempt {
    /// Makes an attempt at a URL of an app.
    pub async fn make(
        client: &Client,
        (app, url): (&AppId, &str),
        request: &Prepared,
        timeout: Duration,
    ) -> Self {
        let (at, began) = (unix_milliseconds(), Instant::now());
        let mut span = Span::within(Work::Webhook);
        span.text("fanfare.app", || app.as_str());
        span.number("fanfare.events", || request.events as u64);
        let answered = match request.to(url) {
            Some(mut http) => {
                say_request(&mut span, &mut http, request.failed);
                let bounds = Bounds { time: timeout, bytes: MOST_ANSWER };
                client.with_beginning(http, bounds, MOST_KEPT).await
            }
            None => Err(OutgoingError::Unreachable("no URL".to_owned())),
        };
        let took = began.elapsed();
        let (outcome, answer) = match answered {
            Ok((head, answer)) => {
                span.number("http.response.status_code", || head.status.as_u16().into());
                (delivered(&head), Some(answer.into()))
            }
            Err(error) => (Err(Failure::NoAnswer(error)), None),
        };
        if let Err(failure) = &outcome {
            span.failed(|| failure.word());
        }
        Self { at, took, outcome, answer }
    }

    /// An attempt that was not made, or broken off after this time.
    pub fn given_up(failure: Failure, took: Duration) -> Self {
        Self { at: unix_milliseconds(), took, outcome: Err(failure), answer: None }
    }

    /// What is kept of the attempt; the history gives the number.
    pub fn of(&self, request: &Prepared, again: bool) -> Delivery {
        let failure = self.outcome.as_ref().err();
        let text = failure.map(|failure| failure.to_string().replace(char::is_control, " "));
        Delivery {
            number: 0,
            at: self.at,
            request: Some(request.id()),
            names: request.names,
            events: u32::try_from(request.events).unwrap_or(u32::MAX),
            attempt: request.failed.saturating_add(1),
            test: false,
            status: self.outcome.as_ref().map_or_else(|failure| failure.status(), |status| Some(*status)),
            cause: failure.map(|failure| failure.cause()),
            text: text.map(|text| shortened(&text, MOST_TEXT).into()).unwrap_or_default(),
            took: u32::try_from(self.took.as_millis()).unwrap_or(u32::MAX),
            again,
            answer: self.answer.as_deref().map(|answer| request.told(answer).into()),
            is_kept: false,
        }
    }
}

/// What OpenTelemetry's conventions say of a request, without the path and the query, which may hold a secret; and the header that
/// has the receiver's spans be parts of this one.
fn say_request<B>(span: &mut Span, request: &mut Request<B>, resent: u32) {
    span.text("http.request.method", || "POST");
    span.text("server.address", || request.uri().host().unwrap_or_default());
    span.number("server.port", || {
        let is_plain = request.uri().scheme_str() == Some("http");
        request.uri().port_u16().unwrap_or(if is_plain { 80 } else { 443 }).into()
    });
    if resent > 0 {
        span.number("http.request.resend_count", || resent.into());
    }
    let traceparent = span.traceparent().and_then(|header| HeaderValue::try_from(header).ok());
    if let Some(traceparent) = traceparent {
        request.headers_mut().insert(TRACEPARENT, traceparent);
    }
}

/// The status, if the answer means that the request was delivered (HOOK-022).
fn delivered(head: &Parts) -> Result<u16, Failure> {
    let status = head.status.as_u16();
    match head.status {
        ok if ok.is_success() => Ok(status),
        StatusCode::NOT_MODIFIED => Err(Failure::Status(status)),
        elsewhere if elsewhere.is_redirection() => {
            let target = head.headers.get(LOCATION).and_then(|target| target.to_str().ok());
            // A query may hold a secret.
            let target = target.and_then(|target| target.split(['?', '#']).next());
            let to = target.map(|target| format!(" to {}", shortened(target, MOST_TARGET)));
            Err(Failure::Redirect { status, to: to.unwrap_or_default() })
        }
        _ => Err(Failure::Status(status)),
    }
}

impl Failure {
    pub const fn cause(&self) -> DeliveryCause {
        match self {
            Self::NoAnswer(error) => match error {
                OutgoingError::NameNotFound(_) => DeliveryCause::NameNotFound,
                OutgoingError::Refused => DeliveryCause::Refused,
                OutgoingError::Unreachable(_) => DeliveryCause::Unreachable,
                OutgoingError::NotPublic(_) => DeliveryCause::ForbiddenAddress,
                OutgoingError::Tls(fault) => match fault {
                    TlsFault::Expired | TlsFault::NotValidYet => DeliveryCause::CertificateExpired,
                    TlsFault::UnknownIssuer => DeliveryCause::CertificateUnknownIssuer,
                    TlsFault::WrongName(_) => DeliveryCause::CertificateWrongName,
                    TlsFault::OfAuthority | TlsFault::Refused(_) => DeliveryCause::Certificate,
                    TlsFault::NoTls | TlsFault::Alert(_) | TlsFault::Other(_) => DeliveryCause::Tls,
                },
                OutgoingError::TimedOut(_) => DeliveryCause::TimedOut,
                OutgoingError::TooLarge(_) | OutgoingError::Broken(_) => DeliveryCause::Broken,
            },
            Self::Status(_) => DeliveryCause::Status,
            Self::Redirect { .. } => DeliveryCause::Redirect,
            Self::Late => DeliveryCause::TooLate,
            Self::Crowded => DeliveryCause::Crowded,
        }
    }

    /// The status of the answer, or the cause in a word.
    fn word(&self) -> String {
        let cause = self.cause();
        self.status().map_or_else(
            || fmt::from_fn(|formatter| cause.serialize(formatter)).to_string(),
            |status| status.to_string(),
        )
    }

    /// The status of the answer, if one came.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Status(status) | Self::Redirect { status, .. } => Some(*status),
            _ => None,
        }
    }
}
