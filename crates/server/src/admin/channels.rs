//! An app's channels, seen by operators: `GET /v1/apps/{id}/channels`, `…/channels/{name}`, and who is there.
//!
//! Of all nodes, read from the live tables when asked for (CON-020, CON-026). What events carry, and what members tell of
//! themselves, is for the scope `payloads`.

use std::sync::Arc;

use fanfare_apps::Scope;
use fanfare_node::census;
use fanfare_node::listing::{ListedChannel, everywhere};
use fanfare_protocol::app::App;
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::server::data_of;
use serde_json::{Value, json};

use super::asked::{Asked, ok};
use super::events;
use super::problem::Problem;
use crate::api::channels::checked;
use crate::http::Answer;
use crate::http::given::Given;
use crate::listed::{self, of_nodes};
use crate::state::State;

/// A page of the app's channels.
///
/// # Errors
/// There is no such app, or the query has faults.
pub(super) async fn list(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let wanted = listed::channels_wanted(Given::of(&asked.query, &listed::OF_CHANNELS))?;
    let app = events::app(state, asked).await?;
    Ok(ok(&listed::channels(&state.node, &app.id, &wanted).await))
}

/// One channel; without subscribers a channel is answered as well.
///
/// # Errors
/// There is no such app, the name is none, or the query has faults.
pub(super) async fn one(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    Given::of(&asked.query, &["name"]).end()?;
    let (app, name) = named(state, asked).await?;
    let (node, app) = (&state.node, &app.id);
    let (occupancy, nodes, reached) = everywhere::channel(node, app, &name).await;
    let frame = match (name.is_cached(), reached.missing.is_some()) {
        (true, true) => census::last_event(node, app, &name).await.ok().flatten().map(|last| last.frame),
        (true, false) => {
            let hub = node.hubs.get(app);
            hub.and_then(|hub| hub.cached(&name, node.milliseconds())).map(|cached| cached.frame)
        }
        (false, _) => None,
    };
    let row = ListedChannel { name: name.clone(), occupancy, is_cached: frame.is_some() };
    let mut value = listed::with_nodes(listed::channel(&row), &nodes, &reached);
    value["cached"] = frame.map_or(Value::Null, |frame| {
        let is_readable = shows_payloads(asked) && name.kind() != ChannelKind::Encrypted;
        json!({
            "event": name_of(&frame),
            "data": data_of(&frame).filter(|_| is_readable).and_then(|data| as_text(data.get())),
        })
    });
    Ok(ok(&of_nodes(node, value, &reached)))
}

/// A page of the channel's subscribers.
///
/// # Errors
/// There is no such app, the name is none, or the query has faults.
pub(super) async fn subscribers(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut given = Given::of(&asked.query, &["after", "limit", "name"]);
    let after = given.after(|text| text.parse::<SocketId>().ok());
    let limit = given.rows();
    given.end()?;
    let (app, name) = named(state, asked).await?;
    Ok(ok(&listed::subscribers(&state.node, (&app.id, &name), after, limit).await))
}

/// A page of the users who are on a presence channel; of another channel there are none.
///
/// # Errors
/// There is no such app, the name is none, or the query has faults.
pub(super) async fn members(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut given = Given::of(&asked.query, &["after", "limit", "name"]);
    let after = given.after(|text| Some(UserId::from(text)));
    let limit = given.rows();
    given.end()?;
    let (app, name) = named(state, asked).await?;
    let infos = shows_payloads(asked);
    Ok(ok(&listed::members(&state.node, (&app.id, &name), after, (limit, infos)).await))
}

/// The app and the channel that the path names.
async fn named(state: &State, asked: &Asked<'_>) -> Result<(Arc<App>, ChannelName), Problem> {
    let app = events::app(state, asked).await?;
    let name = checked(asked.name()?, &app).map_err(Problem::NotPublished)?;
    Ok((app, name))
}

/// The name of a published event.
fn name_of(frame: &Frame) -> Option<Value> {
    let mut sent: Value = serde_json::from_slice(frame.payload()).ok()?;
    sent.get_mut("event").map(Value::take)
}

/// An event's data as published: the text that the JSON string holds.
fn as_text(data: &str) -> Option<Value> {
    serde_json::from_str(data).ok()
}

/// Whether the token may see what events and members carry.
fn shows_payloads(asked: &Asked<'_>) -> bool {
    asked.by.scopes.contains(&Scope::Payloads)
}
