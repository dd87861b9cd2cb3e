//! The keys of an app, each with its use on all nodes: `GET /v1/apps/{id}/keys` (CON-052).
//!
//! A secret is shown where the scope `secrets` allows, and to look leaves an entry in the audit log.

use fanfare_apps::AuditAction;
use fanfare_node::numbers::{self, KeyNow};
use fanfare_protocol::ids::AppId;

use super::asked::{Asked, ok};
use super::given;
use super::problem::Problem;
use crate::app_json::{self, Secrets};
use crate::http::Answer;
use crate::listed::of_nodes;
use crate::state::State;

/// The keys, revoked ones included.
///
/// # Errors
/// There is no such app, the query has faults, or a look at secrets cannot be noted.
pub(super) async fn list(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (id, apps) = (&asked.found.id, &state.node.apps);
    let secrets = if given::secrets(&asked.query)? { Secrets::Shown } else { Secrets::Hidden };
    let record = apps.show(id).await?;
    if secrets == Secrets::Shown {
        let keys = record.keys.iter().map(|pair| pair.key.as_str());
        asked.note_first(apps, &asked.entry(id, AuditAction::SecretShow).with_keys(keys)).await?;
    }
    let mut value = app_json::keys(&record, secrets);
    let (used, reached) = numbers::keys(&state.node, &AppId::from(&**id)).await;
    for row in value["keys"].as_array_mut().into_iter().flatten() {
        let key = row["key"].as_str().unwrap_or_default();
        let KeyNow { connections, requests, .. } = used.get(key).cloned().unwrap_or_default();
        row["connections"] = connections.into();
        row["requests_last_hour"] = requests.into();
    }
    Ok(ok(&of_nodes(&state.node, value, &reached)))
}
