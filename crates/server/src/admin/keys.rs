//! The keys of an app, each with its use on this node: `GET /v1/apps/{id}/keys` (CON-052).
//!
//! A secret is shown where the scope `secrets` allows, and to look leaves an entry in the audit log.

use fanfare_apps::AuditAction;
use fanfare_protocol::ids::AppId;

use super::asked::{Asked, ok};
use super::given;
use super::problem::Problem;
use crate::app_json::{self, Secrets};
use crate::http::Answer;
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
    let tenant = state.node.tenants.find(&AppId::from(&**id));
    for row in value["keys"].as_array_mut().into_iter().flatten() {
        let key = row["key"].as_str().unwrap_or_default();
        let (connections, requests) = tenant.as_ref().map_or((0, 0), |tenant| tenant.keys.numbers(key));
        row["connections"] = connections.into();
        row["requests_last_hour"] = requests.into();
    }
    Ok(ok(&value))
}
