//! The command line of `fanfare`: commands, options, help.

mod app;
mod before;
mod health;
mod laravel;
mod send;
mod token;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use fanfare_doctor::Doctor;

pub use app::{AppAction, AppCommand, CreateOptions, UpdateOptions};
pub use before::Misplaced;
pub use health::Health;
pub use laravel::{LaravelAction, LaravelCommand, LaravelEnv};
pub use send::Send;
pub use token::{TokenAction, TokenCommand};

/// What `fanfare version` prints behind the name: the version, and the commit that a release was built from.
pub const VERSION: &str = env!("FANFARE_VERSION");

/// The exit status of a faulty command line or configuration (`EX_USAGE`).
pub const EXIT_CONFIG: u8 = 64;

/// The exit status of a doctor with findings, and of a failed health check.
pub const EXIT_AMISS: u8 = 1;

/// The exit status where a part could not be started (`EX_UNAVAILABLE`).
pub const EXIT_UNAVAILABLE: u8 = 69;

/// The exit status of a server that stopped because a task of its own failed (`EX_SOFTWARE`).
pub const EXIT_SOFTWARE: u8 = 70;

const ABOUT: &str = "A self-hosted server that speaks the Pusher Channels protocol.

Stock pusher-js, Laravel Echo and every Pusher server SDK work with it unchanged. Without any
configuration it listens on 127.0.0.1:6001, makes an app with random credentials on the first run,
keeps it in ./fanfare-data, and prints the lines to paste into a Laravel .env and a browser.";

const MORE: &str =
    "Settings come from, the later ones winning: built-in defaults, the .env of --laravel, the file of
--config, the environment (FANFARE__SECTION__KEY, PUSHER_APP_ID/KEY/SECRET, REVERB_APP_ID/KEY/SECRET,
DATABASE_URL, PORT), these options. config/default.toml lists every key.

Exit status: 0 after a drain (SIGTERM or Ctrl-C), 64 for a faulty configuration, with every fault
named, 69 if a part could not start, such as a port that is taken, 70 if a part failed later.

Examples:
  fanfare                                          start, with everything at its default
  fanfare serve --listen 0.0.0.0:6001              be reachable from other machines
  fanfare serve --laravel /var/www/shop            serve a Laravel project as its .env says
  fanfare --config fanfare.toml --check            look for faults in a configuration
  fanfare env                                      print the lines to paste once more
  fanfare send my-channel my-event '{}'            send a test event
  fanfare laravel env --driver reverb              print all that a Laravel application needs
  fanfare doctor --laravel /var/www/shop           find out why messages do not arrive
  fanfare app create --name shop                   make an app, and print its key and secret
  fanfare token create --name ci --scope read      make a token for the administration API";

/// `fanfare`.
#[derive(Debug, Parser)]
#[command(name = "fanfare", version = VERSION, about = ABOUT, after_help = MORE)]
pub struct CommandLine {
    /// What to do; `serve` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of `serve`.
    #[command(flatten)]
    pub serve: Serve,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the server (this is what `fanfare` alone does)
    Serve(Serve),
    /// Print the lines to paste into a Laravel .env, a browser and a terminal
    Env(Lines),
    /// Send an event to a channel, as a back end does, to see it arrive
    Send(Send),
    /// What a Laravel application needs to broadcast through this server
    Laravel(LaravelCommand),
    /// Look for what keeps messages from arriving, one hop at a time
    Doctor(Box<Doctor>),
    /// Ask the server that this configuration describes whether it is well, for health checks
    Health(Health),
    /// Bring the tables of the apps' database up to date, which a start does as well, then exit
    Migrate(Migrate),
    /// Make, show and change the apps in the database; running servers follow within a second
    App(AppCommand),
    /// Make, list and revoke the tokens of the administration API
    Token(TokenCommand),
    /// Print the version, and the commit that it was built from
    Version,
}

/// The database that a command works on, and how what it finds is shown.
#[derive(Clone, Debug, Args)]
pub struct DataPlace {
    /// Read settings from this TOML file; the environment counts as for `serve`
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Where the embedded database is kept [default: ./fanfare-data]
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// Make the embedded database if there is none, instead of refusing
    #[arg(long, global = true)]
    pub create_database: bool,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub json: bool,
}

/// What `migrate` is told.
#[derive(Debug, Default, Args)]
pub struct Migrate {
    /// Read settings from this TOML file; the environment counts as for `serve`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Leave out the database of this Laravel project's environment, as `serve` does
    #[arg(long, value_name = "PATH")]
    pub laravel: Option<PathBuf>,
    /// Where the embedded database is kept [default: ./fanfare-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Make the embedded database if there is none, instead of refusing
    #[arg(long)]
    pub create_database: bool,
}

/// What `env` and `laravel env` are told of the server that the lines are for.
#[derive(Debug, Default, Args)]
pub struct Lines {
    /// Read settings and apps from this TOML file; the environment counts as for `serve`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read app, address and Redis from a Laravel project's .env, under all other settings
    #[arg(long, value_name = "PATH")]
    pub laravel: Option<PathBuf>,
    /// Where clients and back ends connect to [default: 127.0.0.1:6001]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where they connect to over TLS, with the certificate of tls.cert_file [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub tls_listen: Option<String>,
    /// Where the embedded database is kept [default: ./fanfare-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Make the embedded database, and an app in it, if there is none, instead of refusing
    #[arg(long)]
    pub create_database: bool,
}

/// What `serve` is told.
#[derive(Debug, Default, Args)]
pub struct Serve {
    /// Read settings and apps from this TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read app, address and Redis from a Laravel project's .env, under all other settings
    #[arg(long, value_name = "PATH")]
    pub laravel: Option<PathBuf>,
    /// Where clients and back ends connect to [default: 127.0.0.1:6001; port 0 picks a free one]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where they connect to over TLS, with the certificate of tls.cert_file [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub tls_listen: Option<String>,
    /// Where /metrics, /ready, /up and the administration API are answered [default: 127.0.0.1:9600]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub admin_listen: Option<String>,
    /// Where the embedded database is kept [default: ./fanfare-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Look for faults in the configuration, then exit
    #[arg(long)]
    pub check: bool,
    /// Print the effective configuration with secrets masked, then exit
    #[arg(long)]
    pub print: bool,
}
