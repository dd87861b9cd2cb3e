//! `fanfare app …`: commands for the apps in the database.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fanfare_apps::{MOST_HOURS, setting_names};

use super::options::DataPlace;

/// `fanfare app`.
#[derive(Debug, Args)]
pub struct AppCommand {
    /// Where the apps are.
    #[command(flatten)]
    pub place: DataPlace,
    /// What to do.
    #[command(subcommand)]
    pub action: AppAction,
}

/// What to do with an app.
#[derive(Debug, Subcommand)]
pub enum AppAction {
    /// Make an app; what is not given is made up, and its secret is printed this once
    Create(CreateOptions),
    /// List apps in the order of their ids
    List {
        /// Only those whose id or name begins so, in whatever case
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        prefix: String,
        /// Only those behind this id
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Show an app
    Show {
        /// Which app
        id: String,
        /// Show the secrets of its keys as well
        #[arg(long)]
        secrets: bool,
    },
    /// Show what an app, or one that was deleted, has used, hour by hour
    Usage {
        /// Which app
        id: String,
        /// In the last so many hours, the present one included
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_HOURS)))]
        hours: u32,
    },
    /// Change an app: its name and any of its settings
    Update(UpdateOptions),
    /// Give an app one more key and secret; the older ones stay valid
    RotateKey {
        /// Which app
        id: String,
    },
    /// Make a key invalid
    RevokeKey {
        /// Which app
        id: String,
        /// Which of its keys
        key: String,
    },
    /// Switch an app off: its connections are closed with 4003
    Disable {
        /// Which app
        id: String,
    },
    /// Switch an app on again
    Enable {
        /// Which app
        id: String,
    },
    /// Remove an app with its keys: its connections are closed with 4001
    Delete {
        /// Which app
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Seal all stored secrets with the first master key, which every server must have by then (docs/apps.md)
    SealSecrets {
        /// Do not ask: every server has the key
        #[arg(long)]
        yes: bool,
    },
}

/// Longest line of the list of settings, in characters.
const WIDTH: usize = 96;

/// The settings that there are, for the help.
fn settings() -> String {
    let mut text = String::from("Settings, which config/default.toml explains below [[apps.list]]:");
    let mut width = WIDTH;
    for name in setting_names() {
        if width + name.len() + 1 > WIDTH {
            text.push_str("\n ");
            width = 1;
        }
        text.push(' ');
        text.push_str(&name);
        width += name.len() + 1;
    }
    text
}

/// An app to be made.
#[derive(Debug, Args)]
#[command(after_help = settings())]
pub struct CreateOptions {
    /// 1 to 64 of A-Z a-z 0-9 _ -; Python's SDK wants digits alone [default: seven random ones]
    #[arg(long)]
    pub id: Option<String>,
    /// For people
    #[arg(long, default_value = "")]
    pub name: String,
    /// [default: a random one]
    #[arg(long)]
    pub key: Option<String>,
    /// Read the secret from this file, - for standard input [default: a random one]
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// Read the setting redis_feed.url from this file, - for standard input: it may hold a password
    #[arg(long, value_name = "FILE")]
    pub redis_url_file: Option<PathBuf>,
    /// A setting of the app, such as client_events=true or limits.batch=20; may repeat
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

/// What to change.
#[derive(Debug, Args)]
#[command(after_help = settings())]
pub struct UpdateOptions {
    /// Which app
    pub id: String,
    /// For people
    #[arg(long)]
    pub name: Option<String>,
    /// Read the setting redis_feed.url from this file, - for standard input: it may hold a password
    #[arg(long, value_name = "FILE")]
    pub redis_url_file: Option<PathBuf>,
    /// A setting of the app, such as client_events=true or limits.batch=20; may repeat
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Take a setting back to the server's default; may repeat
    #[arg(long, value_name = "NAME")]
    pub unset: Vec<String>,
}
