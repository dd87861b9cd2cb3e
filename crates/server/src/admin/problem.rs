//! Refusals of operators' requests: problem details (RFC 9457), the one table of their statuses, types and
//! sentences. Holds no secret and no token.

use std::borrow::Cow;
use std::time::Duration;

use fanfare_apps::{OperationError, Scope};
use fanfare_node::taps::TooManyTaps;
use fanfare_protocol::close::shortened;
use fanfare_webhooks::{NotRepeated, NotTested};
use hyper::StatusCode;
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use super::often::MOST_LISTS;
use super::wrong_tokens::WrongOnes;
use crate::http::Answer;
use crate::http::ApiError;
use crate::http::answer::with_type;
use crate::http::body::BodyError;
use crate::http::given::FaultyQuery;
use crate::http::host;

/// Most bytes of a sentence that repeats input.
const LONGEST: usize = 500;

/// Why a request is refused; nothing has changed then, except after [`Problem::TooLate`].
///
/// `Display` is the sentence about this request, for the caller alone; logs get [`Problem::label`].
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// The header `Host` is missing, doubled, or no host.
    #[error("{}", host::FAULT)]
    FaultyHost,
    /// The request names this host, which is not allowed.
    #[error(
        "This listener does not answer to the host {}: ask by address or as localhost, or list the name \
         in listen.admin_hosts or console.hosts",
        shortened(.0, 200)
    )]
    ForeignHost(String),
    /// No route has this path.
    #[error("There is nothing at this path; /v1/openapi.json lists what there is")]
    NoSuchPath,
    /// The path exists, the method does not; the methods allowed.
    #[error("This path answers to {0} only")]
    MethodNotAllowed(String),
    /// No token was sent.
    #[error(
        "This request needs the header `Authorization: Bearer TOKEN`; `fanfare token create` makes a token"
    )]
    NoToken,
    /// The token is unknown, malformed, expired or revoked; the answer does not say which.
    #[error("This token is not valid")]
    WrongToken(WrongOnes),
    /// The address has to wait before its next token is checked.
    #[error("Too many wrong tokens have come from this address; no token is looked at until it has waited")]
    TooManyWrongTokens(Duration),
    /// The address has to wait before its next login.
    #[error("Too many logins from this address have failed; none is looked at until it has waited")]
    TooManyAttempts(Duration),
    /// The code of a link is unknown, used, or too old; the answer does not say which.
    #[error("This link has been used, or is older than five minutes: `fanfare console` prints another")]
    WrongCode(WrongOnes),
    /// The session has ended, or never was one; where the text can be no session's id, how often the address was wrong.
    #[error("This session has ended: log in again")]
    NoSession(Option<WrongOnes>),
    /// A change by a cookie may come from another page (CON-009).
    #[error("A change by a session needs its header X-CSRF-Token, and comes from the console's own pages")]
    Csrf,
    /// The page's address is not the one that was asked (CON-009).
    #[error(
        "The address of the page ({}) is not the Host that arrives ({}): let the proxy pass on Host with its port \
         ($http_host in nginx)",
        shortened(.page, 100),
        shortened(.host, 100)
    )]
    ForeignOrigin {
        /// The page's host and port, as its browser says.
        page: String,
        /// The host and port that were asked.
        host: String,
    },
    /// A cookie is sent for a page of another site (CON-081).
    #[error("A session is for the console's own pages")]
    CrossSite,
    /// A login over a connection that is not encrypted (CON-008).
    #[error(
        "Logging in from another machine needs TLS: put a proxy with TLS in front and list it in \
         listen.trusted_proxies, use a tunnel (ssh -L 9600:127.0.0.1:9600 HOST), or set console.plain_http"
    )]
    PlainHttp,
    /// The token lacks this scope.
    #[error("This token does not have the scope {0}")]
    ScopeMissing(Scope),
    /// A token is to be revoked by one that allows less.
    #[error(
        "Token {number} has the scope {scope}, which this token does not have: revoke it with one that has, or by \
         `fanfare token revoke {number}` on the server"
    )]
    StrongerToken {
        /// The number of the token that is to be revoked.
        number: i64,
        /// The first scope that only that token has.
        scope: Scope,
    },
    /// The token is bound to apps, and the request is about more than one of these (CON-086).
    #[error("This token is bound to apps; what is asked for is about the node or all apps")]
    NotForBoundTokens,
    /// Parameters that are unknown or have illegal values.
    #[error("The query has faults")]
    Query(Vec<String>),
    /// The body is missing or unusable.
    #[error("{}", about_body(.0))]
    Body(BodyError),
    /// The body is not JSON; the reason.
    #[error("The body is not JSON: {0}")]
    NotJson(String),
    /// The body is JSON, but no object.
    #[error("The body is no JSON object")]
    NotAnObject,
    /// No database is configured for tokens and apps.
    #[error(
        "No database is configured, so that there are no tokens and no apps that could be changed: set apps.database \
         (FANFARE__APPS__DATABASE) to sqlite, or for several nodes to one postgres://USER:PASSWORD@HOST/NAME, and \
         restart the server"
    )]
    NoDatabase,
    /// No database is configured for tokens, and the request is for the nodes, which are not in the database.
    #[error(
        "No database is configured, so that there are no tokens: set apps.database, or list the nodes without a \
         token by `fanfare cluster --json`"
    )]
    NoTokensForNodes,
    /// The database does not answer.
    #[error("The apps' database does not answer; nothing has been changed")]
    DatabaseAway,
    /// The database answers reads, but stores nothing.
    #[error(
        "The apps' database stores nothing: its disk is full, or it may only be read; nothing has been changed"
    )]
    DatabaseUnwritable,
    /// The entry that must come first is not in the audit log.
    #[error("The audit log cannot be written, and this is shown to nobody without an entry there")]
    NotAudited,
    /// The Redis between the nodes does not answer.
    #[error("The Redis between the nodes does not answer")]
    ClusterAway,
    /// The database works on the most requests allowed.
    #[error("Too many requests are under way; nothing has been changed")]
    Busy,
    /// The operation timed out; the operation may have been done after all.
    #[error("The apps' database has not answered in time; look whether what was asked for has been done")]
    TooLate,
    /// The server failed.
    #[error("The server has failed at this request; look whether what was asked for has been done")]
    Panic,
    /// The operation was refused.
    #[error("{}", about_operation(.0))]
    Operation(OperationError),
    /// The event was refused, for a reason of the HTTP API and with its sentence (CON-041).
    #[error("{0}")]
    NotPublished(ApiError),
    /// No connection with this socket id is open.
    #[error("No connection {} is open", shortened(.0, 50))]
    NoSuchConnection(String),
    /// The doctor is busy.
    #[error("The doctor examines this already, or as much as it may at once; try again")]
    Examining,
    /// There are as many live lists as there may be.
    #[error(transparent)]
    TooManyTaps(TooManyTaps),
    /// The token has to wait before it opens its next live list with payloads.
    #[error(
        "The token has opened {MOST_LISTS} live lists with payloads within a minute: wait before opening another"
    )]
    TooManyLists(Duration),
    /// What is asked for may be on a node that could not be asked; the sentence says more.
    #[error("Try again: {0}")]
    Perhaps(String),
    /// No test event was sent to a webhook.
    #[error("{0}")]
    NotTested(NotTested),
    /// A delivery of a webhook was not repeated.
    #[error("{0}")]
    NotRepeated(NotRepeated),
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::NoDatabase => Self::NoDatabase,
            OperationError::Database(error) => {
                tracing::warn!(target: "fanfare::admin", %error, "the apps' database has not done what was asked for");
                Self::DatabaseAway
            }
            OperationError::Unwritable(error) => {
                tracing::warn!(target: "fanfare::admin", %error, "the apps' database stores nothing");
                Self::DatabaseUnwritable
            }
            other => Self::Operation(other),
        }
    }
}

impl From<FaultyQuery> for Problem {
    fn from(FaultyQuery(faults): FaultyQuery) -> Self {
        Self::Query(faults)
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl Problem {
    /// The status, and the last part of the type.
    const fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::FaultyHost => (StatusCode::BAD_REQUEST, "faulty-host"),
            Self::ForeignHost(_) => (StatusCode::MISDIRECTED_REQUEST, "unknown-host"),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "no-such-path"),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed"),
            Self::NoToken => (StatusCode::UNAUTHORIZED, "no-token"),
            Self::WrongToken(_) | Self::WrongCode(_) => (StatusCode::UNAUTHORIZED, "wrong-token"),
            Self::TooManyWrongTokens(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-wrong-tokens"),
            Self::TooManyAttempts(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-attempts"),
            Self::NoSession(_) => (StatusCode::UNAUTHORIZED, "no-session"),
            Self::Csrf | Self::ForeignOrigin { .. } => (StatusCode::FORBIDDEN, "csrf"),
            Self::CrossSite => (StatusCode::FORBIDDEN, "cross-site"),
            Self::PlainHttp => (StatusCode::FORBIDDEN, "plain-http"),
            Self::ScopeMissing(_) | Self::StrongerToken { .. } => (StatusCode::FORBIDDEN, "scope-missing"),
            Self::NotForBoundTokens => (StatusCode::FORBIDDEN, "not-for-bound-tokens"),
            Self::Query(_) => (StatusCode::BAD_REQUEST, "faulty-query"),
            Self::Body(BodyError::TooBig { .. }) => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"),
            Self::Body(BodyError::Late) => (StatusCode::REQUEST_TIMEOUT, "body-late"),
            Self::Body(BodyError::Broken) => (StatusCode::BAD_REQUEST, "body-broken"),
            Self::NotJson(_) | Self::NotAnObject => (StatusCode::BAD_REQUEST, "not-json"),
            Self::NoDatabase | Self::NoTokensForNodes => (StatusCode::SERVICE_UNAVAILABLE, "no-database"),
            Self::DatabaseAway | Self::NotAudited => (StatusCode::SERVICE_UNAVAILABLE, "database-away"),
            Self::DatabaseUnwritable => (StatusCode::SERVICE_UNAVAILABLE, "database-unwritable"),
            Self::ClusterAway | Self::Perhaps(_) => (StatusCode::SERVICE_UNAVAILABLE, "cluster-away"),
            Self::NoSuchConnection(_) => (StatusCode::NOT_FOUND, "no-such-connection"),
            Self::TooManyTaps(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-taps"),
            Self::TooManyLists(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-lists"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::Examining => (StatusCode::TOO_MANY_REQUESTS, "too-many-examinations"),
            Self::TooLate => (StatusCode::SERVICE_UNAVAILABLE, "too-late"),
            Self::Panic => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
            Self::NotPublished(error) => (error.status(), not_published(error)),
            Self::NotTested(error) | Self::NotRepeated(NotRepeated::NotTested(error)) => not_tested(error),
            Self::NotRepeated(NotRepeated::NoSuchDelivery) => (StatusCode::NOT_FOUND, "no-such-delivery"),
            Self::NotRepeated(NotRepeated::HasSucceeded) => (StatusCode::CONFLICT, "not-failed"),
            Self::NotRepeated(NotRepeated::NotKept) => (StatusCode::CONFLICT, "not-kept"),
            Self::Operation(error) => match error {
                OperationError::Faults(_) => (StatusCode::UNPROCESSABLE_ENTITY, "faults"),
                OperationError::Taken(_) => (StatusCode::CONFLICT, "taken"),
                OperationError::NoSuchApp(_) => (StatusCode::NOT_FOUND, "no-such-app"),
                OperationError::NoSuchKey { .. } => (StatusCode::NOT_FOUND, "no-such-key"),
                OperationError::NoSuchToken(_) => (StatusCode::NOT_FOUND, "no-such-token"),
                OperationError::LastKey(_) => (StatusCode::CONFLICT, "last-key"),
                OperationError::ChangedMeanwhile(_) => (StatusCode::CONFLICT, "changed-meanwhile"),
                OperationError::NotAsRead(_) => (StatusCode::PRECONDITION_FAILED, "changed-meanwhile"),
                OperationError::NoMasterKey | OperationError::NewMasterKey(_) => {
                    (StatusCode::CONFLICT, "master-key")
                }
                OperationError::Fixed(_) => (StatusCode::CONFLICT, "configuration-app"),
                OperationError::NoDatabase | OperationError::Database(_) => {
                    (StatusCode::SERVICE_UNAVAILABLE, "database-away")
                }
                OperationError::Unwritable(_) => (StatusCode::SERVICE_UNAVAILABLE, "database-unwritable"),
                OperationError::Random(_) => (StatusCode::INTERNAL_SERVER_ERROR, "no-random-bytes"),
            },
        }
    }

    /// The last part of the type, for logs: the sentence may repeat input.
    pub const fn label(&self) -> &'static str {
        self.kind().1
    }

    fn faults(&self) -> Vec<Cow<'_, str>> {
        match self {
            Self::Query(faults)
            | Self::Operation(OperationError::Faults(faults) | OperationError::Taken(faults)) => {
                faults.iter().map(|fault| shortened(fault, LONGEST)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn json(&self) -> Value {
        let (status, kind) = self.kind();
        let mut json = json!({
            "type": format!("urn:fanfare:problem:{kind}"),
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": shortened(&self.to_string(), LONGEST),
            "faults": self.faults(),
        });
        match self {
            Self::TooManyTaps(TooManyTaps { holders }) => {
                json["holders"] = holders.iter().map(|name| shortened(name, LONGEST)).collect();
            }
            Self::WrongToken(of) | Self::WrongCode(of) | Self::NoSession(Some(of)) => {
                json["wrong"] = of.wrong.into();
                json["allowed"] = of.allowed.into();
            }
            _ => {}
        }
        json
    }

    /// The whole answer.
    pub fn into_answer(self) -> Answer {
        let body = format!("{}\n", self.json());
        let mut answer = with_type(self.kind().0, "application/problem+json", body.into());
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::MethodNotAllowed(allowed) => {
                let allowed = HeaderValue::from_str(&allowed).expect("names of methods are a header value");
                headers.insert(ALLOW, allowed);
            }
            Self::NoToken | Self::WrongToken(_) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::TooManyWrongTokens(wait)
            | Self::TooManyAttempts(wait)
            | Self::TooManyLists(wait)
            | Self::NotTested(NotTested::TooOften(wait))
            | Self::NotRepeated(NotRepeated::NotTested(NotTested::TooOften(wait))) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
            }
            Self::Examining => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            Self::Busy
            | Self::NotTested(NotTested::Busy)
            | Self::NotRepeated(NotRepeated::NotTested(NotTested::Busy)) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // The rest of the body is not read, so the connection cannot be reused.
            Self::Body(_) | Self::FaultyHost | Self::ForeignHost(_) => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        answer
    }
}

/// The status and the word for a test that was not sent.
const fn not_tested(error: &NotTested) -> (StatusCode, &'static str) {
    match error {
        NotTested::NoWebhooks | NotTested::NoSuchWebhook(_) => (StatusCode::NOT_FOUND, "no-such-webhook"),
        NotTested::AllDisabled(_) => (StatusCode::CONFLICT, "all-disabled"),
        NotTested::NoKey => (StatusCode::CONFLICT, "no-key"),
        NotTested::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        NotTested::TooOften(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-tests"),
    }
}

/// The word for a refusal of an event.
const fn not_published(error: &ApiError) -> &'static str {
    match error {
        ApiError::NotJson => "not-json",
        ApiError::WrongType { .. } => "wrong-type",
        ApiError::InvalidEventName(_) => "event-name",
        ApiError::InvalidChannelName { .. } => "channel-name",
        ApiError::NoChannel => "no-channel",
        ApiError::TooManyChannels { .. } => "too-many-channels",
        ApiError::EventTooBig { .. } => "event-too-large",
        ApiError::OverQuota(_) => "over-quota",
        ApiError::AppDisabled => "app-disabled",
        _ => "not-published",
    }
}

fn about_body(error: &BodyError) -> String {
    match error {
        BodyError::TooBig { limit, .. } => format!("The body is larger than {limit} bytes"),
        BodyError::Late => "The body did not arrive in time".to_owned(),
        BodyError::Broken => "The body could not be read".to_owned(),
    }
}

/// Several faults are listed beside the sentence.
fn about_operation(error: &OperationError) -> String {
    match error {
        OperationError::Faults(_) => "What was asked for has faults".to_owned(),
        OperationError::Taken(_) => "What was asked for belongs to somebody".to_owned(),
        other => other.to_string(),
    }
}
