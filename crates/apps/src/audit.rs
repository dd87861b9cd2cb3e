//! The audit log: who changed, sent, closed or looked at what, and who tried to get in (CON-059).
//!
//! Kept in the apps' database, for without one there are no tokens and so no operators. Holds no secret, no token and no
//! payload. Nothing deletes single entries but the sweep: those that are too old, and of refused logins, which strangers cause, and of each
//! token's live lists with payloads, which readers cause, all but the newest [`MOST_OF_READERS`].

mod action;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fanfare_protocol::close::shortened;
use serde_json::{Map, Value, json};

pub use self::action::AuditAction;

use crate::apps::{Apps, in_time};
use crate::operations::OperationError;
use crate::store::{AuditWanted, Noted, NotedAt};
use crate::tokens::Bearer;

/// Most rows of a page.
pub const MOST_AUDITED: usize = 200;

/// Most entries that a sweep leaves of refused logins, and of the live lists with payloads of each token.
pub const MOST_OF_READERS: u32 = 10_000;

/// Characters of a key that name the key where the rest is not told.
const SHOWN_OF_KEY: usize = 4;

/// Longest name, filter or the like within a detail, in bytes; the end of a longer one is left out.
const MOST_VALUE: usize = 256;

/// Longest detail in bytes of JSON; a longer one tells its length alone.
const MOST_DETAIL: usize = 8 * 1024;

/// Who did something, and from where.
#[derive(Clone, Debug)]
pub struct Auditor {
    token: Option<i64>,
    name: String,
    address: Option<IpAddr>,
}

/// An entry to be kept.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// Who did it.
    pub by: Auditor,
    /// The app, if any.
    pub app: Option<String>,
    /// What was done.
    pub action: AuditAction,
    /// More about it, by name: old and new values, without secrets.
    pub detail: Map<String, Value>,
}

/// An entry that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    /// The entry's number, which grows.
    pub id: i64,
    /// Milliseconds since 1970, by the database's clock.
    pub at: i64,
    /// The number of the token; `None` for a command, for a signed request, and for somebody without a token.
    pub token: Option<i64>,
    /// The token's name, the key that signed, or the command.
    pub name: String,
    /// From where a request came.
    pub address: Option<String>,
    /// The app, if any.
    pub app: Option<String>,
    /// What was done.
    pub action: String,
    /// More about it.
    pub detail: Value,
}

/// A part of the audit log, the newest first.
#[derive(Debug)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditRecord>,
    /// The number before which the next page begins; `None` on the last.
    pub next: Option<i64>,
}

impl Auditor {
    /// The bearer of a token, at an address.
    #[must_use]
    pub fn bearer(bearer: &Bearer, address: IpAddr) -> Self {
        Self { token: Some(bearer.id), name: bearer.name.clone(), address: Some(address) }
    }

    /// Somebody without a token, at an address.
    #[must_use]
    pub const fn nobody(address: IpAddr) -> Self {
        Self { token: None, name: String::new(), address: Some(address) }
    }

    /// A back end, or the command line, at an address: whoever signs with an app's key, which is named as traces name it.
    #[must_use]
    pub const fn key(name: String, address: IpAddr) -> Self {
        Self { token: None, name, address: Some(address) }
    }

    /// The number of the token, if there is one.
    #[must_use]
    pub const fn token(&self) -> Option<i64> {
        self.token
    }

    /// The token's name, the key as traces name it, or the command.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command of `fanfare` that works on the database.
    #[must_use]
    pub fn command() -> Self {
        Self { token: None, name: "command line".to_owned(), address: None }
    }
}

impl AuditEntry {
    /// Something about an app.
    #[must_use]
    pub fn about(app: &str, action: AuditAction, by: Auditor) -> Self {
        Self { by, app: Some(app.to_owned()), action, detail: Map::new() }
    }

    /// Something about no app.
    #[must_use]
    pub fn of_node(action: AuditAction, by: Auditor) -> Self {
        Self { by, app: None, action, detail: Map::new() }
    }

    /// The same, with more about it; of long texts the beginning.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.detail.insert(name.to_owned(), storable(value, MOST_VALUE));
        self
    }

    /// The same, with the beginning of each of these keys, which names a key but does not tell the whole.
    #[must_use]
    pub fn with_keys<'a>(self, keys: impl Iterator<Item = &'a str>) -> Self {
        self.with("keys", keys.map(|key| format!("{}…", key.get(..SHOWN_OF_KEY).unwrap_or(key))).collect())
    }

    /// The same, with what differs of two objects: the old values and the new.
    #[must_use]
    pub fn with_changes(mut self, old: &Value, new: &Value) -> Self {
        let (mut before, mut after) = (Map::new(), Map::new());
        differences("", old, new, &mut before, &mut after);
        for (name, values) in [("old", before), ("new", after)] {
            self.detail.insert(name.to_owned(), storable(values.into(), usize::MAX));
        }
        self
    }

    fn noted(&self) -> Noted {
        let detail = Value::Object(self.detail.clone()).to_string();
        let detail = match detail.len() {
            length if length > MOST_DETAIL => json!({ "bytes": length }).to_string(),
            _ => detail,
        };
        Noted {
            token_id: self.by.token,
            name: without_nul(&self.by.name),
            address: self.by.address.map(|address| address.to_canonical().to_string()),
            app_id: self.app.clone(),
            action: self.action.as_str().to_owned(),
            detail,
        }
    }
}

/// A value as it is kept: of each text so many bytes at most, and no U+0000.
fn storable(value: Value, most: usize) -> Value {
    let text = |text: &str| without_nul(&shortened(text, most));
    match value {
        Value::String(long) => text(&long).into(),
        Value::Array(values) => values.into_iter().map(|value| storable(value, most)).collect(),
        Value::Object(values) => {
            values.into_iter().map(|(name, value)| (text(&name), storable(value, most))).collect()
        }
        other => other,
    }
}

/// The text with a visible character for U+0000, which Postgres cannot store.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}

/// The members of objects that differ, by their paths.
fn differences(
    path: &str,
    old: &Value,
    new: &Value,
    before: &mut Map<String, Value>,
    after: &mut Map<String, Value>,
) {
    match (old, new) {
        (Value::Object(one), Value::Object(other)) => {
            let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let of = |object: &Map<String, Value>| object.get(name).cloned().unwrap_or(Value::Null);
                differences(&path, &of(one), &of(other), before, after);
            }
        }
        _ if old == new => {}
        _ => {
            before.insert(path.to_owned(), old.clone());
            after.insert(path.to_owned(), new.clone());
        }
    }
}

impl Apps {
    /// Keeps an entry. What was done stays done without its entry: a failure is logged.
    pub async fn audit(&self, entry: &AuditEntry) {
        if let Err(error) = self.audit_first(entry).await {
            let (action, app) = (entry.action.as_str(), entry.app.as_deref());
            tracing::warn!(target: "fanfare::admin", action, app, token = entry.by.token, %error, "not in the audit log");
            self.unaudited().fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many entries could not be kept, since the start; those of [`Apps::audit_first`] are not among them, because what
    /// they are about is not done then.
    #[must_use]
    pub fn unaudited(&self) -> Arc<AtomicU64> {
        self.stored.as_ref().map(|stored| Arc::clone(&stored.unaudited)).unwrap_or_default()
    }

    /// Keeps an entry of what is about to be done, and must not be done without its entry.
    ///
    /// # Errors
    /// The entry is not kept, as far as is known in time.
    pub async fn audit_first(&self, entry: &AuditEntry) -> Result<(), OperationError> {
        let Some(stored) = &self.stored else { return Ok(()) };
        let noted = entry.noted();
        in_time(async { stored.noting(stored.store.add_audit(&noted).await) }).await
    }

    /// At most `most` of the entries that are wanted, the newest first.
    ///
    /// # Errors
    /// There is no database, or the database is away.
    pub async fn audit_log(&self, wanted: &AuditWanted, most: usize) -> Result<AuditPage, OperationError> {
        let most = most.clamp(1, MOST_AUDITED);
        // One more than requested shows whether another page follows.
        let count = i64::try_from(most).unwrap_or(i64::MAX) + 1;
        let mut rows = self.writable()?.store.audit(wanted, count).await?;
        let has_more = rows.len() > most;
        rows.truncate(most);
        let next = rows.last().filter(|_| has_more).map(|row| row.id);
        Ok(AuditPage { entries: rows.into_iter().map(AuditRecord::from).collect(), next })
    }

    /// Deletes the entries that are older than so many days, and the oldest of too many that readers and strangers cause; returns
    /// their number.
    ///
    /// # Errors
    /// There is no database, or the database is away.
    pub async fn forget_audit(&self, days: u32) -> Result<u64, OperationError> {
        let stored = self.writable()?;
        let caused = [AuditAction::SessionFailed, AuditAction::LivePayloads].map(AuditAction::as_str);
        stored.noting(stored.store.forget_audit(days, caused, MOST_OF_READERS).await)
    }
}

impl From<NotedAt> for AuditRecord {
    fn from(NotedAt { id, at, noted }: NotedAt) -> Self {
        let Noted { token_id, name, address, app_id, action, detail } = noted;
        let detail = serde_json::from_str(&detail).unwrap_or_default();
        Self { id, at, token: token_id, name, address, app: app_id, action, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_by_path_and_what_stayed_is_not() {
        let old = json!({ "name": "shop", "settings": { "limits": { "a": 1, "b": 2 } } });
        let new = json!({ "name": "shop", "settings": { "limits": { "a": 1, "b": 3 }, "trace": true } });
        let entry =
            AuditEntry::about("1", AuditAction::AppUpdate, Auditor::command()).with_changes(&old, &new);
        assert_eq!(
            Value::from(entry.detail),
            json!({
                "old": { "settings.limits.b": 2, "settings.trace": null },
                "new": { "settings.limits.b": 3, "settings.trace": true },
            })
        );
    }

    #[test]
    fn a_long_detail_is_told_by_its_length() {
        let new = json!({ "name": "n".repeat(MOST_DETAIL) });
        let entry = AuditEntry::of_node(AuditAction::AppUpdate, Auditor::command());
        let noted = entry.with_changes(&json!({ "name": "" }), &new).noted();
        assert_eq!(noted.detail, format!(r#"{{"bytes":{}}}"#, MOST_DETAIL + 37));
    }

    #[test]
    fn con_059_long_names_are_shortened_at_every_depth() {
        let entry = AuditEntry::of_node(AuditAction::LivePayloads, Auditor::command());
        let long = "n".repeat(MOST_VALUE + 1);
        let noted = entry.with("filter", json!({ "event": long, "user": [long] })).noted();
        let kept = format!("{}…", "n".repeat(MOST_VALUE));
        let wanted = json!({ "filter": { "event": kept, "user": [kept] } });
        assert_eq!(serde_json::from_str::<Value>(&noted.detail).unwrap(), wanted);
    }
}
