//! The audit log: `GET /v1/audit` (CON-059).

use fanfare_apps::Apps;

use super::asked::{Asked, ok};
use super::given;
use super::problem::Problem;
use crate::audit_json;
use crate::http::Answer;

/// A page of the audit log, the newest entries first.
///
/// # Errors
/// The query has faults, or the database is away.
pub(super) async fn page(apps: &Apps, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (wanted, limit) = given::audit(&asked.query)?;
    Ok(ok(&audit_json::page(&apps.audit_log(&wanted, limit).await?)))
}
