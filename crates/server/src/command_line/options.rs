//! Options that several commands share.
//!
//! Their comments are the help that users read.

use std::path::PathBuf;

use clap::Args;
use fanfare_config::ServerUrl;

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

/// The server that a command asks, and the configuration with its app.
#[derive(Clone, Debug, Args)]
pub struct ServerPlace {
    /// The server to ask [default: the one on this machine, as it is configured]
    #[arg(long, value_name = "URL", value_parser = ServerUrl::parse)]
    pub url: Option<ServerUrl>,
    /// Read settings and apps from this TOML file, as the server does
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read app and address from a Laravel project's .env, as the server does
    #[arg(long, value_name = "PATH")]
    pub laravel: Option<PathBuf>,
    /// The laravel-echo-server.json of the server, if it was started with one
    #[arg(long, value_name = "FILE")]
    pub laravel_echo_server: Option<PathBuf>,
    /// Where the server listens [default: 127.0.0.1:6001]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where the embedded database is kept [default: ./fanfare-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
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
    /// The laravel-echo-server.json of the server, if it is started with one
    #[arg(long, value_name = "FILE")]
    pub laravel_echo_server: Option<PathBuf>,
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
    /// Take the place of a laravel-echo-server: read its laravel-echo-server.json and its variables, under all other settings
    #[arg(long, value_name = "FILE")]
    pub laravel_echo_server: Option<PathBuf>,
    /// Where clients and back ends connect to [default: 127.0.0.1:6001; port 0 picks a free one]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where they connect to over TLS, with the certificate of tls.cert_file [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub tls_listen: Option<String>,
    /// Where /metrics, /live, /ready, /up and the administration API are answered [default: 127.0.0.1:9600]
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
