//! What a caller of the HTTP API did wrong: the one table of its statuses and sentences.

use std::borrow::Cow;

use fanfare_protocol::app::Limits;
use fanfare_protocol::auth::RequestError;
use fanfare_protocol::close::shortened;
use hyper::header::{ALLOW, CONNECTION, HeaderValue, UPGRADE};
use hyper::{Method, StatusCode};

use super::answer::{self, Answer};

/// A request that is refused; nothing has been published then.
#[derive(Debug)]
pub enum ApiError {
    /// 404: no such path.
    NoRoute,
    /// 405: the path is right, the method is not (API-009).
    MethodNotAllowed(Method),
    /// 426: a plain GET of the WebSocket's address (WS-008).
    WebSocketOnly,
    /// 400: a WebSocket handshake with faulty headers.
    BadHandshake,
    /// 404: no app has this id (API-008).
    UnknownApp(String),
    /// 403: the app is switched off.
    AppDisabled,
    /// 503: the app could not be looked up.
    AppsUnavailable,
    /// 401: the signature, or what belongs to it (AUTH-010).
    Unauthorized(RequestError),
    /// 413: the request's body is too large.
    RequestTooBig {
        /// The setting `limits.request_bytes`.
        limit: usize,
    },
    /// 408: the body did not come.
    BodyTimeout,
    /// 400: the body broke off, or is not HTTP.
    BodyBroken,
    /// 400: the body is no JSON object.
    NotJson,
    /// 400: a field is missing or of the wrong type (API-016).
    WrongType {
        /// Its name.
        field: &'static str,
        /// What it is to be.
        expected: &'static str,
    },
    /// 400: LIM-001 (API-020).
    InvalidChannelName(String),
    /// 400: LIM-004, LIM-007.
    InvalidEventName(Cow<'static, str>),
    /// 413: LIM-010 (API-017).
    EventTooBig {
        /// The setting `limits.event_bytes`.
        limit: usize,
    },
    /// 400: LIM-013 (API-021).
    TooManyChannels {
        /// The setting `limits.channels_per_event`.
        limit: usize,
        /// How many came.
        given: usize,
    },
    /// 400: no channel at all (API-021).
    NoChannel,
    /// 400: LIM-011.
    BatchTooBig {
        /// The setting `limits.batch`.
        limit: usize,
        /// How many came.
        given: usize,
    },
    /// 400: an attribute that this channel, or this filter, cannot have (API-031, API-036).
    UserCountNeedsPresence,
    /// 400: `cache` of a channel that is not a cache channel (API-036).
    CacheNeedsCacheChannel,
    /// 400: users of a channel that is not a presence channel (API-041).
    UsersNeedPresence,
    /// 400: query parameters that the endpoint does not take (API-007).
    Extraneous(String),
}

impl ApiError {
    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NoRoute | Self::UnknownApp(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::WebSocketOnly => StatusCode::UPGRADE_REQUIRED,
            Self::AppDisabled => StatusCode::FORBIDDEN,
            Self::AppsUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::RequestTooBig { .. } | Self::EventTooBig { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The sentence of the answer.
    #[must_use]
    pub fn message(&self) -> Cow<'static, str> {
        let text = match self {
            Self::NoRoute => return Cow::Borrowed("There is nothing at this path"),
            Self::WebSocketOnly => {
                return Cow::Borrowed(
                    "This is the address of a WebSocket: a proxy in between must pass on the headers \
                     `Connection: Upgrade` and `Upgrade: websocket`",
                );
            }
            Self::BadHandshake => {
                return Cow::Borrowed(
                    "A WebSocket handshake needs Sec-WebSocket-Key and Sec-WebSocket-Version: 13",
                );
            }
            Self::AppDisabled => return Cow::Borrowed("This app is disabled"),
            Self::AppsUnavailable => {
                return Cow::Borrowed("Apps cannot be looked up at the moment; try again");
            }
            Self::BodyTimeout => return Cow::Borrowed("The request body did not arrive in time"),
            Self::BodyBroken => return Cow::Borrowed("The request body could not be read"),
            Self::NotJson => return Cow::Borrowed("The request body must be a JSON object"),
            Self::NoChannel => {
                return Cow::Borrowed("Expected channels parameter to name at least one channel");
            }
            Self::UserCountNeedsPresence => {
                return Cow::Borrowed(
                    "The attribute user_count exists on presence channels only: \
                     filter_by_prefix must begin with presence-",
                );
            }
            Self::CacheNeedsCacheChannel => {
                return Cow::Borrowed("The attribute cache exists on cache channels only");
            }
            Self::UsersNeedPresence => {
                return Cow::Borrowed("Users can only be retrieved for presence channels");
            }
            Self::InvalidEventName(why) => return why.clone(),
            Self::MethodNotAllowed(method) => format!("This path answers to {method} only"),
            Self::UnknownApp(id) => format!("There is no app with the id {}", shortened(id, 100)),
            Self::Unauthorized(error) => error.message().into(),
            Self::RequestTooBig { limit } => format!(
                "The request body exceeds the allowed maximum ({limit} bytes, setting limits.request_bytes)"
            ),
            Self::WrongType { field, expected } => format!("Expected {field} parameter to be {expected}"),
            Self::InvalidChannelName(name) => format!("Invalid channel name: {}", shortened(name, 200)),
            Self::EventTooBig { limit } => format!(
                "The data content of this event exceeds the allowed maximum ({limit} bytes). See \
                 https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info"
            ),
            Self::TooManyChannels { limit, given } => format!(
                "An event may be published to at most {limit} channels, not {given} \
                 (setting limits.channels_per_event)"
            ),
            Self::BatchTooBig { limit, given } => {
                format!("A batch may have at most {limit} events, not {given} (setting limits.batch)")
            }
            Self::Extraneous(names) => {
                format!("The following query string parameters are extraneous: {names}")
            }
        };
        Cow::Owned(text)
    }

    /// The whole answer.
    #[must_use]
    pub fn into_answer(self) -> Answer {
        let mut answer = answer::text(self.status(), &self.message());
        let headers = answer.headers_mut();
        match self {
            Self::MethodNotAllowed(method) => {
                let allowed =
                    HeaderValue::from_str(method.as_str()).expect("a method's name is a header value");
                headers.insert(ALLOW, allowed);
            }
            Self::WebSocketOnly => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            }
            // What is left of the body is not read, so the connection cannot be used again.
            Self::RequestTooBig { .. } | Self::BodyTimeout | Self::BodyBroken => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        answer
    }
}

/// Checks the name of an event (LIM-004, LIM-007).
///
/// # Errors
/// Empty, longer than the app's limit in characters, or reserved for the protocol.
pub fn check_event_name(name: &str, limits: &Limits) -> Result<(), ApiError> {
    let length = name.chars().count();
    let fault: Cow<'static, str> = if name.is_empty() {
        "Expected name parameter not to be empty".into()
    } else if length > limits.event_name {
        let limit = limits.event_name;
        format!("The event name of {length} characters exceeds the allowed maximum ({limit}, setting limits.event_name)")
            .into()
    } else if name.starts_with("pusher:") || name.starts_with("pusher_internal:") {
        "Event names beginning with pusher: and pusher_internal: are reserved".into()
    } else {
        return Ok(());
    };
    Err(ApiError::InvalidEventName(fault))
}
