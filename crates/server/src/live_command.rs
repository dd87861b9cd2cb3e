//! Runs `fanfare live`: prints what happens in an app, as it happens (CON-025, CON-027).
//!
//! Asks the operators' listener of a running server with a token that is bound to the app, made for this list and revoked at
//! its end. Never prints the token.

mod events;
mod told;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::time::Duration;

use bytes::Bytes;
use fanfare_apps::{Apps, Auditor, NewToken, Scope, TokenRecord};
use fanfare_config::Config;
use fanfare_outgoing::{Client, OutgoingError, StreamedResponse, Trust};
use fanfare_protocol::auth::Secret;
use fanfare_protocol::close::shortened;
use http_body_util::Full;
use hyper::Request;
use hyper::header::AUTHORIZATION;
use serde_json::Value;

use self::events::{EventStream, StreamEvent};
use crate::app_commands::{CommandError, Done, open_apps};
use crate::command_line::LiveCommand;
use crate::console_command::{NO_NEW_DATABASE, operators_url};
use crate::plain::plain;
use crate::signed_request::in_url;
use crate::start::signals::Signals;
use crate::token_json;

/// How long the token is good, in seconds, should the command have no time to revoke the token.
const LIFE: i64 = 12 * 60 * 60;

/// How long the beginning of the answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most bytes read of a refusal.
const MOST_REFUSAL: usize = 64 * 1024;

/// Longest repeated part of a refusal, in bytes.
const MOST_REPEATED: usize = 500;

/// Why nothing is printed, or nothing more.
#[derive(Debug, thiserror::Error)]
enum LiveListError {
    /// The operators' listener cannot be reached, or the connection broke.
    #[error(
        "{url}: {error} (does the server run? listen.admin_addr and --url say where its operators' listener is)"
    )]
    Unanswered {
        /// The listener's URL.
        url: String,
        /// The cause.
        error: OutgoingError,
    },
    /// The server has refused.
    #[error("{url} has refused with {status}: {said}")]
    Refused {
        /// The listener's URL.
        url: String,
        /// The status of the answer.
        status: u16,
        /// The sentence of the answer.
        said: String,
    },
    /// What comes is no list of this server.
    #[error("{0} answers 200, but not as Fanfare does")]
    Foreign(String),
    /// The server has ended the list.
    #[error("{0} has ended the list: the server stops, or the token was revoked")]
    Ended(String),
    /// What comes cannot be printed.
    #[error("standard output cannot be written: {0}")]
    Unprinted(#[source] io::Error),
    /// The process cannot wait for signals.
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] io::Error),
}

impl From<LiveListError> for CommandError {
    fn from(error: LiveListError) -> Self {
        match error {
            LiveListError::Unprinted(error) => Self::Unprinted(error),
            LiveListError::Refused { status: 400 | 404, .. } => Self::Refused(error.to_string()),
            _ => Self::ServerAway(error.to_string()),
        }
    }
}

/// Why printing has ended.
enum Ending {
    /// Nobody reads what is printed.
    NobodyReads,
    /// The list has ended.
    Failed(LiveListError),
}

/// Runs the command until a signal, or until nobody reads what `print` is given.
///
/// # Errors
/// The options have faults, there is no database with tokens, or the server cannot be reached or has ended the list.
pub async fn run(
    config: &Config,
    command: &LiveCommand,
    print: impl FnMut(&str) -> io::Result<()>,
) -> Result<Done, CommandError> {
    let mut signals = Signals::begin().map_err(LiveListError::Signals)?;
    if command.place.create_database {
        return Err(CommandError::Options(vec![NO_NEW_DATABASE.to_owned()]));
    }
    let apps = open_apps(config, false).await?;
    let (record, token) = make_token(&apps, command).await?;
    let ending = tokio::select! {
        ending = list(config, command, &token, print) => Some(ending),
        () = signals.any() => None,
    };
    let revoked = apps.revoke_token(record.id).await;
    apps.audit(&token_json::revoked(record.id, Auditor::command())).await;
    if let Some(Ending::Failed(error)) = ending {
        return Err(error.into());
    }
    revoked?;
    Ok(Done::looked(String::new()))
}

/// A token for this list alone.
async fn make_token(apps: &Apps, command: &LiveCommand) -> Result<(TokenRecord, Secret), CommandError> {
    let mut scopes = BTreeSet::from([Scope::Read]);
    if command.data {
        scopes.insert(Scope::Payloads);
    }
    let new = NewToken {
        name: "fanfare live".to_owned(),
        scopes,
        apps: Some(BTreeSet::from([command.app.clone()])),
        seconds: Some(LIFE),
        made_by: None,
    };
    let (record, token) = apps.create_token(&new).await?;
    apps.audit(&token_json::made(&record, Auditor::command())).await;
    Ok((record, token))
}

/// Prints the list to its end.
async fn list(
    config: &Config,
    command: &LiveCommand,
    token: &Secret,
    mut print: impl FnMut(&str) -> io::Result<()>,
) -> Ending {
    let url = command.url.clone().unwrap_or_else(|| operators_url(config));
    let url = url.trim_end_matches('/').to_owned();
    let mut stream = match open(&url, command, token).await {
        Ok(stream) => stream,
        Err(error) => return Ending::Failed(error),
    };
    let mut events = EventStream::default();
    loop {
        let part = match stream.next().await {
            Ok(Some(part)) => part,
            Ok(None) => return Ending::Failed(LiveListError::Ended(url)),
            Err(error) => return Ending::Failed(LiveListError::Unanswered { url, error }),
        };
        let Ok(arrived) = events.take(&part) else { return Ending::Failed(LiveListError::Foreign(url)) };
        let text: String = arrived.iter().map(|event| line(event, command.place.json)).collect();
        match print(&text) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ending::NobodyReads,
            Err(error) => return Ending::Failed(LiveListError::Unprinted(error)),
        }
    }
}

/// Asks for the list.
async fn open(url: &str, command: &LiveCommand, token: &Secret) -> Result<StreamedResponse, LiveListError> {
    let unanswered = |error| LiveListError::Unanswered { url: url.to_owned(), error };
    let request = Request::builder()
        .uri(format!("{url}/v1/apps/{}/live{}", in_url(&command.app), query(command)))
        .header(AUTHORIZATION, format!("Bearer {}", token.expose()))
        .body(Full::<Bytes>::default())
        .map_err(|error| unanswered(OutgoingError::Unreachable(error.to_string())))?;
    let mut answer = Client::new(&Trust::public()).stream(request, PATIENCE).await.map_err(unanswered)?;
    if answer.status.as_u16() == 200 {
        return Ok(answer);
    }
    let mut body = Vec::new();
    while body.len() < MOST_REFUSAL
        && let Ok(Ok(Some(part))) = tokio::time::timeout(PATIENCE, answer.next()).await
    {
        body.extend_from_slice(&part);
    }
    Err(LiveListError::Refused { url: url.to_owned(), status: answer.status.as_u16(), said: said(&body) })
}

/// The sentences of a refusal: of the API, or the beginning of somebody else's answer.
fn said(body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let faults = problem["faults"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let sentences: Vec<&str> = problem["detail"].as_str().into_iter().chain(faults).collect();
    let text = match sentences[..] {
        [] => String::from_utf8_lossy(body),
        _ => sentences.join("; ").into(),
    };
    plain(&shortened(text.trim(), MOST_REPEATED))
}

fn query(command: &LiveCommand) -> String {
    let LiveCommand { kinds, channel, event, socket, user, .. } = command;
    let given =
        [("kinds", kinds), ("channel", channel), ("event", event), ("socket", socket), ("user", user)];
    let given: Vec<String> = given
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", in_url(value.as_ref()?))))
        .collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

/// What is printed of an event: a line, or nothing.
fn line(event: &StreamEvent, is_json: bool) -> String {
    match (&event.name, is_json) {
        (None, true) => format!("{}\n", event.data),
        (Some(name), true) => format!("{{\"{name}\":{}}}\n", event.data),
        (None, false) => told::entry(&event.data),
        (Some(name), false) => told::message(name, &event.data),
    }
}
