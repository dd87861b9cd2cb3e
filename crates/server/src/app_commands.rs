//! Runs `fanfare app …`.
//!
//! Works on the database directly, whether a server runs or not; running servers follow the change by
//! themselves. A secret is printed when the secret is made or asked for, never else.

mod confirm;
mod given;
mod table;

use std::io::Read as _;
use std::path::Path;

use fanfare_apps::{
    AppRecord, Apps, AppsError, AppsWanted, AuditAction, AuditEntry, Auditor, NewApp, OperationError,
    Storage, Update,
};
use fanfare_config::Config;
use fanfare_config::redis_url_faults;
use serde_json::{Map, Value, json};

use crate::app_json::{self, Secrets};
use crate::command_line::{
    AppAction, AppCommand, CreateOptions, EXIT_CONFIG, EXIT_IO, EXIT_UNAVAILABLE, UpdateOptions,
};

/// Longest secret file, in bytes.
const MOST_SECRET: u64 = 4096;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The database cannot be opened.
    #[error(transparent)]
    Apps(#[from] AppsError),
    /// The operation was refused, or the database does not answer.
    #[error("{0}")]
    Operation(#[from] OperationError),
    /// Options that cannot be parsed: each with its reason.
    #[error("{}", .0.join("\n"))]
    Options(Vec<String>),
    /// Somebody has to say yes, and nobody did.
    #[error("{0} Nothing was done; --yes does it without asking")]
    NotConfirmed(String),
    /// The file of a secret cannot be read.
    #[error("the secret cannot be read: {0}")]
    SecretFile(std::io::Error),
    /// The running server has refused what the caller wants, in its words.
    #[error("{0}")]
    Refused(String),
    /// The running server is away, or went away, in words.
    #[error("{0}")]
    ServerAway(String),
    /// What comes cannot be printed.
    #[error("standard output cannot be written: {0}")]
    Unprinted(std::io::Error),
}

impl CommandError {
    /// The exit status: whether the caller made the fault, a part was away, or nothing could be printed.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Apps(AppsError::Missing { .. }) => EXIT_CONFIG,
            Self::Apps(_) | Self::Operation(OperationError::Database(_) | OperationError::Random(_)) => {
                EXIT_UNAVAILABLE
            }
            Self::ServerAway(_) => EXIT_UNAVAILABLE,
            Self::Unprinted(_) => EXIT_IO,
            Self::Operation(_)
            | Self::Options(_)
            | Self::NotConfirmed(_)
            | Self::SecretFile(_)
            | Self::Refused(_) => EXIT_CONFIG,
        }
    }
}

/// What is to be told of a command that was done.
pub struct Done {
    /// For standard output.
    pub text: String,
    /// The database that was written to, in words.
    pub written: Option<String>,
}

impl Done {
    /// Of a command that has only looked.
    #[must_use]
    pub const fn looked(text: String) -> Self {
        Self { text, written: None }
    }

    /// Of a command that has written to the database of the configuration.
    pub(crate) fn wrote(text: String, config: &Config) -> Self {
        Self { text, written: config.database().map(|database| database.place()) }
    }
}

/// Opens the apps for a command, which makes no database unless it was told to.
pub(crate) async fn open_apps(config: &Config, creates: bool) -> Result<Apps, AppsError> {
    Apps::open(config.fixed_apps(), config.database(), Storage { creates, ..config.kept() }).await
}

/// Runs the command; returns the text to print.
///
/// # Errors
/// Nothing was changed.
pub async fn run(config: &Config, command: AppCommand) -> Result<Done, CommandError> {
    let apps = open_apps(config, command.place.create_database).await?;
    let json = command.place.json;
    let wrote = |text| Done::wrote(text, config);
    Ok(match command.action {
        AppAction::Create(wanted) => wrote(create(&apps, wanted, json).await?),
        AppAction::List { prefix, after, limit } => {
            let wanted = AppsWanted { prefix: &prefix, after: after.as_deref(), most: limit.into() };
            let page = apps.list(wanted).await?;
            let place = config.database().map(|database| database.place());
            let place_of = |id: &str| config.place_of_app(id);
            Done::looked(if json {
                pretty(&app_json::page(&page, place_of))
            } else {
                table::list(&page, (&prefix, place), place_of)
            })
        }
        AppAction::Show { id, secrets } => {
            let secrets = if secrets { Secrets::Shown } else { Secrets::Hidden };
            let record = apps.show(&id).await?;
            if secrets == Secrets::Shown {
                let keys = record.keys.iter().map(|pair| pair.key.as_str());
                apps.audit(&entry(&id, AuditAction::SecretShow).with_keys(keys)).await;
            }
            let place = config.place_of_app(&id);
            Done::looked(if json {
                pretty(&app_json::app(&record, place, secrets))
            } else {
                table::one(&record, place, secrets)
            })
        }
        AppAction::Usage { id, hours } => Done::looked(usage(&apps, &id, hours, json).await?),
        AppAction::Update(wanted) => wrote(update(&apps, wanted, json).await?),
        AppAction::RotateKey { id } => {
            let pair = apps.rotate_key(&id).await?;
            apps.audit(&entry(&id, AuditAction::KeyCreate).with("key", pair.key.as_str().into())).await;
            wrote(if json { pretty(&app_json::new_key(&pair)) } else { table::new_key(&pair) })
        }
        AppAction::RevokeKey { id, key } => {
            apps.revoke_key(&id, &key).await?;
            apps.audit(&entry(&id, AuditAction::KeyRevoke).with("key", key.as_str().into())).await;
            wrote(done(json, &format!("key {key} of app {id} is not valid any more")))
        }
        AppAction::Disable { id } => wrote(switch(&apps, &id, false, json).await?),
        AppAction::Enable { id } => wrote(switch(&apps, &id, true, json).await?),
        AppAction::Delete { id, yes } => wrote(delete(&apps, &id, yes, json).await?),
        AppAction::SealSecrets { yes } => seal(&apps, config, yes, json).await?,
    })
}

async fn delete(apps: &Apps, id: &str, yes: bool, json: bool) -> Result<String, CommandError> {
    let record = apps.show(id).await?;
    if record.fixed {
        return Err(OperationError::Fixed(id.to_owned()).into());
    }
    let name = if record.name.is_empty() { String::new() } else { format!(" ({})", record.name) };
    let question = format!(
        "Deleting app {id}{name} takes its keys away for good, closes its connections and refuses its back ends."
    );
    if !confirm::ask(&question, yes) {
        return Err(CommandError::NotConfirmed(question));
    }
    apps.delete(id).await?;
    apps.audit(&entry(id, AuditAction::AppDelete)).await;
    Ok(done(json, &format!("app {id} is deleted")))
}

async fn seal(apps: &Apps, config: &Config, yes: bool, json: bool) -> Result<Done, CommandError> {
    let found = apps.to_seal().await?;
    let count = found.len();
    if !found.is_empty() {
        let question = format!(
            "{count} secrets are to be sealed with the master key {}. A server that runs without this key cannot use \
             their apps from that moment on: first put the key on the first line of every server's \
             apps.master_key_file, and restart each.",
            found.key()
        );
        if !confirm::ask(&question, yes) {
            return Err(CommandError::NotConfirmed(question));
        }
        apps.seal(&found).await?;
    }
    let text = match (json, count) {
        (true, _) => pretty(&json!({ "sealed": count })),
        (false, 0) => format!("every secret is sealed with the master key {} already\n", found.key()),
        (false, _) => format!("{count} secrets were sealed anew\n"),
    };
    Ok(if count == 0 { Done::looked(text) } else { Done::wrote(text, config) })
}

async fn create(apps: &Apps, wanted: CreateOptions, json: bool) -> Result<String, CommandError> {
    let mut settings = given::settings(&wanted.set, &[]).map_err(CommandError::Options)?;
    put_redis_url(&mut settings, wanted.redis_url_file.as_deref())?;
    let secret = wanted.secret_file.as_deref().map(read_secret).transpose()?;
    let CreateOptions { id, name, key, .. } = wanted;
    let faults = redis_url_faults(&settings);
    let new = NewApp { id, name, key, secret, settings, faults };
    let (record, pair) = apps.create(new).await?;
    apps.audit(&entry(&record.id, AuditAction::AppCreate).with("name", record.name.as_str().into())).await;
    Ok(if json {
        pretty(&app_json::app(&record, None, Secrets::Shown))
    } else {
        table::new_app(&record, &pair)
    })
}

async fn update(apps: &Apps, wanted: UpdateOptions, json: bool) -> Result<String, CommandError> {
    let mut settings = given::settings(&wanted.set, &wanted.unset).map_err(CommandError::Options)?;
    put_redis_url(&mut settings, wanted.redis_url_file.as_deref())?;
    let faults = redis_url_faults(&settings);
    let update = Update { name: wanted.name, settings, faults, ..Update::default() };
    let record = change(apps, &wanted.id, &update).await?;
    Ok(if json {
        pretty(&app_json::app(&record, None, Secrets::Hidden))
    } else {
        table::one(&record, None, Secrets::Hidden)
    })
}

/// Changes an app, and keeps what has changed.
async fn change(apps: &Apps, id: &str, update: &Update) -> Result<AppRecord, OperationError> {
    let changed = apps.update(id, update).await?;
    let [before, after] =
        [&changed.before, &changed.after].map(|app| app_json::app(app, None, Secrets::Hidden));
    if before != after {
        apps.audit(&entry(id, AuditAction::AppUpdate).with_changes(&before, &after)).await;
    }
    Ok(changed.after)
}

/// An entry of the audit log about an app.
fn entry(id: &str, action: AuditAction) -> AuditEntry {
    AuditEntry::about(id, action, Auditor::command())
}

async fn usage(apps: &Apps, id: &str, hours: u32, json: bool) -> Result<String, CommandError> {
    if json {
        return Ok(pretty(&app_json::latest_usage(apps, id, hours).await?));
    }
    let range = app_json::latest_hours(hours);
    Ok(table::usage(&apps.usage(id, range.start, range.end).await?))
}

async fn switch(apps: &Apps, id: &str, enabled: bool, json: bool) -> Result<String, CommandError> {
    change(apps, id, &Update { enabled: Some(enabled), ..Update::default() }).await?;
    let word = if enabled { "enabled" } else { "disabled" };
    Ok(done(json, &format!("app {id} is {word}")))
}

fn done(json: bool, sentence: &str) -> String {
    if json { pretty(&json!({ "done": sentence })) } else { format!("{sentence}\n") }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Adds a Redis URL, read from a file, to the settings.
fn put_redis_url(settings: &mut Map<String, Value>, file: Option<&Path>) -> Result<(), CommandError> {
    if let Some(file) = file {
        given::put(settings, "redis_feed.url", read_secret(file)?.into());
    }
    Ok(())
}

/// A secret does not belong on a command line, which every process on the machine can read.
fn read_secret(path: &Path) -> Result<String, CommandError> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(MOST_SECRET).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MOST_SECRET).read_to_string(&mut text))
    };
    read.map_err(CommandError::SecretFile)?;
    Ok(text.trim().to_owned())
}
