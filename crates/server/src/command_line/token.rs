//! `fanfare token …`: commands for the tokens of the administration API.

use clap::{Args, Subcommand};
use fanfare_apps::Scope;

use super::options::DataPlace;

/// `fanfare token`.
#[derive(Debug, Args)]
pub struct TokenCommand {
    /// Where the tokens are.
    #[command(flatten)]
    pub place: DataPlace,
    /// What to do.
    #[command(subcommand)]
    pub action: TokenAction,
}

/// What to do with a token.
#[derive(Debug, Subcommand)]
pub enum TokenAction {
    /// Make a token; it is printed this once, and only its SHA-256 is kept
    Create {
        /// Whose it is, or what it is for
        #[arg(long)]
        name: String,
        /// What it is good for: read, write, secrets, publish, payloads, operate, parted by commas; none includes another
        #[arg(long, value_name = "SCOPES", required = true, value_delimiter = ',')]
        scope: Vec<Scope>,
        /// Good for these apps alone, and for nothing of the node: ids, parted by commas [default: all apps, and the node]
        #[arg(long, value_name = "IDS", value_delimiter = ',')]
        app: Vec<String>,
        /// Valid for so many days [default: until it is revoked]
        #[arg(long, value_name = "D", allow_negative_numbers = true)]
        expires_in_days: Option<i32>,
    },
    /// List tokens, the newest first, those included that are not valid any more
    List,
    /// Make a token invalid, at once and for good
    Revoke {
        /// The number that `list` shows
        id: i64,
    },
}
