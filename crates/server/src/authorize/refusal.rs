//! Why nothing is signed: the client's answer, and the reason in the log.

use std::net::IpAddr;

use fanfare_laravel::authorize::{Denial, DenialKind};
use fanfare_node::Node;
use fanfare_node::refusals::{NotedRefusal, RefusalKind};
use fanfare_node::tenants::AuthorizationOutcome;
use fanfare_protocol::channel::InvalidName;
use fanfare_protocol::close::shortened;
use fanfare_protocol::error::invalid_name;
use fanfare_protocol::ids::AppId;
use hyper::StatusCode;
use hyper::header::{CONNECTION, HeaderValue, RETRY_AFTER};

use crate::http::answer::{self, Answer};
use crate::http::body::BodyError;
use crate::http::error::ApiError;
use crate::log::unknown_key;

/// The largest body; a form has some hundred bytes, and other fields are not passed on.
pub(super) const BODY_BYTES: usize = 16 * 1024;

/// A request that is not signed. `Display` is for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Api(ApiError),
    #[error("the app is disabled")]
    AppDisabled,
    #[error("the application is not asked: the app has no {0}")]
    NotConfigured(&'static str),
    #[error("pages of {} may not ask: list the origin in authorization.origins", shortened(.0, 200))]
    Origin(String),
    #[error("the request has no body to work with: {0:?}")]
    Body(BodyError),
    #[error("the request's body is neither a form nor a JSON object of texts")]
    NotAForm,
    #[error("the request has no {0}")]
    Missing(&'static str),
    #[error("socket_id is not one that a server gives out")]
    NotASocketId,
    #[error("the channel's name is no legal one")]
    InvalidChannel { name: String, fault: InvalidName },
    #[error("the channel's name begins with neither private- nor presence-: the application was not asked")]
    NotGuarded,
    #[error("a client of Laravel Echo's socket.io connector cannot decrypt: the application was not asked")]
    Unreadable,
    #[error("the channel's name holds the prefix that channels have in Redis: the application was not asked")]
    HoldsPrefix,
    #[error(
        "the application was not asked: too many others are waiting for it, or waited too long (settings \
         limits.authorizations, limits.authorizations_waiting, limits.authorizations_node)"
    )]
    Busy,
    #[error(
        "the application was not asked: too many questions of the client's address are waiting for it (each address has a \
         share of limits.authorizations_waiting and limits.authorizations_node)"
    )]
    BusyAddress,
    // Boxed: the variant is much larger than the others.
    #[error("{denial}")]
    Denied {
        denial: Box<Denial>,
        /// Host and port that were asked, for the log.
        asked: Box<str>,
    },
}

/// Who has put a question, in words of the client's, and from where.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub channel: &'a str,
    pub socket: &'a str,
    pub address: IpAddr,
}

impl Refusal {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Api(error) => error.status(),
            Self::NotConfigured(_) => StatusCode::NOT_FOUND,
            Self::AppDisabled | Self::Origin(_) | Self::NotGuarded | Self::HoldsPrefix | Self::Unreadable => {
                StatusCode::FORBIDDEN
            }
            Self::Body(BodyError::TooBig { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::Late) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyError::Broken)
            | Self::NotAForm
            | Self::Missing(_)
            | Self::NotASocketId
            | Self::InvalidChannel { .. } => StatusCode::BAD_REQUEST,
            Self::Busy | Self::BusyAddress => StatusCode::SERVICE_UNAVAILABLE,
            Self::Denied { denial, .. } => {
                StatusCode::from_u16(denial.status()).unwrap_or(StatusCode::FORBIDDEN)
            }
        }
    }

    /// The reason for the log: without the whole of an unknown key, which may be a secret.
    pub fn reason(&self) -> String {
        match self {
            Self::Api(ApiError::UnknownKey(key)) => {
                ApiError::UnknownKey(unknown_key(key).into_owned()).to_string()
            }
            other => other.to_string(),
        }
    }

    /// As [`Self::reason`], and with what the question lacked, where that may be why the application knows nobody.
    pub fn reason_with(&self, missing: Option<&str>) -> String {
        match (self, missing) {
            (Self::Denied { denial, .. }, Some(missing)) if denial.may_mean_nobody() => {
                format!("{}; {missing}", self.reason())
            }
            _ => self.reason(),
        }
    }

    /// Host and port of the application, where that answered or could not be asked.
    pub fn asked(&self) -> Option<&str> {
        match self {
            Self::Denied { asked, .. } => Some(asked),
            _ => None,
        }
    }

    pub fn outcome(&self) -> AuthorizationOutcome {
        match self {
            Self::Busy | Self::BusyAddress => AuthorizationOutcome::Busy,
            Self::Denied { denial, .. } => match denial.kind() {
                DenialKind::Denied => AuthorizationOutcome::Denied,
                DenialKind::NotUnderstood => AuthorizationOutcome::NotUnderstood,
                DenialKind::Failed => AuthorizationOutcome::Failed,
                DenialKind::Late => AuthorizationOutcome::Late,
            },
            _ => AuthorizationOutcome::Refused,
        }
    }

    /// The cause in one word, for operators.
    fn cause(&self) -> &'static str {
        match self {
            Self::Api(error) => error.label(),
            Self::AppDisabled => "app_disabled",
            Self::NotConfigured(_) => "no_application",
            Self::Origin(_) => "page_origin",
            Self::Body(_)
            | Self::NotAForm
            | Self::Missing(_)
            | Self::NotASocketId
            | Self::InvalidChannel { .. } => "bad_request",
            Self::NotGuarded | Self::Unreadable | Self::HoldsPrefix => "not_asked",
            Self::Busy | Self::BusyAddress | Self::Denied { .. } => self.outcome().label(),
        }
    }

    /// Makes the refusal known to operators.
    pub fn note(&self, node: &Node, app: Option<&AppId>, asker: Asker<'_>, missing: Option<&str>) {
        let (reason, code) = (self.reason_with(missing), self.status().as_u16());
        let refusal = NotedRefusal {
            socket: asker.socket.parse().ok(),
            channel: Some(asker.channel).filter(|channel| !channel.is_empty()),
            address: Some(asker.address),
            ..NotedRefusal::new(RefusalKind::Authorization, Some(code), self.cause(), &reason)
        };
        node.note_refusal(app, &refusal);
    }

    /// One sentence for the client; details of the application stay in the log.
    fn sentence(&self) -> String {
        let text = match self {
            Self::Api(error) => return error.to_string(),
            Self::AppDisabled => "This app is disabled",
            Self::NotConfigured(setting) => {
                return format!("This app's application is not asked; set {setting} of the app to its URL");
            }
            Self::Origin(origin) => {
                return format!(
                    "Pages of the origin {} may not ask here (setting authorization.origins of the app)",
                    shortened(origin, 200)
                );
            }
            Self::Body(BodyError::TooBig { .. }) => {
                return format!("The request body exceeds the allowed maximum ({BODY_BYTES} bytes)");
            }
            Self::Body(BodyError::Late) => "The request body did not arrive in time",
            Self::Body(BodyError::Broken) => "The request body could not be read",
            Self::NotAForm => {
                "The request body must be a form or a JSON object with socket_id and channel_name"
            }
            Self::Missing(field) => return format!("Missing parameter: {field}"),
            Self::NotASocketId => "Invalid socket id: it is the one that the connection was given",
            Self::InvalidChannel { name, fault } => return invalid_name(name, *fault),
            Self::NotGuarded => "Only names that begin with private- or presence- are authorized",
            Self::Unreadable => "Encrypted channels cannot be read over Socket.IO",
            Self::HoldsPrefix => {
                "The channel is authorized under its name without the prefix it has in Redis"
            }
            Self::Busy | Self::BusyAddress => "The application is asked too much at the moment; try again",
            Self::Denied { denial, .. } => match denial.status() {
                401 => "The application wants its users to log in first",
                403 => "The application does not let this client in",
                419 => "The application wants a CSRF token",
                504 => "The application did not answer in time",
                502 => "The application could not be asked; the log of Fanfare says why",
                status => return format!("The application refused with {status}"),
            },
        };
        text.to_owned()
    }

    /// The whole answer.
    pub fn into_answer(self) -> Answer {
        if let Self::Api(error) = self {
            return error.into_answer();
        }
        let mut answer = answer::text(self.status(), &self.sentence());
        let headers = answer.headers_mut();
        match self {
            // The rest of the body is not read, so the connection cannot be reused.
            Self::Body(_) => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::Busy | Self::BusyAddress => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        answer
    }
}
