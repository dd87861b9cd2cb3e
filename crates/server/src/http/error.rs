//! What a caller of the HTTP API did wrong: the one table of its statuses and sentences.

use std::borrow::Cow;

use fanfare_protocol::auth::RequestError;
use fanfare_protocol::channel::InvalidName;
use fanfare_protocol::close::shortened;
use fanfare_protocol::error::{NOTHING_AT, OverQuota, invalid_name};
use fanfare_protocol::event_name::InvalidEventName;
use hyper::header::{ALLOW, CONNECTION, HeaderValue, UPGRADE};
use hyper::{Method, StatusCode};

use super::answer::{self, Answer};
use super::body::BodyError;
use super::host::{self, FaultyHost};

/// A request that is refused; nothing has been published then.
#[derive(Debug)]
pub enum ApiError {
    /// 404: no such path; as it came.
    NoRoute(String),
    /// 400: the header `Host` is missing, doubled, or no host (RFC 9112, 3.2).
    FaultyHost,
    /// 405: the path is right, the method is not; the one that is (API-009).
    MethodNotAllowed(Method),
    /// 426: a plain GET of the WebSocket's address (WS-008).
    WebSocketOnly,
    /// 400: a WebSocket handshake with faulty headers.
    BadHandshake,
    /// 400: a WebSocket handshake that has a body.
    HandshakeWithBody,
    /// 426: a WebSocket handshake in HTTP/1.0, which knows no upgrade.
    HandshakeInOldHttp,
    /// 404: no app has this id (API-008).
    UnknownApp(String),
    /// 404: no app has this key.
    UnknownKey(String),
    /// 403: the app is switched off.
    AppDisabled,
    /// 403: the app has had all the messages that it may (API-005).
    OverQuota(OverQuota),
    /// 503: the app could not be looked up.
    AppsUnavailable,
    /// 401: the signature, or what belongs to it (AUTH-010).
    Unauthorized(RequestError),
    /// 413: the request's body is too large.
    RequestTooBig {
        /// The setting `limits.request_bytes`.
        limit: usize,
        /// What was announced, if anything was.
        size: Option<u64>,
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
    /// 400: LIM-001, LIM-015 (API-020).
    InvalidChannelName {
        /// As it came.
        name: String,
        /// What it breaks.
        fault: InvalidName,
    },
    /// 400: LIM-004, LIM-007.
    InvalidEventName(InvalidEventName),
    /// 413: LIM-010 (API-017).
    EventTooBig {
        /// The setting `limits.event_bytes`.
        limit: usize,
        /// What came.
        size: usize,
    },
    /// 400: the raw data of an event is not UTF-8 (API-070).
    NotUtf8,
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
            Self::NoRoute(_) | Self::UnknownApp(_) | Self::UnknownKey(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::WebSocketOnly | Self::HandshakeInOldHttp => StatusCode::UPGRADE_REQUIRED,
            Self::AppDisabled | Self::OverQuota(_) => StatusCode::FORBIDDEN,
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
        Cow::Borrowed(match self {
            Self::FaultyHost => host::FAULT,
            Self::WebSocketOnly => {
                "This is the address of a WebSocket: a proxy in between must pass on the headers \
                 `Connection: Upgrade` and `Upgrade: websocket`"
            }
            Self::BadHandshake => {
                "A WebSocket handshake needs Sec-WebSocket-Key and Sec-WebSocket-Version: 13"
            }
            Self::HandshakeWithBody => "A WebSocket handshake has no body",
            Self::HandshakeInOldHttp => {
                "This WebSocket handshake came in HTTP/1.0, which knows no WebSockets: a proxy in between must speak \
                 HTTP/1.1; with nginx, put `proxy_http_version 1.1;` beside the headers Upgrade and Connection"
            }
            Self::AppDisabled => "This app is disabled",
            Self::AppsUnavailable => "Apps cannot be looked up at the moment; try again",
            Self::BodyTimeout => "The request body did not arrive in time",
            Self::BodyBroken => "The request body could not be read",
            Self::NotJson => "The request body must be a JSON object",
            Self::NotUtf8 => "The data of an event must be UTF-8",
            Self::NoChannel => "Expected channels parameter to name at least one channel",
            Self::UserCountNeedsPresence => {
                "The attribute user_count exists on presence channels only: \
                 filter_by_prefix must begin with presence-"
            }
            Self::CacheNeedsCacheChannel => "The attribute cache exists on cache channels only",
            Self::UsersNeedPresence => "Users can only be retrieved for presence channels",
            _ => return Cow::Owned(self.message_with_parts()),
        })
    }

    /// The sentence of those that name what came, or what would be allowed.
    fn message_with_parts(&self) -> String {
        match self {
            Self::InvalidEventName(fault) => fault.to_string(),
            Self::NoRoute(path) => format!("{NOTHING_AT}: {}", shortened(path, 200)),
            Self::MethodNotAllowed(method) => {
                format!("This path answers to {} only", allowed(method).replace(", ", " and "))
            }
            Self::UnknownApp(id) => format!("There is no app with the id {}", shortened(id, 100)),
            Self::UnknownKey(key) => format!("There is no app with the key {}", shortened(key, 100)),
            Self::Unauthorized(error) => error.message().into(),
            Self::OverQuota(over) => over.to_string(),
            Self::RequestTooBig { limit, size } => {
                let size = size.map(|size| format!(" of {size} bytes")).unwrap_or_default();
                format!(
                    "The request body{size} exceeds the allowed maximum \
                     ({limit} bytes, setting limits.request_bytes)"
                )
            }
            Self::WrongType { field, expected } => format!("Expected {field} parameter to be {expected}"),
            Self::InvalidChannelName { name, fault } => invalid_name(name, *fault),
            Self::EventTooBig { limit, size } => format!(
                "The data content of this event exceeds the allowed maximum ({limit} bytes). See \
                 https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info \
                 (this event: {size} bytes, setting limits.event_bytes)"
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
            Self::FaultyHost
            | Self::WebSocketOnly
            | Self::BadHandshake
            | Self::HandshakeWithBody
            | Self::HandshakeInOldHttp
            | Self::AppDisabled
            | Self::AppsUnavailable
            | Self::BodyTimeout
            | Self::BodyBroken
            | Self::NotJson
            | Self::NotUtf8
            | Self::NoChannel
            | Self::UserCountNeedsPresence
            | Self::CacheNeedsCacheChannel
            | Self::UsersNeedPresence => self.message().into_owned(),
        }
    }

    /// The whole answer.
    #[must_use]
    pub fn into_answer(self) -> Answer {
        let mut answer = answer::text(self.status(), &self.message());
        let headers = answer.headers_mut();
        match self {
            Self::MethodNotAllowed(method) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed(&method)));
            }
            Self::WebSocketOnly | Self::HandshakeInOldHttp => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            }
            // What is left of the body is not read, so the connection cannot be used again.
            Self::RequestTooBig { .. }
            | Self::BodyTimeout
            | Self::BodyBroken
            | Self::FaultyHost
            | Self::HandshakeWithBody => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        answer
    }
}

/// What a 405 allows: where a route answers to GET, it answers to HEAD.
fn allowed(method: &Method) -> &'static str {
    if *method == Method::GET { "GET, HEAD" } else { "POST" }
}

impl From<FaultyHost> for ApiError {
    fn from(FaultyHost: FaultyHost) -> Self {
        Self::FaultyHost
    }
}

impl From<InvalidEventName> for ApiError {
    fn from(fault: InvalidEventName) -> Self {
        Self::InvalidEventName(fault)
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooBig { limit, size } => Self::RequestTooBig { limit, size },
            BodyError::Late => Self::BodyTimeout,
            BodyError::Broken => Self::BodyBroken,
        }
    }
}
