//! `fanfare send`: the event to publish, and the server to use.

use clap::Args;

use super::options::ServerPlace;

const MORE: &str = "Publishes by the HTTP API, as a back end does, with the credentials that the configuration, the environment or
the database of the server has; and says, channel by channel, how many were subscribed, how many took the event, and why
nobody got it, such as a name with another prefix.

Exit status: 0 if the event was published, 64 if there is no such app or the channel cannot be used, 69 if the server does
not answer or has refused.

Examples:
  fanfare send my-channel my-event '{\"hello\":\"world\"}'
  fanfare send --config fanfare.toml --app 1001 private-orders.1 shipped '{\"id\":1}'
  fanfare send --url https://ws.example.com my-channel my-event
  fanfare send --json orders shipped '{\"id\":1}' | jq .channels";

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
    /// One more channel; may be given several times
    #[arg(long, value_name = "CHANNEL")]
    pub also_to: Vec<String>,
    /// The connection that does not get the event, by its socket id
    #[arg(long, value_name = "SOCKET_ID")]
    pub except: Option<String>,
    /// Print where the event went as JSON
    #[arg(long)]
    pub json: bool,
    /// The id of the app [default: the first]
    #[arg(long, value_name = "ID")]
    pub app: Option<String>,
    /// Where the server is.
    #[command(flatten)]
    pub place: ServerPlace,
}
