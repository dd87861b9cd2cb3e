//! Refusals in laravel-echo-server's form: JSON with one sentence.

use std::net::IpAddr;

use fanfare_node::refusals::{NotedRefusal, RefusalKind};
use hyper::StatusCode;
use hyper::header::CONNECTION;
use serde::Serialize;

use crate::http::answer::{self, Answer};
use crate::http::body::BodyError;
use crate::http::error::ApiError;
use crate::state::State;

/// A refused request; nothing has been published then.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// 403: no client has this key.
    #[error("Unauthorized")]
    Unauthorized,
    /// 400: a field is missing, or has no value.
    #[error("Event must include channel, event name and data")]
    Incomplete,
    /// 400: users of a channel that is not a presence channel.
    #[error("User list is only possible for Presence Channels")]
    NotPresence,
    /// 404: there is no app that Socket.IO is for.
    #[error("There is no app here (setting socketio.app)")]
    NoApp,
    /// What signed requests are refused for too.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl Refusal {
    /// The status of the answer.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::FORBIDDEN,
            Self::Incomplete | Self::NotPresence => StatusCode::BAD_REQUEST,
            Self::NoApp => StatusCode::NOT_FOUND,
            Self::Api(error) => error.status(),
        }
    }

    /// The cause in one word.
    const fn label(&self) -> &'static str {
        match self {
            Self::Unauthorized => "echo_key",
            Self::Incomplete => "echo_event",
            Self::NotPresence => "users_need_presence",
            Self::NoApp => "echo_app",
            Self::Api(error) => error.label(),
        }
    }

    /// Makes the refusal known to operators, as one of the app that Socket.IO is for.
    pub fn note(&self, state: &State, address: IpAddr) {
        let kind = match self {
            Self::Api(error) => error.refusal_kind(),
            _ => RefusalKind::Http,
        };
        let code = Some(self.status().as_u16());
        let refusal =
            NotedRefusal { address: Some(address), ..NotedRefusal::new(kind, code, self.label(), self) };
        let config = state.node.config();
        let app = config.socketio.app.as_ref().filter(|_| !matches!(self, Self::NoApp));
        state.node.note_refusal(app, &refusal);
    }

    /// The whole answer.
    pub fn into_answer(self) -> Answer {
        #[derive(Serialize)]
        struct Body {
            error: String,
        }

        let body = answer::object(&Body { error: self.to_string() });
        let mut answer = answer::json(self.status(), body);
        // The rest of a body may be unread.
        if let Self::Api(error) = self
            && let Some(connection) = error.into_answer().headers_mut().remove(CONNECTION)
        {
            answer.headers_mut().insert(CONNECTION, connection);
        }
        answer
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Self::Api(error.into())
    }
}
