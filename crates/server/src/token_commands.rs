//! Runs `fanfare token …`.
//!
//! Works on the database directly, whether a server runs or not. A token is printed when created,
//! and never again.

use std::collections::BTreeSet;

use fanfare_apps::{Auditor, MOST_TOKENS_LISTED, NewToken, Scope, TokenRecord};
use fanfare_config::Config;
use fanfare_protocol::auth::Secret;
use serde_json::{Value, json};

use crate::app_commands::{CommandError, Done, open_apps};
use crate::app_json::moment;
use crate::columns::aligned;
use crate::command_line::{TokenAction, TokenCommand};
use crate::token_json;

/// Runs the command; returns the text to print.
///
/// # Errors
/// Nothing was changed.
pub async fn run(config: &Config, command: TokenCommand) -> Result<Done, CommandError> {
    let apps = open_apps(config, command.place.create_database).await?;
    let is_json = command.place.json;
    Ok(match command.action {
        TokenAction::Create { name, scope, app, expires_in_days } => {
            let bound_to = (!app.is_empty()).then(|| app.into_iter().collect());
            let seconds = expires_in_days.map(|days| i64::from(days) * 24 * 60 * 60);
            let scopes = scope.into_iter().collect();
            let new = NewToken { name, scopes, apps: bound_to, seconds, made_by: None };
            let (record, token) = apps.create_token(&new).await?;
            apps.audit(&token_json::made(&record, Auditor::command())).await;
            let text = if is_json { pretty(&made(&record, &token)) } else { new_token(&record, &token) };
            Done::wrote(text, config)
        }
        TokenAction::List => {
            let records = apps.tokens(None, MOST_TOKENS_LISTED).await?.tokens;
            Done::looked(if is_json {
                pretty(&json!({ "tokens": records.iter().map(one).collect::<Vec<_>>() }))
            } else {
                list(&records)
            })
        }
        TokenAction::Revoke { id } => {
            apps.revoke_token(id).await?;
            apps.audit(&token_json::revoked(id, Auditor::command())).await;
            let sentence = format!("token {id} is not valid any more");
            let text = if is_json { pretty(&json!({ "done": sentence })) } else { format!("{sentence}\n") };
            Done::wrote(text, config)
        }
    })
}

fn made(record: &TokenRecord, token: &Secret) -> Value {
    let mut value = one(record);
    value["token"] = token.expose().into();
    value
}

/// The token's number is called id here.
fn one(record: &TokenRecord) -> Value {
    let mut value = token_json::one(record);
    if let Some(object) = value.as_object_mut()
        && let Some(number) = object.remove("number")
    {
        object.insert("id".to_owned(), number);
    }
    value
}

fn new_token(record: &TokenRecord, token: &Secret) -> String {
    aligned(&[
        ["token id".to_owned(), record.id.to_string()],
        ["token".to_owned(), token.expose().to_owned()],
        ["scopes".to_owned(), joined(&record.scopes)],
        ["apps".to_owned(), apps_of(record)],
        ["expires".to_owned(), record.expires_at.map_or_else(|| "never".to_owned(), moment)],
    ])
}

fn list(records: &[TokenRecord]) -> String {
    if records.is_empty() {
        return "There is no token here.\n".to_owned();
    }
    let mut rows =
        vec![["ID", "NAME", "SCOPES", "APPS", "CREATED", "USED", "EXPIRES", "REVOKED"].map(str::to_owned)];
    rows.extend(records.iter().map(|record| {
        let optional = |at: Option<i64>| at.map_or_else(String::new, moment);
        [
            record.id.to_string(),
            record.name.clone(),
            joined(&record.scopes),
            apps_of(record),
            moment(record.created_at),
            optional(record.used_at),
            optional(record.expires_at),
            optional(record.revoked_at),
        ]
    }));
    aligned(&rows)
}

fn joined(scopes: &BTreeSet<Scope>) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(",")
}

/// The apps of a bound token.
fn apps_of(record: &TokenRecord) -> String {
    record.apps.as_ref().map_or_else(
        || "all".to_owned(),
        |apps| apps.iter().map(String::as_str).collect::<Vec<_>>().join(","),
    )
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
