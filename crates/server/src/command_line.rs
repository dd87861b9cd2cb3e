//! The command line of `fanfare`: commands, options, help.

mod app;
mod audit;
mod before;
mod bench;
mod cluster;
mod console;
mod health;
mod laravel;
mod live;
mod open;
mod options;
mod pages;
mod reload;
mod send;
mod token;
mod webhook;

use clap::{Parser, Subcommand};
use fanfare_doctor::Doctor;

pub use app::{AppAction, AppCommand, CreateOptions, UpdateOptions};
pub use audit::AuditCommand;
pub use before::Misplaced;
pub use bench::BenchCommand;
pub use cluster::Cluster;
pub use console::ConsoleCommand;
pub use health::Health;
pub use laravel::{LaravelAction, LaravelCommand, LaravelEnv};
pub use live::LiveCommand;
pub use open::{
    ChannelsCommand, CloseOptions, ConnectionsAction, ConnectionsCommand, ConnectionsOptions, PageOptions,
    TerminateOptions, UsersAction, UsersCommand, UsersOptions,
};
pub use options::{DataPlace, Lines, Migrate, Serve, ServerPlace};
pub use pages::{CompletionsCommand, ManCommand};
pub use reload::ReloadCommand;
pub use send::Send;
pub use token::{TokenAction, TokenCommand};
pub use webhook::{DeliveriesOptions, TestOptions, WebhookAction, WebhookCommand};

/// What `fanfare version` prints behind the name: the version, and the commit that a release was built from.
pub const VERSION: &str = env!("FANFARE_VERSION");

/// The exit status of a faulty command line or configuration (`EX_USAGE`).
pub const EXIT_CONFIG: u8 = 64;

/// The exit status of a doctor with findings, and of a failed health check.
pub const EXIT_AMISS: u8 = 1;

/// The exit status where a part could not be started (`EX_UNAVAILABLE`).
pub const EXIT_UNAVAILABLE: u8 = 69;

/// The exit status where an answer could not be written (`EX_IOERR`).
pub const EXIT_IO: u8 = 74;

/// The exit status of a server that stopped because a task of its own failed (`EX_SOFTWARE`).
pub const EXIT_SOFTWARE: u8 = 70;

/// The exit status of a server that ended itself because its runtime had stalled (`EX_TEMPFAIL`).
pub const EXIT_STALLED: u8 = 75;

const ABOUT: &str = "A self-hosted server that speaks the Pusher Channels protocol.

Stock pusher-js, Laravel Echo and every Pusher server SDK work with it unchanged. Without any
configuration it listens on 127.0.0.1:6001, makes an app with random credentials on the first run,
keeps it in ./fanfare-data, and prints the lines to paste into a Laravel .env and a browser.";

const MORE: &str =
    "Settings come from, the later ones winning: built-in defaults, the .env of --laravel or the file of
--laravel-echo-server, the file of --config, the environment (FANFARE__SECTION__KEY, PUSHER_APP_ID/KEY/SECRET, REVERB_APP_ID/KEY/SECRET,
DATABASE_URL, PORT), these options. config/default.toml lists every key.

Exit status: 0 after a drain (SIGTERM or Ctrl-C), 64 for a faulty configuration, with every fault
named, 69 if a part could not start, such as a port that is taken, 70 if a part failed later,
75 if the server stalled (watchdog.stall).

Examples:
  fanfare                                          start, with everything at its default
  fanfare serve --listen 0.0.0.0:6001              be reachable from other machines
  fanfare serve --laravel /var/www/shop            serve a Laravel project as its .env says
  fanfare serve --laravel-echo-server FILE         take the place of a laravel-echo-server
  fanfare --config fanfare.toml --check            look for faults in a configuration
  fanfare env                                      print the lines to paste once more
  fanfare console                                  open the web console, logged in
  fanfare send my-channel my-event '{}'            send a test event
  fanfare webhook test 1001                        find out why a webhook does not arrive
  fanfare channels 1001                            show the channels that are open now
  fanfare live 1001                                show what happens, as it happens
  fanfare laravel env --driver reverb              print all that a Laravel application needs
  fanfare doctor --laravel /var/www/shop           find out why messages do not arrive
  fanfare cluster --config fanfare.toml            show the nodes of a cluster
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
    /// Test an app's webhooks, and show their last deliveries
    Webhook(WebhookCommand),
    /// Show an app's channels that are open now
    Channels(ChannelsCommand),
    /// Show an app's connections, or close one
    Connections(ConnectionsCommand),
    /// Show the users who are signed in, or close the connections of one
    Users(UsersCommand),
    /// Print what happens in an app, as it happens, until Ctrl-C
    Live(LiveCommand),
    /// What a Laravel application needs to broadcast through this server
    Laravel(LaravelCommand),
    /// Look for what keeps messages from arriving, one hop at a time
    Doctor(Box<Doctor>),
    /// Ask the server that this configuration describes whether it is well, for health checks
    Health(Health),
    /// Have the running server take over its changed settings, and print what needs a restart
    Reload(ReloadCommand),
    /// Show the nodes that are one server, and how they are
    Cluster(Cluster),
    /// Bring the tables of the apps' database up to date, which a start does as well, then exit
    Migrate(Migrate),
    /// Make, show and change the apps in the database; running servers follow within a second
    App(AppCommand),
    /// Make, list and revoke the tokens of the administration API
    Token(TokenCommand),
    /// Print a link that opens the web console, logged in; it is good once, for five minutes
    Console(ConsoleCommand),
    /// Show who changed, sent or looked at what
    Audit(AuditCommand),
    /// Print what completes this command line in a shell
    Completions(CompletionsCommand),
    /// Write the man pages into a folder
    Man(ManCommand),
    /// Measure what this machine can do, with a server of its own
    Bench(BenchCommand),
    /// Print the version, and the commit that it was built from
    Version,
}
