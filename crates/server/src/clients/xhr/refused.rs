//! Refused requests of the fallback: the one table of their statuses and sentences.

use fanfare_protocol::fallback::XhrSendFault;
use hyper::StatusCode;
use hyper::header::{ALLOW, CONNECTION, HeaderValue};

use crate::http::answer::{self, Answer};
use crate::http::body::BodyError;

/// Why a request is refused. pusher-js looks at nothing of it; people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum XhrRefusal {
    /// 404: switched off.
    #[error("This transport is not served here (setting listen.fallback)")]
    NotServed,
    /// 404: SockJS, which no setting switches on (FALLBACK-030).
    #[error(
        "SockJS is not served here: pusher-js connects by WebSocket, xhr_streaming or xhr_polling instead"
    )]
    NoSockJs,
    /// 404: the path names no session (FALLBACK-010).
    #[error("A session is a number from 0 to 999, a slash, and eight characters of 0-9 and a-v")]
    NoName,
    /// 404: no session has this name, or none any more (FALLBACK-012).
    #[error("There is no such session")]
    UnknownSession,
    /// 405.
    #[error("This path answers to POST and OPTIONS only")]
    MethodNotAllowed,
    /// 400 or 413: the messages (FALLBACK-012, FALLBACK-027).
    #[error("The request body must be a JSON array of strings: {0}")]
    Messages(#[from] XhrSendFault),
    /// 503: messages come faster than they are handled (FALLBACK-027).
    #[error("Messages come faster than they are handled")]
    TooFast,
    /// 400, 408 or 413: the body.
    #[error("The request body is too large (setting limits.request_bytes), or did not arrive whole in time")]
    Body(BodyError),
}

impl XhrRefusal {
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotServed | Self::NoSockJs | Self::NoName | Self::UnknownSession => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Messages(XhrSendFault::Malformed) | Self::Body(BodyError::Broken) => {
                StatusCode::BAD_REQUEST
            }
            Self::Messages(_) | Self::Body(BodyError::TooBig { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooFast => StatusCode::SERVICE_UNAVAILABLE,
            Self::Body(BodyError::Late) => StatusCode::REQUEST_TIMEOUT,
        }
    }

    pub fn into_answer(self) -> Answer {
        let mut answer = answer::text(self.status(), &self.to_string());
        match self {
            Self::MethodNotAllowed => {
                answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
            }
            // The rest of the body is not read, so the connection cannot be reused.
            Self::Body(_) => {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        answer
    }
}

impl From<BodyError> for XhrRefusal {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}
