//! Changed settings as JSON, for the administration API and the audit log. Secrets are in none.

use fanfare_config::{SettingChange, SettingChanges};
use serde_json::{Value, json};

/// Most names in a line.
const MOST_NAMED: usize = 100;

/// What a reload has taken over, and what needs a restart.
pub fn as_json(changes: &SettingChanges) -> Value {
    let list = |changes: &[SettingChange]| changes.iter().map(one).collect::<Vec<_>>();
    json!({ "taken_over": list(&changes.taken_over), "needs_restart": list(&changes.needs_restart) })
}

/// One setting, with its values before and now where they are no secrets; or one app.
fn one(change: &SettingChange) -> Value {
    match change {
        SettingChange::Node { key, values: Some((old, new)) } => {
            json!({ "key": key, "old": old, "new": new })
        }
        SettingChange::Node { key, values: None } => json!({ "key": key, "old": null, "new": null }),
        SettingChange::App { id, change: what } => {
            json!({ "key": change.key(), "app": id, "change": what.as_str() })
        }
    }
}

/// The names alone, parted by commas; of very many the first, and the number of the others.
pub fn names(changes: &[SettingChange]) -> String {
    let mut names: Vec<String> = changes.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    if changes.len() > MOST_NAMED {
        names.push(format!("and {} more", changes.len() - MOST_NAMED));
    }
    names.join(", ")
}
