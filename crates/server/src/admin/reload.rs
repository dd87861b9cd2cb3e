//! `POST /v1/reload`: the server reads every source of its settings again, and takes over what can change while it runs.

use fanfare_apps::{AuditAction, AuditEntry, OperationError};
use serde_json::json;

use super::asked::{Asked, ok};
use super::problem::Problem;
use crate::http::Answer;
use crate::reloads::ReloadOutcome;
use crate::setting_changes;
use crate::state::State;

/// What was taken over, and what needs a restart.
///
/// # Errors
/// The sources have faults: all of them, and nothing was taken over. Or a reload is under way and another waits.
pub(super) async fn reload(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.has_no_query()?;
    let outcome = state.reloads.ask().await.map_err(|_| Problem::Busy)?;
    let apps = &state.node.apps;
    let entry = AuditEntry::of_node(AuditAction::ConfigReload, asked.auditor());
    match outcome {
        ReloadOutcome::TakenOver(changes) => {
            let [taken_over, needs_restart] =
                [&changes.taken_over, &changes.needs_restart].map(|list| setting_changes::names(list));
            let entry = entry.with("taken_over", taken_over.into());
            asked.note(apps, entry.with("needs_restart", needs_restart.into())).await;
            Ok(ok(&setting_changes::as_json(&changes)))
        }
        ReloadOutcome::Refused(faults) => {
            asked.note(apps, entry.with("faults", json!(faults.len()))).await;
            Err(Problem::Operation(OperationError::Faults(faults.to_vec())))
        }
    }
}
