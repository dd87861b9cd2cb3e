//! The list of apps: `GET /v1/apps`, in pages, narrowed by the beginning of an id or a name, with the connections of each.
//!
//! Connections are of all nodes, counted by one question to them for the whole page (CON-026).

use fanfare_apps::AppsWanted;
use fanfare_node::numbers;

use super::asked::{Asked, ok};
use super::given;
use super::problem::Problem;
use crate::app_json;
use crate::http::Answer;
use crate::listed::of_nodes;
use crate::state::State;

/// A page of the list.
///
/// # Errors
/// The query has faults, or the database is away.
pub(super) async fn page(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let node = &state.node;
    let given = given::page(&asked.query)?;
    let wanted = AppsWanted { prefix: &given.prefix, after: given.after.as_deref(), most: given.limit };
    let page = match &asked.by.apps {
        Some(bound) => node.apps.list_among(bound, wanted).await?,
        None => node.apps.list(wanted).await?,
    };
    let ids = page.apps.iter().map(|app| app.id.clone()).collect();
    let (connections, reached) = numbers::connections(node, ids).await;
    let config = state.node.config();
    let mut answer = app_json::page(&page, |id| asked.place_of(&config, id));
    for row in answer["apps"].as_array_mut().into_iter().flatten() {
        let of_app = row["id"].as_str().and_then(|id| connections.get(id));
        row["connections"] = of_app.copied().unwrap_or_default().into();
    }
    Ok(ok(&of_nodes(node, answer, &reached)))
}
