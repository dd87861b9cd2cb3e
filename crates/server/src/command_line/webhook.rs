//! `fanfare webhook …`: test events, and the last deliveries.

use clap::{Args, Subcommand};

use super::options::ServerPlace;

const MORE_OF_TEST: &str = "The server sends a signed event `channel_occupied` of the channel `fanfare-test`, as it sends every webhook, and
says what became of it. A webhook that is named is tested even if it is disabled.

Exit status: 0 if every webhook was answered with 2xx, 1 if one was not, 64 if there is no such app, 69 if the server does not
answer or has refused, as for a URL that is no webhook of the app.

Examples:
  fanfare webhook test 1001
  fanfare webhook test 1001 https://example.com/webhooks
  fanfare webhook test --url https://ws.example.com --config fanfare.toml 1001";

const MORE_OF_DELIVERIES: &str = "The last 50 attempts for each URL, of all nodes, as they have them in memory: since their start, and without what was
sent. An attempt that failed is tried again as long as `again` says so.

Exit status: 0, 64 if there is no such app, 69 if the server does not answer or has refused.";

/// `fanfare webhook`.
#[derive(Debug, Args)]
pub struct WebhookCommand {
    /// What to do.
    #[command(subcommand)]
    pub action: WebhookAction,
}

/// What to do with an app's webhooks.
#[derive(Debug, Subcommand)]
pub enum WebhookAction {
    /// Have the server send a test event to an app's webhooks, and show why one fails
    Test(TestOptions),
    /// Show whether an app's webhooks work, and their last deliveries
    Deliveries(DeliveriesOptions),
}

/// `fanfare webhook test`.
#[derive(Debug, Args)]
#[command(after_help = MORE_OF_TEST)]
pub struct TestOptions {
    /// The id of the app
    #[arg(value_name = "APP")]
    pub app: String,
    /// The URL of one webhook [default: all that are enabled]
    #[arg(value_name = "URL")]
    pub webhook: Option<String>,
    /// Print what was sent, and what became of it, as JSON
    #[arg(long)]
    pub json: bool,
    /// Where the server is.
    #[command(flatten)]
    pub place: ServerPlace,
}

/// `fanfare webhook deliveries`.
#[derive(Debug, Args)]
#[command(after_help = MORE_OF_DELIVERIES)]
pub struct DeliveriesOptions {
    /// The id of the app
    #[arg(value_name = "APP")]
    pub app: String,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
    /// Where the server is.
    #[command(flatten)]
    pub place: ServerPlace,
}

impl WebhookAction {
    /// Where the server is.
    pub const fn place(&self) -> &ServerPlace {
        match self {
            Self::Test(asked) => &asked.place,
            Self::Deliveries(asked) => &asked.place,
        }
    }

    pub(super) const fn place_mut(&mut self) -> &mut ServerPlace {
        match self {
            Self::Test(asked) => &mut asked.place,
            Self::Deliveries(asked) => &mut asked.place,
        }
    }
}
