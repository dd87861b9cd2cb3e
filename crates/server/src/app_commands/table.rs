//! Apps as text for the terminal.

use std::fmt::Write as _;

use fanfare_apps::{AppRecord, HourOfUsage, KeyRecord, NewKey, Page, Usage};
use fanfare_config::Origin;
use serde_json::Value;

use crate::app_json::{Secrets, hour_moment, moment, settings, total};
use crate::columns::aligned;

/// One line for each app of the page. Where there is none, it is told what was asked for, or the `place`; `place_of` says where the
/// configuration names an app.
pub(super) fn list<'a>(
    page: &Page,
    (prefix, place): (&str, Option<String>),
    place_of: impl Fn(&str) -> Option<&'a Origin>,
) -> String {
    let records = &page.apps;
    if records.is_empty() && !prefix.is_empty() {
        return format!("No id and no name of an app begins with {prefix}.\n");
    }
    if records.is_empty() {
        let place = place.map_or_else(String::new, |place| format!(" in {place}"));
        return format!("There is no app here{place}.\n");
    }
    let mut rows = vec![["ID", "NAME", "STATE", "KEYS", "CREATED", "FROM"].map(str::to_owned)];
    rows.extend(records.iter().map(|record| {
        let keys = record.keys.iter().filter(|pair| pair.revoked_at.is_none());
        let keys: Vec<&str> = keys.map(|pair| &*pair.key).collect();
        [
            record.id.clone(),
            record.name.clone(),
            state(record).to_owned(),
            keys.join(","),
            created(record),
            from(place_of(&record.id)),
        ]
    }));
    let mut text = aligned(&rows);
    if let Some(next) = &page.next {
        let _ = writeln!(text, "There are more: --after {next}");
    }
    text
}

/// All facts of one app; `place` is where the configuration names the app.
pub(super) fn one(record: &AppRecord, place: Option<&Origin>, secrets: Secrets) -> String {
    let mut text = aligned(&[
        ["id".to_owned(), record.id.clone()],
        ["name".to_owned(), record.name.clone()],
        ["state".to_owned(), state(record).to_owned()],
        ["created".to_owned(), created(record)],
        ["from".to_owned(), from(place)],
    ]);
    text.push_str("\nkeys\n");
    for pair in &record.keys {
        let _ = writeln!(text, "  {}{}", pair.key, about(pair, secrets));
    }
    text.push_str("\nsettings that differ from the server's\n");
    let mut rows = Vec::new();
    for (name, value) in &settings(record) {
        match value {
            Value::Object(limits) => {
                rows.extend(
                    limits.iter().map(|(limit, value)| [format!("  {name}.{limit}"), value.to_string()]),
                );
            }
            value => rows.push([format!("  {name}"), value.to_string()]),
        }
    }
    text.push_str(&if rows.is_empty() { "  none\n".to_owned() } else { aligned(&rows) });
    text
}

/// One line for each hour, and a line of totals.
pub(super) fn usage(used: &[HourOfUsage]) -> String {
    if used.is_empty() {
        return "Nothing was used in these hours, as far as servers have told; each tells once a minute.\n"
            .to_owned();
    }
    let columns = [
        "HOUR",
        "CONNECTIONS",
        "FROM BACK ENDS",
        "FROM CLIENTS",
        "DELIVERIES",
        "BYTES",
        "WEBHOOKS",
        "FAILED",
        "DROPPED",
    ];
    let mut rows = vec![columns.map(str::to_owned)];
    rows.extend(used.iter().map(|HourOfUsage { hour, usage }| usage_row(hour_moment(*hour), usage)));
    rows.push(usage_row("total".to_owned(), &total(used)));
    aligned(&rows)
}

fn usage_row(first: String, usage: &Usage) -> [String; 9] {
    let counts = usage.named().into_iter().map(|(_, count)| count.to_string());
    let mut cells = std::iter::once(first).chain(counts);
    std::array::from_fn(|_| cells.next().unwrap_or_default())
}

/// The credentials of a new app, to be written down.
pub(super) fn new_app(record: &AppRecord, pair: &NewKey) -> String {
    let mut rows = vec![["app id".to_owned(), record.id.clone()]];
    rows.extend(pair_rows(pair));
    aligned(&rows)
}

/// The credentials of a new key, to be written down.
pub(super) fn new_key(pair: &NewKey) -> String {
    aligned(&pair_rows(pair))
}

fn pair_rows(pair: &NewKey) -> [[String; 2]; 2] {
    [["key".to_owned(), pair.key.clone()], ["secret".to_owned(), pair.secret.expose().to_owned()]]
}

fn created(record: &AppRecord) -> String {
    record.created_at.map_or_else(String::new, moment)
}

fn state(record: &AppRecord) -> &'static str {
    if record.enabled { "enabled" } else { "disabled" }
}

/// Where an app is from: the database, or a place in the configuration.
fn from(place: Option<&Origin>) -> String {
    place.map_or_else(|| "the database".to_owned(), |place| format!("the configuration, {place}"))
}

fn about(pair: &KeyRecord, secrets: Secrets) -> String {
    let mut text = String::new();
    if secrets == Secrets::Shown {
        let secret =
            pair.secret.as_ref().map_or("(sealed with a master key that is not configured)", |s| s.expose());
        let _ = write!(text, "  secret {secret}");
    }
    if let Some(at) = pair.created_at {
        let _ = write!(text, "  created {}", moment(at));
    }
    if let Some(at) = pair.revoked_at {
        let _ = write!(text, "  revoked {}", moment(at));
    }
    text
}
