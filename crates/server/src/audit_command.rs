//! Runs `fanfare audit`: prints the audit log of the apps' database, whether a server runs or not.

use fanfare_apps::{AuditPage, AuditRecord, AuditWanted};
use fanfare_config::Config;

use crate::app_commands::{CommandError, Done, open_apps};
use crate::app_json::moment;
use crate::audit_json;
use crate::columns::aligned;
use crate::command_line::AuditCommand;
use crate::plain::{plain, plain_value};

/// Runs the command; returns the text to print.
///
/// # Errors
/// The database cannot be opened, or does not answer.
pub async fn run(config: &Config, command: AuditCommand) -> Result<Done, CommandError> {
    let apps = open_apps(config, command.place.create_database).await?;
    let AuditCommand { app, action, token, limit, after, .. } = command;
    let wanted = AuditWanted { before: after, app, action, token };
    let page = apps.audit_log(&wanted, limit.into()).await?;
    let text = if command.place.json { format!("{:#}\n", audit_json::page(&page)) } else { table(&page) };
    Ok(Done::looked(text))
}

fn table(page: &AuditPage) -> String {
    if page.entries.is_empty() {
        return "Nothing is in the audit log here.\n".to_owned();
    }
    let mut rows = vec![["AT", "BY", "FROM", "APP", "ACTION", "DETAIL"].map(str::to_owned)];
    rows.extend(page.entries.iter().map(row));
    let mut text = aligned(&rows);
    if let Some(next) = page.next {
        text.push_str(&format!("There are more: --after {next}\n"));
    }
    text
}

fn row(entry: &AuditRecord) -> [String; 6] {
    let by = match entry.token {
        Some(token) => format!("{} #{token}", plain(&entry.name)),
        None => plain(&entry.name),
    };
    let or_none = |text: &Option<String>| plain(text.as_deref().unwrap_or("-"));
    let detail = if entry.detail.as_object().is_some_and(|detail| detail.is_empty()) {
        String::new()
    } else {
        plain_value(&entry.detail)
    };
    [moment(entry.at), by, or_none(&entry.address), or_none(&entry.app), entry.action.clone(), detail]
}
