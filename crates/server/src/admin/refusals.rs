//! What was refused: `GET /v1/apps/{id}/refusals`, and `GET /v1/refusals` for what was of no app (CON-044).

use fanfare_node::refusals::RefusalRow;
use fanfare_protocol::ids::AppId;
use fanfare_protocol::utc::utc_milliseconds;
use serde_json::{Value, json};

use super::asked::{Asked, ok};
use super::events;
use super::problem::Problem;
use crate::http::Answer;
use crate::http::given::Given;
use crate::listed::of_this_node;
use crate::refusal_advice::{RefusalAdvice, advice};
use crate::state::State;

/// A page of an app's last refusals.
///
/// # Errors
/// There is no such app, or the query has faults.
pub(super) async fn of_app(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let app = events::app(state, asked).await?;
    page(state, asked, Some(&app.id))
}

/// A page of the last refusals that were of no app.
///
/// # Errors
/// The query has faults.
pub(super) fn of_no_app(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    page(state, asked, None)
}

fn page(state: &State, asked: &Asked<'_>, app: Option<&AppId>) -> Result<Answer, Problem> {
    let mut given = Given::of(&asked.query, &["after", "limit"]);
    let after = given.after(place);
    let limit = given.rows();
    given.end()?;
    let mut rows = state.node.refusals.show(app);
    let total = rows.len();
    rows.retain(|row| after.is_none_or(|after| (row.last_at, row.number) < after));
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(|row| format!("{}:{}", row.last_at, row.number));
    let rows: Vec<Value> = rows.iter().map(shown).collect();
    let page = json!({ "refusals": rows, "next": next, "total": total });
    Ok(ok(&of_this_node(&state.node, page)))
}

/// Where a page goes on: the moment and the number of the row before.
fn place(text: &str) -> Option<(u64, u64)> {
    let (moment, number) = text.split_once(':')?;
    Some((moment.parse().ok()?, number.parse().ok()?))
}

fn shown(row: &RefusalRow) -> Value {
    let RefusalAdvice { setting, text: advice } = advice(row.kind, row.cause);
    json!({
        "id": row.number.to_string(),
        "kind": row.kind.label(),
        "code": row.code,
        "cause": row.cause,
        "text": row.text,
        "others": row.is_of_several,
        "count": row.count,
        "first_at": utc_milliseconds(row.first_at),
        "last_at": utc_milliseconds(row.last_at),
        "example": {
            "socket": row.socket.map(|socket| socket.to_string()),
            "channel": row.channel,
            "address": row.address,
            "signed": row.signed,
        },
        "setting": setting,
        "advice": advice,
    })
}
