//! What was refused: `GET /v1/apps/{id}/refusals`, and `GET /v1/refusals` for what was of no app, of all nodes (CON-044).

use fanfare_node::numbers::{self, RefusalOfNodes};
use fanfare_node::refusals::RefusalKind;
use fanfare_protocol::ids::{AppId, SocketId};
use fanfare_protocol::utc::utc_milliseconds;
use serde_json::{Value, json};

use super::asked::{Asked, ok};
use super::events;
use super::given::{name_on_node, place, place_as_text};
use super::problem::Problem;
use crate::http::Answer;
use crate::http::given::Given;
use crate::listed::{of_nodes, with_nodes};
use crate::refusal_advice::{RefusalAdvice, advice};
use crate::state::State;

/// A page of an app's last refusals.
///
/// # Errors
/// There is no such app, or the query has faults.
pub(super) async fn of_app(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let app = events::app(state, asked).await?;
    page(state, asked, Some(&app.id)).await
}

/// A page of the last refusals that were of no app.
///
/// # Errors
/// The query has faults.
pub(super) async fn of_no_app(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    page(state, asked, None).await
}

async fn page(state: &State, asked: &Asked<'_>, app: Option<&AppId>) -> Result<Answer, Problem> {
    let mut given = Given::of(&asked.query, &["after", "limit"]);
    let after = given.after(place);
    let limit = given.rows();
    given.end()?;
    let (mut rows, reached) = numbers::refusals(&state.node, app).await;
    let total = rows.len();
    rows.retain(|row| after.as_ref().is_none_or(|(at, number, node)| row.place() < (*at, *number, &**node)));
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(|of| place_as_text(of.place()));
    let rows: Vec<Value> = rows.iter().map(|row| with_nodes(shown(row), &row.nodes, &reached)).collect();
    let page = json!({ "refusals": rows, "next": next, "total": total });
    Ok(ok(&of_nodes(&state.node, page, &reached)))
}

/// The name of a row: that of the node that was first to refuse so, if there are several, and the row's number there.
fn id_of(RefusalOfNodes { row, first_node, .. }: &RefusalOfNodes) -> String {
    name_on_node(row.number, first_node)
}

fn shown(of: &RefusalOfNodes) -> Value {
    let row = &of.row;
    let known = RefusalKind::named(&row.kind).map(|kind| advice(kind, &row.cause));
    let RefusalAdvice { setting, text: advice } = known.unwrap_or_default();
    json!({
        "id": id_of(of),
        "kind": row.kind,
        "code": row.code,
        "cause": row.cause,
        "text": row.text,
        "others": row.is_of_several,
        "count": row.count,
        "first_at": utc_milliseconds(row.first_at),
        "last_at": utc_milliseconds(row.last_at),
        "example": {
            "socket": row.socket.map(|socket| SocketId::from_bits(socket).to_string()),
            "channel": row.channel,
            "address": row.address,
            "signed": row.signed,
            "node": of.node,
        },
        "setting": setting,
        "advice": advice,
    })
}
