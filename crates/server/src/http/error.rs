//! Errors of HTTP API requests: the one table of their statuses and sentences.

use fanfare_node::census::Unanswered;
use fanfare_node::refusals::RefusalKind;
use fanfare_protocol::auth::RequestError;
use fanfare_protocol::channel::InvalidName;
use fanfare_protocol::close::shortened;
use fanfare_protocol::error::{NOTHING_AT, NUMBERS_AWAY, OverQuota, invalid_name};
use fanfare_protocol::event_name::InvalidEventName;
use fanfare_protocol::idempotency::LONGEST_IDEMPOTENCY_KEY;
use fanfare_webhooks::NotTested;
use hyper::StatusCode;
use hyper::header::{ALLOW, CONNECTION, HeaderValue, RETRY_AFTER, UPGRADE};

use super::answer::{self, Answer};
use super::body::BodyError;
use super::given::FaultyQuery;
use super::host::{self, FaultyHost};

/// A refused request; nothing has been published then.
///
/// `Display` is the sentence of the answer. The sentence may repeat input, a signature too, which no log may.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 404: no such path; the path as sent.
    #[error("{NOTHING_AT}: {}", shortened(.0, 200))]
    NoRoute(String),
    /// 400: the header `Host` is missing, doubled, or no host (RFC 9112, 3.2).
    #[error("{}", host::FAULT)]
    FaultyHost,
    /// 405: the path is right, the method is not; the right ones, as in the header `Allow` (API-009).
    #[error("This path answers to {} only", .0.replace(", ", " and "))]
    MethodNotAllowed(&'static str),
    /// 426: a plain GET of the WebSocket's address (WS-008).
    #[error(
        "This is the address of a WebSocket: a proxy in between must pass on the headers \
         `Connection: Upgrade` and `Upgrade: websocket`"
    )]
    WebSocketOnly,
    /// 400: a WebSocket handshake with faulty headers.
    #[error("A WebSocket handshake needs Sec-WebSocket-Key and Sec-WebSocket-Version: 13")]
    BadHandshake,
    /// 400: a WebSocket handshake that has a body.
    #[error("A WebSocket handshake has no body")]
    HandshakeWithBody,
    /// 426: a WebSocket handshake in HTTP/1.0, which has no upgrade.
    #[error(
        "This WebSocket handshake came in HTTP/1.0, which knows no WebSockets: a proxy in between must speak \
         HTTP/1.1; with nginx, put `proxy_http_version 1.1;` beside the headers Upgrade and Connection"
    )]
    HandshakeInOldHttp,
    /// 404: no app has this id (API-008).
    #[error("There is no app with the id {}", shortened(.0, 100))]
    UnknownApp(String),
    /// 404: no app has this key.
    #[error("There is no app with the key {}", shortened(.0, 100))]
    UnknownKey(String),
    /// 403: the app is disabled.
    #[error("This app is disabled")]
    AppDisabled,
    /// 403: the app is over its quota of messages (API-005).
    #[error(transparent)]
    OverQuota(OverQuota),
    /// 503: the app could not be looked up.
    #[error("Apps cannot be looked up at the moment; try again")]
    AppsUnavailable,
    /// 503: the other nodes' part of an answer cannot be read (CL-021).
    #[error("{NUMBERS_AWAY}")]
    ClusterUnavailable,
    /// 401: the signature, or a parameter of the signature (AUTH-010).
    #[error("{}", .0.message())]
    Unauthorized(RequestError),
    /// 413: the request's body is too large.
    #[error(
        "The request body{} exceeds the allowed maximum ({limit} bytes, setting limits.request_bytes)",
        announced(*.size)
    )]
    RequestTooBig {
        /// The setting `limits.request_bytes`.
        limit: usize,
        /// The announced size, if any.
        size: Option<u64>,
    },
    /// 408: the body timed out.
    #[error("The request body did not arrive in time")]
    BodyTimeout,
    /// 400: the body broke off, or is not HTTP.
    #[error("The request body could not be read")]
    BodyBroken,
    /// 400: the body is no JSON object.
    #[error("The request body must be a JSON object")]
    NotJson,
    /// 400: a field is missing or of the wrong type (API-016).
    #[error("Expected {field} parameter to be {expected}")]
    WrongType {
        /// The field's name.
        field: &'static str,
        /// The expected type.
        expected: &'static str,
    },
    /// 400: LIM-001, LIM-015 (API-020).
    #[error("{}", invalid_name(.name, *.fault))]
    InvalidChannelName {
        /// The name, as sent.
        name: String,
        /// The broken rule.
        fault: InvalidName,
    },
    /// 400: LIM-004, LIM-007.
    #[error(transparent)]
    InvalidEventName(#[from] InvalidEventName),
    /// 413: LIM-010 (API-017).
    #[error(
        "The data content of this event exceeds the allowed maximum ({limit} bytes). See \
         https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info \
         (this event: {size} bytes, setting limits.event_bytes)"
    )]
    EventTooBig {
        /// The setting `limits.event_bytes`.
        limit: usize,
        /// The event's size.
        size: usize,
    },
    /// 400: the raw data of an event is not UTF-8 (API-070).
    #[error("The data of an event must be UTF-8")]
    NotUtf8,
    /// 400: LIM-013 (API-021).
    #[error(
        "An event may be published to at most {limit} channels, not {given} \
         (setting limits.channels_per_event)"
    )]
    TooManyChannels {
        /// The setting `limits.channels_per_event`.
        limit: usize,
        /// The number given.
        given: usize,
    },
    /// No test event was sent to a webhook (CON-054).
    #[error("{0}")]
    NotTested(NotTested),
    /// 400: no channel at all (API-021).
    #[error("Expected channels parameter to name at least one channel")]
    NoChannel,
    /// 400: LIM-011.
    #[error("A batch may have at most {limit} events, not {given} (setting limits.batch)")]
    BatchTooBig {
        /// The setting `limits.batch`.
        limit: usize,
        /// The number given.
        given: usize,
    },
    /// 400: an attribute that this channel, or this filter, cannot have (API-031, API-036).
    #[error(
        "The attribute user_count exists on presence channels only: \
         filter_by_prefix must begin with presence-"
    )]
    UserCountNeedsPresence,
    /// 400: `cache` of a channel without a cache (API-036).
    #[error("The attribute cache exists on cache channels only")]
    CacheNeedsCacheChannel,
    /// 400: users of a channel that is not a presence channel (API-041).
    #[error("Users can only be retrieved for presence channels")]
    UsersNeedPresence,
    /// 400: an idempotency key that is none (API-022).
    #[error("An idempotency key has 1 to {LONGEST_IDEMPOTENCY_KEY} printable characters of ASCII")]
    InvalidKey,
    /// 409: the first request with the idempotency key is under way (API-023).
    #[error("The first request with this idempotency key is under way; try again")]
    KeyUnderWay,
    /// 422: the idempotency key was used with another request (API-023).
    #[error("This idempotency key was used with another request in the last five minutes")]
    KeyOfOtherRequest,
    /// 400: nobody is asked about, or too many users are (API-042).
    #[error(
        "Expected ids parameter to name 1 to {limit} users, not {given}: GET with ids parted by commas for up to 100, \
         POST of {{\"ids\":[…]}} for up to 10000"
    )]
    UserIds {
        /// The most of the request's method.
        limit: usize,
        /// The number given.
        given: usize,
    },
    /// 400: parameters of a list that are unknown or have illegal values (CON-025).
    #[error("The query has faults: {0}")]
    FaultyQuery(String),
    /// 404: no connection with this socket id is open.
    #[error("No connection {} is open", shortened(.0, 50))]
    NoSuchConnection(String),
    /// 400: query parameters that the endpoint does not take (API-007).
    #[error("The following query string parameters are extraneous: {0}")]
    Extraneous(String),
}

impl From<Unanswered> for ApiError {
    fn from(_: Unanswered) -> Self {
        Self::ClusterUnavailable
    }
}

impl ApiError {
    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NoRoute(_)
            | Self::UnknownApp(_)
            | Self::UnknownKey(_)
            | Self::NoSuchConnection(_)
            | Self::NotTested(NotTested::NoWebhooks | NotTested::NoSuchWebhook(_)) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::WebSocketOnly | Self::HandshakeInOldHttp => StatusCode::UPGRADE_REQUIRED,
            Self::AppDisabled | Self::OverQuota(_) => StatusCode::FORBIDDEN,
            Self::AppsUnavailable | Self::ClusterUnavailable | Self::NotTested(NotTested::Busy) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::RequestTooBig { .. } | Self::EventTooBig { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::KeyUnderWay | Self::NotTested(NotTested::AllDisabled(_) | NotTested::NoKey) => {
                StatusCode::CONFLICT
            }
            Self::NotTested(NotTested::TooOften(_)) => StatusCode::TOO_MANY_REQUESTS,
            Self::KeyOfOtherRequest => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The cause in one word, for operators.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NoRoute(_) => "no_route",
            Self::FaultyHost => "faulty_host",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::WebSocketOnly => "websocket_only",
            Self::BadHandshake => "bad_handshake",
            Self::HandshakeWithBody => "handshake_with_body",
            Self::HandshakeInOldHttp => "handshake_in_old_http",
            Self::UnknownApp(_) => "unknown_app",
            Self::UnknownKey(_) => "unknown_key",
            Self::AppDisabled => "app_disabled",
            Self::OverQuota(_) => "over_message_quota",
            Self::AppsUnavailable => "apps_unavailable",
            Self::ClusterUnavailable => "cluster_unavailable",
            Self::Unauthorized(error) => error.label(),
            Self::RequestTooBig { .. } => "request_too_big",
            Self::BodyTimeout => "body_timeout",
            Self::BodyBroken => "body_broken",
            Self::NotJson => "not_json",
            Self::WrongType { .. } => "wrong_type",
            Self::InvalidChannelName { .. } => "invalid_channel_name",
            Self::InvalidEventName(_) => "invalid_event_name",
            Self::EventTooBig { .. } => "event_too_big",
            Self::NotUtf8 => "not_utf8",
            Self::TooManyChannels { .. } => "too_many_channels",
            Self::NotTested(_) => "not_tested",
            Self::NoChannel => "no_channel",
            Self::BatchTooBig { .. } => "batch_too_big",
            Self::UserCountNeedsPresence | Self::CacheNeedsCacheChannel => "attribute",
            Self::UsersNeedPresence => "users_need_presence",
            Self::InvalidKey | Self::KeyUnderWay | Self::KeyOfOtherRequest => "idempotency_key",
            Self::UserIds { .. } => "user_ids",
            Self::Extraneous(_) => "extraneous_parameters",
            Self::FaultyQuery(_) => "faulty_query",
            Self::NoSuchConnection(_) => "no_such_connection",
        }
    }

    /// The kind of refusal that operators are told of a back end's request.
    #[must_use]
    pub const fn refusal_kind(&self) -> RefusalKind {
        match self {
            Self::OverQuota(_) => RefusalKind::Quota,
            _ => RefusalKind::Http,
        }
    }

    /// The whole answer.
    #[must_use]
    pub fn into_answer(self) -> Answer {
        let mut answer = answer::text(self.status(), &self.to_string());
        let headers = answer.headers_mut();
        match self {
            Self::MethodNotAllowed(allowed) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::NotTested(NotTested::TooOften(wait)) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
            }
            Self::WebSocketOnly | Self::HandshakeInOldHttp => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            }
            // The rest of the body is not read, so the connection cannot be reused.
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

/// The announced size of a body, if any.
fn announced(size: Option<u64>) -> String {
    size.map(|size| format!(" of {size} bytes")).unwrap_or_default()
}

impl From<FaultyHost> for ApiError {
    fn from(FaultyHost: FaultyHost) -> Self {
        Self::FaultyHost
    }
}

impl From<FaultyQuery> for ApiError {
    fn from(FaultyQuery(faults): FaultyQuery) -> Self {
        Self::FaultyQuery(shortened(&faults.join("; "), 500).into_owned())
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
