//! Entries of the audit log as JSON, the same for the administration API and the command line (CON-084).

use fanfare_apps::{AuditPage, AuditRecord};
use serde_json::{Value, json};

use crate::app_json::moment;

/// A page of entries.
pub fn page(page: &AuditPage) -> Value {
    json!({
        "entries": page.entries.iter().map(entry).collect::<Vec<_>>(),
        "next": page.next.map(|next| next.to_string()),
    })
}

fn entry(entry: &AuditRecord) -> Value {
    let AuditRecord { id, at, token, name, address, app, action, detail } = entry;
    json!({
        "id": id.to_string(), "at": moment(*at), "token": token, "name": name, "address": address, "app": app,
        "action": action, "detail": detail,
    })
}
