//! Runs `fanfare app …`.
//!
//! Works on the database directly, whether a server runs or not; running servers follow the change by
//! themselves. A secret is printed when the secret is made or asked for, never else.

mod given;
mod table;

use std::io::Read as _;
use std::path::Path;

use fanfare_apps::{Apps, AppsError, NewApp, OperationError, Update};
use fanfare_config::Config;
use fanfare_config::redis_url_faults;
use serde_json::{Map, Value, json};

use crate::app_json::{self, Secrets};
use crate::command_line::{AppAction, AppCommand, CreateOptions, UpdateOptions};

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
    /// The file of a secret cannot be read.
    #[error("the secret cannot be read: {0}")]
    SecretFile(std::io::Error),
}

impl CommandError {
    /// Whether the caller made the fault; otherwise a part was away.
    #[must_use]
    pub const fn is_askers(&self) -> bool {
        match self {
            Self::Apps(_) | Self::Operation(OperationError::Database(_) | OperationError::Random(_)) => false,
            Self::Operation(_) | Self::Options(_) | Self::SecretFile(_) => true,
        }
    }
}

/// Runs the command; returns the text to print.
///
/// # Errors
/// Nothing was changed.
pub async fn run(config: &Config, command: AppCommand) -> Result<String, CommandError> {
    let apps = Apps::open(config.fixed_apps(), config.database(), config.kept()).await?;
    let json = command.place.json;
    Ok(match command.action {
        AppAction::Create(wanted) => create(&apps, wanted, json).await?,
        AppAction::List { after, limit } => {
            let page = apps.list(after.as_deref(), limit.into()).await?;
            if json { pretty(&app_json::page(&page)) } else { table::list(&page) }
        }
        AppAction::Show { id, secrets } => {
            let secrets = if secrets { Secrets::Shown } else { Secrets::Hidden };
            let record = apps.show(&id).await?;
            if json { pretty(&app_json::app(&record, secrets)) } else { table::one(&record, secrets) }
        }
        AppAction::Usage { id, hours } => usage(&apps, &id, hours, json).await?,
        AppAction::Update(wanted) => update(&apps, wanted, json).await?,
        AppAction::RotateKey { id } => {
            let pair = apps.rotate_key(&id).await?;
            if json { pretty(&app_json::new_key(&pair)) } else { table::new_key(&pair) }
        }
        AppAction::RevokeKey { id, key } => {
            apps.revoke_key(&id, &key).await?;
            done(json, &format!("key {key} of app {id} is not valid any more"))
        }
        AppAction::Disable { id } => switch(&apps, &id, false, json).await?,
        AppAction::Enable { id } => switch(&apps, &id, true, json).await?,
        AppAction::Delete { id } => {
            apps.delete(&id).await?;
            done(json, &format!("app {id} is deleted"))
        }
        AppAction::SealSecrets => {
            let count = apps.seal_secrets().await?;
            if json {
                pretty(&json!({ "sealed": count }))
            } else {
                format!("{count} secrets were sealed anew\n")
            }
        }
    })
}

async fn create(apps: &Apps, wanted: CreateOptions, json: bool) -> Result<String, CommandError> {
    let mut settings = given::settings(&wanted.set, &[]).map_err(CommandError::Options)?;
    put_redis_url(&mut settings, wanted.redis_url_file.as_deref())?;
    let secret = wanted.secret_file.as_deref().map(read_secret).transpose()?;
    let CreateOptions { id, name, key, .. } = wanted;
    let faults = redis_url_faults(&settings);
    let new = NewApp { id, name, key, secret, settings, faults };
    let (record, pair) = apps.create(new).await?;
    Ok(if json { pretty(&app_json::app(&record, Secrets::Shown)) } else { table::new_app(&record, &pair) })
}

async fn update(apps: &Apps, wanted: UpdateOptions, json: bool) -> Result<String, CommandError> {
    let mut settings = given::settings(&wanted.set, &wanted.unset).map_err(CommandError::Options)?;
    put_redis_url(&mut settings, wanted.redis_url_file.as_deref())?;
    let faults = redis_url_faults(&settings);
    let update = Update { name: wanted.name, settings, faults, ..Update::default() };
    let record = apps.update(&wanted.id, &update).await?;
    Ok(if json {
        pretty(&app_json::app(&record, Secrets::Hidden))
    } else {
        table::one(&record, Secrets::Hidden)
    })
}

async fn usage(apps: &Apps, id: &str, hours: u32, json: bool) -> Result<String, CommandError> {
    if json {
        return Ok(pretty(&app_json::latest_usage(apps, id, hours).await?));
    }
    let range = app_json::latest_hours(hours);
    Ok(table::usage(&apps.usage(id, range.start, range.end).await?))
}

async fn switch(apps: &Apps, id: &str, enabled: bool, json: bool) -> Result<String, CommandError> {
    apps.update(id, &Update { enabled: Some(enabled), ..Update::default() }).await?;
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
