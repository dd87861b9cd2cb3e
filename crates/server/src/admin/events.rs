//! Events sent by operators, and where events went: `POST /v1/apps/{id}/events`, `GET /v1/apps/{id}/traces` (CON-040 … CON-043).
//!
//! An event goes the way of the HTTP API behind the signature: the same limits, refusals and counts.

use std::sync::Arc;

use fanfare_apps::{AuditAction, OperationError};
use fanfare_node::inquiry::{self, TraceOfNode, TracesOfNodes};
use fanfare_node::publish::{Publisher, publish_traced};
use fanfare_node::refusals::NotedRefusal;
use fanfare_node::trace::{EventTrace, ShownTrace};
use fanfare_protocol::app::App;
use fanfare_protocol::event_id::EventId;
use fanfare_protocol::ids::SocketId;
use serde_json::{Value, json};

use super::asked::{Asked, ok};
use super::given;
use super::problem::Problem;
use crate::api::event::{Checked, Fields, object};
use crate::api::events::{as_event, info_of, keep_refused_json, with_event_id};
use crate::http::{Answer, ApiError};
use crate::listed::of_nodes;
use crate::state::State;
use crate::trace_json;

/// Publishes an event with the fields of the HTTP API, and answers where the event went.
///
/// # Errors
/// There is no such app, the app is disabled, or any refusal of the HTTP API; nothing is published then.
pub(super) async fn publish(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.has_no_query()?;
    let app = app(state, asked).await?;
    let (id, except, mut traces, info) =
        publish_checked(state, &app, &asked.body).await.map_err(|refusal| {
            let by = (Publisher::Console, &*asked.body);
            keep_refused_json(state, &app, by, (refusal.status(), &refusal));
            note_refused(state, asked, &app, &refusal);
            Problem::NotPublished(refusal)
        })?;
    let entry = asked.entry(app.id.as_str(), AuditAction::EventSend);
    let name = traces.first().map_or_else(String::new, |trace| trace.event.to_string());
    let entry = entry.with("event", name.into()).with("event_id", id.to_string().into());
    asked.note(&state.node.apps, entry).await;
    inquiry::complete(&state.node, &app, except, &mut traces).await;
    // One event has one trace.
    let trace = traces.into_iter().next().map(ShownTrace::from).unwrap_or_default();
    let mut trace = trace_json::trace(&trace, state.node.name());
    if let Some(info) = info {
        trace["info"] = info;
    }
    Ok(with_event_id(ok(&trace), id))
}

/// Makes the refusal of an event known as that of a back end's request is (CON-045).
fn note_refused(state: &State, asked: &Asked<'_>, app: &App, refusal: &ApiError) {
    let (kind, code) = (refusal.refusal_kind(), refusal.status().as_u16());
    let noted = NotedRefusal {
        address: Some(asked.address),
        ..NotedRefusal::new(kind, Some(code), refusal.label(), refusal)
    };
    state.node.note_refusal(Some(&app.id), &noted);
}

async fn publish_checked(
    state: &State,
    app: &Arc<App>,
    body: &[u8],
) -> Result<(EventId, Option<SocketId>, Vec<EventTrace>, Option<Value>), ApiError> {
    if !app.enabled {
        return Err(ApiError::AppDisabled);
    }
    let event = Checked::from_fields(&object::<Fields<'_>>(body)?, app)?;
    let info = info_of(state, app, &event).await;
    let published = publish_traced(&state.node, app, &[as_event(&event)], Publisher::Console);
    let (id, traces) = published.map_err(ApiError::OverQuota)?;
    Ok((id, event.except, traces, info))
}

/// The last publishes of an app with `trace = true` on all nodes, the newest first; a page of the list (CON-026).
///
/// # Errors
/// There is no such app, or the query has faults.
pub(super) async fn traces(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let wanted = given::traces(&asked.query)?;
    let app = app(state, asked).await?;
    let TracesOfNodes { rows, more, reached } = inquiry::last_of_nodes(&state.node, &app.id, &wanted).await;
    let next = rows
        .last()
        .filter(|_| more)
        .map(|TraceOfNode { place, .. }| given::place_as_text((place.at, place.number, &place.node)));
    let shown: Vec<_> = rows.iter().map(|row| trace_json::trace(&row.trace, &row.node)).collect();
    let page = json!({ "traces": shown, "next": next, "trace": app.trace });
    Ok(ok(&of_nodes(&state.node, page, &reached)))
}

/// The app that the path names.
///
/// # Errors
/// There is no such app, or apps cannot be looked up.
pub(super) async fn app(state: &State, asked: &Asked<'_>) -> Result<Arc<App>, Problem> {
    let id = &asked.found.id;
    let found = state.node.apps.by_id(id).await;
    found
        .map_err(|_| Problem::DatabaseAway)?
        .ok_or_else(|| Problem::Operation(OperationError::NoSuchApp(id.clone())))
}
