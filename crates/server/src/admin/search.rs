//! What has a name: `GET /v1/search` for apps, `GET /v1/apps/{id}/search` for an app's channels, connections and users as well
//! (CON-046).
//!
//! Bounded in what is found of each kind. Of all nodes, as the lists are.

use std::collections::BTreeSet;

use fanfare_node::listing::{ChannelOrder, ChannelsWanted};
use fanfare_protocol::ids::AppId;
use serde_json::{Value, json};
use tokio::join;

use super::asked::{Asked, ok};
use super::events;
use super::given;
use super::problem::Problem;
use crate::http::Answer;
use crate::http::given::Given;
use crate::listed::{self, NotOpen, UsersWanted};
use crate::state::State;

/// Most that is found of a kind.
const MOST_FOUND: usize = 10;

/// Whatever is called so, or begins so.
///
/// # Errors
/// The query has faults, there is no such app, or the database is away.
pub(super) async fn find(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut given = Given::of(&asked.query, &["q"]);
    let text = given::prefix(&mut given);
    if given.text("q").is_none() {
        given.fault("q is missing: what is searched for");
    }
    given.end()?;
    let app = match asked.found.is_about_an_app() {
        true => Some(events::app(state, asked).await?),
        false => None,
    };
    let apps = state.node.apps.search(&text, asked.by.apps.as_ref(), MOST_FOUND + 1).await?;
    let shown = apps.iter().take(MOST_FOUND).map(|app| json!({ "id": app.id, "name": app.name }));
    let shown: Vec<Value> = shown.collect();
    let mut answer = match &app {
        Some(app) => within(state, &app.id, &text).await,
        None => listed::of_this_node(&state.node, json!({ "more": [] })),
    };
    if apps.len() > MOST_FOUND {
        add(&mut answer, "more", "apps");
    }
    answer["apps"] = shown.into();
    Ok(ok(&answer))
}

/// What is found in one app; `more` names the kinds of which there are more than are shown.
async fn within(state: &State, app: &AppId, text: &str) -> Value {
    let node = &state.node;
    let channels =
        ChannelsWanted { prefix: text, kind: None, order: ChannelOrder::Name(None), limit: MOST_FOUND };
    let users = UsersWanted::beginning_with(text, MOST_FOUND);
    let (mut channels, mut users, connection) = join!(
        listed::channels(node, app, &channels),
        listed::users(node, app, &users),
        listed::connection(node, app, text)
    );
    let is_of_all = [&channels, &users].iter().all(|list| list["of"] == "all nodes");
    let mut answer = json!({
        "more": [],
        "channels": channels["channels"].take(),
        "users": users["users"].take(),
        "of": if is_of_all { "all nodes" } else { "this node" },
        "node": node.name(),
    });
    for (list, kind) in [(&channels, "channels"), (&users, "users")] {
        if !list["next"].is_null() {
            add(&mut answer, "more", kind);
        }
    }
    let mut silent = vec![silent_of(&channels), silent_of(&users)];
    answer["connections"] = match connection {
        Ok(mut row) => {
            // As in the list of connections.
            row.as_object_mut().map(|row| [row.remove("channels"), row.remove("of")]);
            json!([row])
        }
        Err(NotOpen { silent: missing }) => {
            silent.push(missing);
            json!([])
        }
    };
    let silent: Option<BTreeSet<String>> =
        silent.into_iter().collect::<Option<Vec<_>>>().map(|all| all.into_iter().flatten().collect());
    let nodes = users["nodes"].as_array().into_iter().flatten();
    let has_answered = |name: &&Value| {
        let name = name.as_str().unwrap_or_default();
        silent.as_ref().is_some_and(|silent| !silent.contains(name)) || name == node.name()
    };
    answer["nodes"] = nodes.filter(has_answered).cloned().collect();
    answer["missing"] = json!(silent);
    answer
}

/// The nodes that did not answer for a list; `None` if nobody could be asked.
fn silent_of(list: &Value) -> Option<Vec<String>> {
    serde_json::from_value(list["missing"].clone()).ok().flatten()
}

fn add(answer: &mut Value, list: &str, word: &str) {
    if let Some(list) = answer[list].as_array_mut() {
        list.push(word.into());
    }
}
