//! The options of `fanfare doctor`.

use std::path::PathBuf;

use clap::Args;

const MORE: &str =
    "What no option says is taken from the environment and the .env, then from the configuration.

Exit status: 0 if nothing is amiss, 1 if something is, 64 if nothing was named to look at.

Examples:
  fanfare doctor --laravel /var/www/shop
  fanfare doctor --url wss://ws.example.com --key KEY --app-id ID --secret SECRET
  fanfare doctor --redis redis://127.0.0.1:6379 --prefix laravel_database_ --watch 60
  fanfare doctor --laravel . --channel private-orders.1 --cookie 'laravel_session=...'";

/// `fanfare doctor`.
#[derive(Clone, Default, Args)]
#[command(after_help = MORE)]
pub struct Doctor {
    /// A Laravel project's directory, or its .env
    #[arg(long, value_name = "PATH")]
    pub laravel: Option<PathBuf>,
    /// The laravel-echo-server.json of the server, if it was started with one
    #[arg(long, value_name = "FILE")]
    pub laravel_echo_server: Option<PathBuf>,
    /// The server's configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the server on this machine listens [default: 127.0.0.1:6001]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where that server keeps its embedded database [default: ./fanfare-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where browsers connect: ws://HOST:PORT/PREFIX or wss://...
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Where back ends send to, if that is another address
    #[arg(long, value_name = "URL")]
    pub api: Option<String>,
    /// The app's key
    #[arg(long)]
    pub key: Option<String>,
    /// The app's secret; better given as PUSHER_APP_SECRET, which other users of this machine do not see
    #[arg(long)]
    pub secret: Option<String>,
    /// The app's id
    #[arg(long, value_name = "ID")]
    pub app_id: Option<String>,
    /// The Redis that the application publishes on
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// What stands in front of its channels there
    #[arg(long)]
    pub prefix: Option<String>,
    /// How many seconds Redis is watched
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub watch: u32,
    /// Where the application says who may join [default: APP_URL and /broadcasting/auth, or authorization.url]
    #[arg(long, value_name = "URL")]
    pub auth_url: Option<String>,
    /// The channel that it is asked about
    #[arg(long)]
    pub channel: Option<String>,
    /// The Cookie header of a user
    #[arg(long)]
    pub cookie: Option<String>,
    /// Another header of the question, such as 'Authorization: Bearer ...'; may be repeated
    #[arg(long, value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    /// A PEM file of authorities to trust besides the public ones
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// Without secret, cookie and headers.
impl std::fmt::Debug for Doctor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doctor")
            .field("laravel", &self.laravel)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
