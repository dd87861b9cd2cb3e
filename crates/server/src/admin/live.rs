//! What happens now in an app, as a stream of Server-Sent Events: `GET /v1/apps/{id}/live` (CON-027 … CON-038).
//!
//! The stream is no client, and counts in no quota, usage or metric. A stream ends with its reader, and with the token or session
//! that opened it: at once where this node ends either, else at the next look (`stream`).

mod stream;

use std::sync::Arc;

use fanfare_apps::{AdminSession, AuditAction, AuditEntry, Bearer, Scope};
use fanfare_node::clock::unix_milliseconds;
use fanfare_node::taps::{LiveFilter, LiveKind, NamePattern, TapHolder, TapReader, TapWanted, TooManyTaps};
use fanfare_protocol::auth::Query;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::utc::utc_milliseconds;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use self::stream::LiveStream;
use super::asked::Asked;
use super::cookie::Cookie;
use super::events;
use super::problem::Problem;
use super::shared::Admin;
use crate::connections::AnswerBody;
use crate::http::Answer;
use crate::http::given::Given;

/// The parameters of a live list.
const PARAMETERS: [&str; 5] = ["kinds", "channel", "event", "socket", "user"];

/// The number of the last entry that a reader who comes back has got.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Tells proxies that what is sent is to go on at once.
const NOT_BUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Opens a live list; its entries follow as they happen.
///
/// # Errors
/// There is no such app, the query has faults, there are too many live lists, or one with payloads cannot be noted.
pub(super) async fn open(
    admin: &Admin,
    asked: &Asked<'_>,
    session: Option<&(Cookie, AdminSession)>,
    headers: &HeaderMap,
) -> Result<Answer, Problem> {
    let filter = filter(&asked.query)?;
    let app = events::app(&admin.state, asked).await?;
    let bearer = &asked.by;
    let shows_data = bearer.scopes.contains(&Scope::Payloads);
    if let Some(wait) = admin.lists_opened.wait_of(bearer.id, Instant::now()).filter(|_| shows_data) {
        return Err(Problem::TooManyLists(wait));
    }
    let after = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()?.parse().ok());
    let holder = TapHolder {
        token: bearer.id,
        session: session.map(|(_, session)| session.csrf_token.clone()),
        name: bearer.name.clone(),
        is_bound: bearer.apps.is_some(),
    };
    let wanted = TapWanted { app: app.id.clone(), filter, shows_data, holder, after };
    let node = &admin.state.node;
    let reader =
        TapReader::open(node, wanted).map_err(|refused| Problem::TooManyTaps(told_to(bearer, refused)))?;
    let entry = shows_data.then(|| audited(asked));
    if let Some(entry) = &entry {
        admin.lists_opened.count(bearer.id, Instant::now());
        asked.note_first(&node.apps, entry).await?;
    }
    let (sender, body) = AnswerBody::stream();
    let stream = LiveStream {
        state: Arc::clone(&admin.state),
        reader,
        sender,
        session: session.map(|(cookie, _)| (cookie.id.clone(), admin.session_times())),
        token: bearer.id,
        app: app.id.clone(),
        entry,
    };
    node.tasks.spawn_work("live list", stream.run());
    let mut answer = Answer::new(body);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(NOT_BUFFERED, HeaderValue::from_static("no"));
    Ok(answer)
}

/// Whose the lists are, as far as the bearer may know: tokens of others are nothing for one that is bound to apps (CON-016).
fn told_to(bearer: &Bearer, TooManyTaps { mut holders }: TooManyTaps) -> TooManyTaps {
    if bearer.apps.is_some() {
        for name in holders.iter_mut().filter(|name| **name != bearer.name) {
            "another token".clone_into(name);
        }
    }
    TooManyTaps { holders }
}

/// What is wanted.
///
/// # Errors
/// Every fault of the query.
fn filter(query: &Query) -> Result<LiveFilter, Problem> {
    let mut given = Given::of(query, &PARAMETERS);
    let words = LiveKind::ALL.map(LiveKind::name).join(", ");
    let listed = |text: &str| text.split(',').map(LiveKind::named).collect::<Option<Vec<_>>>();
    let kinds = given.parsed("kinds", &format!("a list of these: {words}"), listed);
    let socket = given.parsed("socket", "a socket id", |text| text.parse::<SocketId>().ok());
    let filter = LiveFilter::default()
        .channel(given.text("channel").map(NamePattern::of))
        .event(given.text("event").map(str::to_owned))
        .socket(socket)
        .user(given.text("user").map(str::to_owned));
    given.end()?;
    Ok(match kinds {
        Some(kinds) => filter.kinds(&kinds),
        None => filter,
    })
}

/// The entry of the audit log about a list that shows what events carry (CON-038).
fn audited(asked: &Asked<'_>) -> AuditEntry {
    let filter =
        PARAMETERS.iter().filter_map(|name| Some(((*name).to_owned(), asked.query.get(name)?.into())));
    asked
        .entry(&asked.found.id, AuditAction::LivePayloads)
        .with("filter", filter.collect::<serde_json::Map<_, _>>().into())
        .with("from", utc_milliseconds(unix_milliseconds()).into())
}
