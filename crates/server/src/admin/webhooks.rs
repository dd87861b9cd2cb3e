//! An app's webhooks, seen by operators: `POST /v1/apps/{id}/webhooks/{number}/test`,
//! `GET /v1/apps/{id}/webhooks/deliveries` and `POST /v1/apps/{id}/webhooks/deliveries/{delivery}/again` (CON-054).

use std::sync::Arc;

use fanfare_apps::{AuditAction, OperationError, Scope};
use fanfare_node::deliveries::{self, NotRepeatedThere};
use fanfare_protocol::app::App;
use fanfare_webhooks::TestedUrl;

use super::asked::{Asked, ok};
use super::events;
use super::given;
use super::problem::Problem;
use crate::http::{Answer, ApiError};
use crate::state::State;
use crate::webhook_json::{self, ReceiverAnswers};

/// Sends a test event to one webhook, and answers what became of it.
///
/// # Errors
/// The body has fields; there is no such app, or no such webhook; the app is disabled; or too many tests were asked for.
pub(super) async fn test(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let app = app_to_send_for(state, asked).await?;
    // What is no number is no place of the list.
    let place = asked.found.number.parse().unwrap_or(0);
    let tested = state.node.outgoing.webhooks.test(&app, TestedUrl::Numbered(place)).await;
    let tested = tested.map_err(Problem::NotTested)?;
    let entry = asked.entry(app.id.as_str(), AuditAction::WebhookTest).with("number", place.into());
    asked.note(&state.node.apps, entry).await;
    Ok(ok(&tested.first().map(webhook_json::test).unwrap_or_default()))
}

/// The last deliveries of an app's webhooks, of all nodes.
///
/// # Errors
/// There is no such app, or the query has faults.
pub(super) async fn deliveries(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.has_no_query()?;
    let app = events::app(state, asked).await?;
    let of_app = deliveries::of_app(&state.node, &app).await;
    Ok(ok(&webhook_json::deliveries(&state.node, &of_app, answers_to(asked))))
}

/// Repeats a delivery that failed, on the node that has made it, and answers what became of it.
///
/// # Errors
/// The body has fields; there is no such app; the delivery is not known, has succeeded, or is not kept any more; or its node does
/// not answer.
pub(super) async fn again(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let app = app_to_send_for(state, asked).await?;
    let id = &asked.found.name;
    let repeated = deliveries::repeat(&state.node, &app, id).await;
    // Where the node has not answered, it may have been done.
    if matches!(repeated, Ok(_) | Err(NotRepeatedThere::Silent(_))) {
        let entry = asked.entry(app.id.as_str(), AuditAction::WebhookAgain);
        asked.note(&state.node.apps, entry.with("delivery", id.as_str().into())).await;
    }
    let repeated = repeated.map_err(|error| match error {
        NotRepeatedThere::NotRepeated(error) => Problem::NotRepeated(error),
        NotRepeatedThere::NotAsked => Problem::ClusterAway,
        NotRepeatedThere::Silent(name) => {
            Problem::Perhaps(format!("{name} did not answer; perhaps the delivery was repeated"))
        }
    })?;
    Ok(ok(&webhook_json::repeated(&repeated, answers_to(asked))))
}

/// The app for whose webhooks something is to be sent.
///
/// # Errors
/// The body has fields, there is no such app, or the app is disabled.
async fn app_to_send_for(state: &State, asked: &Asked<'_>) -> Result<Arc<App>, Problem> {
    let faults = given::nothing(&asked.body, asked.faults_of_query())?;
    if !faults.is_empty() {
        return Err(Problem::Operation(OperationError::Faults(faults)));
    }
    let app = events::app(state, asked).await?;
    if app.enabled { Ok(app) } else { Err(Problem::NotPublished(ApiError::AppDisabled)) }
}

/// What of the receivers' answers the token may see.
fn answers_to(asked: &Asked<'_>) -> ReceiverAnswers {
    if asked.by.scopes.contains(&Scope::Payloads) { ReceiverAnswers::Shown } else { ReceiverAnswers::Hidden }
}
