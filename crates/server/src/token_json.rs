//! A token as JSON and in the audit log, the same for the administration API and the command line. Never holds the token itself.

use fanfare_apps::{AuditAction, AuditEntry, Auditor, TokenPage, TokenRecord};
use serde_json::{Value, json};

use crate::app_json::moment;

/// A page of tokens.
pub fn page(page: &TokenPage) -> Value {
    json!({
        "tokens": page.tokens.iter().map(one).collect::<Vec<_>>(),
        "next": page.next.map(|next| next.to_string()),
    })
}

/// The entry of the audit log that a token was made.
pub fn made(record: &TokenRecord, by: Auditor) -> AuditEntry {
    AuditEntry::of_node(AuditAction::TokenCreate, by).with("token", one(record))
}

/// The entry of the audit log that the token with this number was revoked.
pub fn revoked(number: i64, by: Auditor) -> AuditEntry {
    AuditEntry::of_node(AuditAction::TokenRevoke, by).with("token", number.into())
}

/// One token.
pub fn one(record: &TokenRecord) -> Value {
    let TokenRecord { id, name, scopes, apps, created_at, expires_at, revoked_at, used_at } = record;
    json!({
        "number": id,
        "name": name,
        "scopes": scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
        "apps": apps,
        "created_at": moment(*created_at),
        "last_used_at": used_at.map(moment),
        "expires_at": expires_at.map(moment),
        "revoked_at": revoked_at.map(moment),
    })
}
