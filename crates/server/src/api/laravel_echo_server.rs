//! laravel-echo-server's HTTP API: requests that show the key of a client in place of a signature (SIO-082).
//!
//! For the app that Socket.IO is for, whatever the name of the client. Publishes and counts in the same ways as signed
//! requests do. Without a client in the configuration no request is one of these. Never logs a key.

mod admitted;
mod answers;
mod pages;
mod refusal;

use std::net::IpAddr;

use fanfare_protocol::close::shortened;
use hyper::{Method, Request, StatusCode};
use percent_encoding::percent_decode_str;
use tracing::Level;

use self::admitted::{Shown, admit};
use self::refusal::Refusal;
use crate::connections::RequestBody;
use crate::http::forwarded::client_address;
use crate::http::{Answer, answer};
use crate::log::limited::{Line, limited};
use crate::state::State;

/// Longest logged part of a client's name or a path, in bytes.
const MOST_REPEATED: usize = 100;

/// What a client asks for; names of channels as they are in the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EchoQuestion<'a> {
    /// Publish an event.
    Event,
    /// How many are connected, and how the server is.
    Status,
    /// The channels with subscribers.
    Channels,
    /// How many are subscribed to a channel.
    Channel(&'a str),
    /// Who is on a presence channel.
    Users(&'a str),
}

impl EchoQuestion<'_> {
    fn is_asked_by(self, method: &Method) -> bool {
        match self {
            Self::Event => *method == Method::POST,
            _ => matches!(*method, Method::GET | Method::HEAD),
        }
    }
}

/// The answer to a client's request, where the configuration has clients; gives the request back if it is none of a client: signed, or with another method.
///
/// # Errors
/// The request is none of a client.
pub async fn answer(
    state: &State,
    (question, raw_name): (EchoQuestion<'_>, &str),
    peer: IpAddr,
    request: Request<RequestBody>,
) -> Result<Answer, Request<RequestBody>> {
    let config = state.node.config_kept();
    let socketio = &config.socketio;
    if *request.method() == Method::OPTIONS {
        return pages::preflight(&socketio.api_origin, request.headers()).ok_or(request);
    }
    let name = percent_decode_str(raw_name).decode_utf8_lossy();
    let shown = Shown::of(&request);
    let is_ours = question == EchoQuestion::Status || shown.is_by_key(socketio, &name);
    if !question.is_asked_by(request.method()) || !is_ours {
        return Err(request);
    }
    let client = client_address(state, request.headers(), peer);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answered = answered(state, question, (&name, shown), request).await;
    let mut answer = answered.unwrap_or_else(|refusal| {
        refusal.note(state, client);
        limited!(
            Line::RequestRefused,
            target: "fanfare::http",
            Level::INFO,
            api_client = &*shortened(&name, MOST_REPEATED),
            status = refusal.status().as_u16(),
            method = method.as_str(),
            path = &*shortened(&path, MOST_REPEATED),
            %client,
            reason = refusal.to_string(),
            "request refused"
        );
        refusal.into_answer()
    });
    pages::put_headers(&socketio.api_origin, answer.headers_mut());
    Ok(answer)
}

async fn answered(
    state: &State,
    question: EchoQuestion<'_>,
    (name, shown): (&str, Shown),
    request: Request<RequestBody>,
) -> Result<Answer, Refusal> {
    let admitted = admit(state, name, shown, request).await?;
    let json = match question {
        EchoQuestion::Event => return Ok(answers::publish_event(state, &admitted)?.into_answer()),
        EchoQuestion::Status => answers::status(state, &admitted).await,
        EchoQuestion::Channels => answers::channels(state, &admitted).await,
        EchoQuestion::Channel(channel) => answers::channel(state, &admitted, channel).await,
        EchoQuestion::Users(channel) => answers::users(state, &admitted, channel).await,
    }?;
    Ok(answer::json(StatusCode::OK, json))
}
