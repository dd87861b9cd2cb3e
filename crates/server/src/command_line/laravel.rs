//! `fanfare laravel …`: commands for a Laravel application.

use clap::{Args, Subcommand};
use fanfare_config::ServerUrl;

use super::options::Lines;
use crate::laravel_lines::LaravelDriver;

/// `fanfare laravel`.
#[derive(Debug, Args)]
pub struct LaravelCommand {
    /// What to do.
    #[command(subcommand)]
    pub action: LaravelAction,
}

/// What to do for a Laravel application.
#[derive(Debug, Subcommand)]
pub enum LaravelAction {
    /// Print the lines for its .env, its config/broadcasting.php and its script with Echo
    Env(LaravelEnv),
}

/// `fanfare laravel env`.
#[derive(Debug, Args)]
pub struct LaravelEnv {
    /// The id of the app [default: the first]
    #[arg(long, value_name = "ID")]
    pub app: Option<String>,
    /// The broadcaster
    #[arg(long, value_enum, default_value_t)]
    pub driver: LaravelDriver,
    /// Where browsers connect to, if that is not where PHP does: https://ws.example.com
    #[arg(long, value_name = "URL", value_parser = ServerUrl::parse)]
    pub public: Option<ServerUrl>,
    /// Of the server that the lines are for.
    #[command(flatten)]
    pub lines: Lines,
}
