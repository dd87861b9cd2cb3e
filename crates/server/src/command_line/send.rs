//! `fanfare send`: the event to publish, and the server to use.

use std::path::PathBuf;

use clap::Args;
use fanfare_config::ServerUrl;

const MORE: &str = "Publishes by the HTTP API, as a back end does, with the credentials that the configuration, the environment or
the database of the server has; and says how many connections were subscribed to the channel.

Exit status: 0 if the event was published, 64 if there is no such app or the channel cannot be used, 69 if the server does
not answer or has refused.

Examples:
  fanfare send my-channel my-event '{\"hello\":\"world\"}'
  fanfare send --config fanfare.toml --app 1001 private-orders.1 shipped '{\"id\":1}'
  fanfare send --url https://ws.example.com my-channel my-event";

/// `fanfare send`.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Send {
    /// The channel
    pub channel: String,
    /// The name of the event
    pub event: String,
    /// What it carries: JSON as a rule
    #[arg(default_value = "{}")]
    pub data: String,
    /// The id of the app [default: the first]
    #[arg(long, value_name = "ID")]
    pub app: Option<String>,
    /// The server to send to [default: the one on this machine, as it is configured]
    #[arg(long, value_name = "URL", value_parser = ServerUrl::parse)]
    pub url: Option<ServerUrl>,
    /// Read settings and apps from this TOML file, as the server does
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read app and address from a Laravel project's .env, as the server does
    #[arg(long, value_name = "PATH")]
    pub laravel: Option<PathBuf>,
    /// Where the server listens [default: 127.0.0.1:6001]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where the embedded database is kept [default: ./fanfare-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}
