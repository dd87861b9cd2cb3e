//! A request of a command to a running server, signed like a back end's, with the credentials that the server itself has.
//!
//! Creates neither an app nor a database: what is signed for an app that no server knows is refused.

use std::time::Duration;

use bytes::Bytes;
use fanfare_apps::{AppsError, Database};
use fanfare_config::{Config, LaravelEchoServer, ServerUrl};
use fanfare_node::clock::unix_seconds;
use fanfare_outgoing::{Bounds, Client, Options, OutgoingError, Trust};
use fanfare_protocol::app::App;
use fanfare_protocol::auth::signed_query_with;
use fanfare_protocol::close::shortened;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::plain::plain;

/// Longest repeated part of a refusal, in bytes.
const MOST_REPEATED: usize = 500;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SignedRequestError {
    /// The apps' database.
    #[error(transparent)]
    Apps(#[from] AppsError),
    /// The embedded database does not exist.
    #[error(
        "there is no app to sign as: {} does not exist. Start the server first, or say where it keeps its data (--data-dir, \
         --config)",
        .0.place()
    )]
    NoDatabase(Database),
    /// There is no app, or none with the id given.
    #[error("there is no such app; `fanfare app list` shows those of the database")]
    NoApp,
    /// The app is made anew at each start, so that nobody else can sign for it.
    #[error("{}", LaravelEchoServer::RANDOM_SECRET)]
    RandomSecret,
    /// The server cannot be reached.
    #[error("{url} does not answer: {error} (does the server run? --listen and --url say where it is)")]
    Unanswered {
        /// The URL requested.
        url: String,
        /// The cause.
        error: OutgoingError,
    },
    /// The answer is a success, but not this API's.
    #[error("{url} answers 200, but not as Fanfare does: {said}")]
    Foreign {
        /// The URL requested.
        url: String,
        /// The beginning of the answer.
        said: String,
    },
    /// The server has refused.
    #[error("{url} has refused with {status}: {said}")]
    Refused {
        /// The URL requested.
        url: String,
        /// The status of the answer.
        status: u16,
        /// The sentence of the answer.
        said: String,
    },
}

impl SignedRequestError {
    /// Whether the caller made the fault; otherwise a part was away, or has refused.
    #[must_use]
    pub const fn is_askers(&self) -> bool {
        matches!(self, Self::NoDatabase(_) | Self::NoApp | Self::RandomSecret)
    }
}

/// An app at a running server.
pub struct AppAtServer {
    /// The app, as this command's configuration and database have it.
    pub app: App,
    /// The server's base URL.
    pub url: String,
    /// What connections begin with, before the first request.
    opening: &'static str,
}

impl AppAtServer {
    /// The app with this id, or the first, at the server of this URL, or of the configuration; the database is only read.
    ///
    /// # Errors
    /// There is no such app.
    pub async fn find(
        config: &Config,
        id: Option<&str>,
        url: Option<&ServerUrl>,
    ) -> Result<Self, SignedRequestError> {
        if let Some(database @ Database::Sqlite(file)) = &config.database()
            && !file.exists()
        {
            return Err(SignedRequestError::NoDatabase(database.clone()));
        }
        let configured =
            config.fixed_apps().into_iter().find(|app| id.is_none_or(|id| app.id.as_str() == id));
        let app = match configured {
            Some(app) => Some(app),
            None => config.stored_app(None, id).await?,
        };
        let app = app.ok_or(SignedRequestError::NoApp)?;
        if config.laravel_echo_server.as_ref().is_some_and(|former| former.has_random_secret) {
            return Err(SignedRequestError::RandomSecret);
        }
        let near = ServerUrl::near(config.listen.addr.first());
        let opening = near.ip().filter(|_| url.is_none()).map_or("", |ip| config.listen.opening(ip));
        let ServerUrl { tls, host, port } = url.cloned().unwrap_or(near);
        let scheme = if tls { "https" } else { "http" };
        Ok(Self { app, url: format!("{scheme}://{host}:{port}{}", config.listen.path_prefix), opening })
    }

    /// Sends a request for the path behind `/apps/ID`, with a JSON body or none, and returns the object that is answered.
    ///
    /// # Errors
    /// The server does not answer with 200 and an object.
    pub async fn ask(
        &self,
        asked: (Method, &str),
        body: Option<&Value>,
        time: Duration,
    ) -> Result<Value, SignedRequestError> {
        self.ask_with(asked, &[], body, time).await
    }

    /// As [`AppAtServer::ask`], with parameters in the query.
    ///
    /// # Errors
    /// The server does not answer with 200 and an object.
    pub async fn ask_with(
        &self,
        (method, path): (Method, &str),
        parameters: &[(&str, &str)],
        body: Option<&Value>,
        time: Duration,
    ) -> Result<Value, SignedRequestError> {
        let credential = self.app.credentials.first().ok_or(SignedRequestError::NoApp)?;
        let (path, url) = (format!("/apps/{}{path}", self.app.id), self.url.clone());
        let body = body.map(Value::to_string).unwrap_or_default();
        let signed = (method.as_str(), &*path);
        let query = signed_query_with(credential, signed, parameters, body.as_bytes(), unix_seconds());
        let request = Request::builder()
            .method(method)
            .uri(format!("{url}{path}?{query}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)));
        let bounds = Bounds { time, bytes: 4 * 1024 * 1024 };
        let answered = match request {
            Ok(request) => {
                let options = Options { opening: self.opening, ..Options::default() };
                Client::with(&Trust::public(), options).send(request, bounds).await
            }
            Err(error) => Err(OutgoingError::Unreachable(error.to_string())),
        };
        let answer = answered.map_err(|error| SignedRequestError::Unanswered { url: url.clone(), error })?;
        let said = || {
            let text = String::from_utf8_lossy(&answer.body);
            plain(&shortened(text.trim(), MOST_REPEATED))
        };
        if answer.status.as_u16() != 200 {
            return Err(SignedRequestError::Refused { url, status: answer.status.as_u16(), said: said() });
        }
        match serde_json::from_slice(&answer.body) {
            Ok(Value::Object(object)) => Ok(object.into()),
            _ => Err(SignedRequestError::Foreign { url, said: said() }),
        }
    }
}

/// A text as a part of a path or of a query.
pub(crate) fn in_url(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
