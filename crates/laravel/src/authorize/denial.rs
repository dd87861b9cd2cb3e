//! Answers that are not a yes: the answer to the client, and the log line for the application's developer.

use fanfare_outgoing::OutgoingError;

/// Why a client is refused. The text is for the log: the application's answer and, where the cause is known,
/// what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// 401.
    #[error("the application answered 401: nobody is logged in, or the cookie or token did not reach it")]
    NotLoggedIn,
    /// 403.
    #[error(
        "the application answered 403: the channel's callback said no, no callback matches the name, or nobody \
         is logged in"
    )]
    Forbidden,
    /// 419.
    #[error(
        "the application answered 419: it wants a CSRF token; let clients send X-CSRF-TOKEN, or exempt the route"
    )]
    CsrfToken,
    /// 422 or 429, or another 4xx that does not mean a wrong URL.
    #[error("the application answered {0}")]
    Refused(u16),
    /// 3xx.
    #[error(
        "the application answered {status} to {to}: redirects are not followed; its auth middleware sends those \
         who are not logged in to a login page, or the URL is not exactly that of the route"
    )]
    Redirected {
        /// The status.
        status: u16,
        /// The redirect's target, without query.
        to: String,
    },
    /// 404 or 405.
    #[error("the application answered {0}: the URL is wrong, or its routes lack {1}")]
    NoRoute(u16, &'static str),
    /// 5xx, or a status that an application never answers with.
    #[error("the application answered {0}: look into its own log")]
    Failed(u16),
    /// 200 without a body.
    #[error(
        "the application answered 200 with an empty body: the log or null broadcaster is configured; set \
         BROADCAST_CONNECTION (BROADCAST_DRIVER up to Laravel 10)"
    )]
    Empty,
    /// 200 with HTML.
    #[error("the application answered 200 with a web page: most likely its login page, or the URL is wrong")]
    WebPage,
    /// 200 with another body that is no yes.
    #[error("the application answered {status} with {what}, which is no yes")]
    NotAYes {
        /// 200, or another status of success.
        status: u16,
        /// The kind of the body, without quoting the body.
        what: &'static str,
    },
    /// 200 for a presence channel, without a member.
    #[error(
        "the application said yes to a presence channel without naming anybody: the channel's callback must \
             return an array with the user"
    )]
    NobodyNamed,
    /// 200 for an encrypted channel, without `auth`.
    #[error(
        "the application did not sign: encrypted channels need the pusher or reverb broadcaster, for with others \
         events are published in clear"
    )]
    Unsigned,
    /// The answer does not meet the rule.
    #[error("the application's answer does not have {0} (authorization.must_equal)")]
    RuleNotMet(String),
    /// The application named a user whom the server would not let in.
    #[error("the application named somebody who cannot be let in: {0}")]
    Unfit(String),
    /// No answer came before the timeout.
    #[error("the application was too slow: {0}")]
    Late(OutgoingError),
    /// No answer came.
    #[error("the application could not be asked: {0}")]
    NoAnswer(OutgoingError),
    /// The setting is no URL; never seen, because settings are checked.
    #[error("the application could not be asked: its URL is none")]
    NotAUrl,
}

/// Kinds of denials, for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenialKind {
    /// The application said no.
    Denied,
    /// The application answered, but with nothing that could be a yes.
    NotUnderstood,
    /// The application failed, or cannot be reached.
    Failed,
    /// The application did not answer before the timeout.
    Late,
}

impl Denial {
    /// The status of the answer to the client.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NotLoggedIn | Self::Redirected { .. } => 401,
            Self::CsrfToken => 419,
            Self::Refused(status @ (422 | 429)) => *status,
            Self::NoRoute(..) | Self::Failed(_) | Self::NoAnswer(_) | Self::NotAUrl => 502,
            Self::Late(_) => 504,
            _ => 403,
        }
    }

    /// Whether the application may have answered so because it knows nobody by the request.
    #[must_use]
    pub const fn may_mean_nobody(&self) -> bool {
        matches!(
            self,
            Self::NotLoggedIn | Self::Forbidden | Self::CsrfToken | Self::Redirected { .. } | Self::WebPage
        )
    }

    /// The kind of the denial.
    #[must_use]
    pub const fn kind(&self) -> DenialKind {
        match self {
            Self::NotLoggedIn
            | Self::Forbidden
            | Self::CsrfToken
            | Self::Refused(_)
            | Self::Redirected { .. } => DenialKind::Denied,
            Self::NoRoute(..) | Self::Failed(_) | Self::NoAnswer(_) | Self::NotAUrl => DenialKind::Failed,
            Self::Late(_) => DenialKind::Late,
            _ => DenialKind::NotUnderstood,
        }
    }
}

impl From<OutgoingError> for Denial {
    fn from(error: OutgoingError) -> Self {
        match error {
            OutgoingError::TimedOut(_) => Self::Late(error),
            _ => Self::NoAnswer(error),
        }
    }
}
