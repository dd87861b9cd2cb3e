//! `fanfare channels`, `fanfare connections` and `fanfare users`: what is open now, and closing.

use std::net::IpAddr;

use clap::{Args, Subcommand, ValueEnum};

use super::options::ServerPlace;

const MORE_OF_CHANNELS: &str =
    "Exit status: 0, 64 if there is no such app, 69 if the server does not answer or has refused.

Examples:
  fanfare channels 1001
  fanfare channels 1001 --prefix private- --limit 10
  fanfare channels 1001 --kind presence --order name --json";

const MORE_OF_CONNECTIONS: &str = "A connection has to fit all that is given. `close` leaves an entry in the audit log.

Exit status: 0, 64 if there is no such app, 69 if the server does not answer or has refused, as for a socket that is not open.

Examples:
  fanfare connections 1001 --channel private-orders.7
  fanfare connections 1001 --user 42 --json
  fanfare connections close 1001 18054.106 --code 4009";

const MORE_OF_USERS: &str = "`terminate` closes all connections of a user with 4009, on all nodes, and leaves an entry in the audit log.

Exit status: 0, 64 if there is no such app, 69 if the server does not answer or has refused.

Examples:
  fanfare users 1001 --prefix 4
  fanfare users terminate 1001 42";

/// A page of a list.
#[derive(Debug, Args)]
pub struct PageOptions {
    /// So many rows at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub limit: u16,
    /// Where the page before has ended, as its last line says
    #[arg(long, value_name = "NEXT")]
    pub after: Option<String>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// Kinds of channels.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum KindOption {
    Public,
    Private,
    Encrypted,
    Presence,
    Cache,
}

/// Orders of channels.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum OrderOption {
    Subscribers,
    Name,
}

/// `fanfare channels`.
#[derive(Debug, Args)]
#[command(after_help = MORE_OF_CHANNELS)]
pub struct ChannelsCommand {
    /// The id of the app
    #[arg(value_name = "APP")]
    pub app: String,
    /// Only channels whose names begin so
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// Only channels of this kind
    #[arg(long, value_name = "KIND")]
    pub kind: Option<KindOption>,
    /// By subscribers, the most first, or by name
    #[arg(long, value_name = "ORDER", default_value = "subscribers")]
    pub order: OrderOption,
    /// The page.
    #[command(flatten)]
    pub page: PageOptions,
    /// Where the server is.
    #[command(flatten)]
    pub place: ServerPlace,
}

/// `fanfare connections`.
#[derive(Debug, Args)]
#[command(after_help = MORE_OF_CONNECTIONS, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ConnectionsCommand {
    /// What to do instead of listing.
    #[command(subcommand)]
    pub action: Option<ConnectionsAction>,
    /// What to list.
    #[command(flatten)]
    pub list: ConnectionsOptions,
}

/// Which connections.
#[derive(Debug, Args)]
pub struct ConnectionsOptions {
    /// The id of the app
    #[arg(value_name = "APP", required = true)]
    pub app: Option<String>,
    /// Only connections subscribed to this channel
    #[arg(long, value_name = "NAME")]
    pub channel: Option<String>,
    /// Only connections signed in as this user
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// Only connections from this address
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<IpAddr>,
    /// The page.
    #[command(flatten)]
    pub page: PageOptions,
    /// Where the server is.
    #[command(flatten)]
    pub place: ServerPlace,
}

/// What to do with connections.
#[derive(Debug, Subcommand)]
pub enum ConnectionsAction {
    /// Close one connection
    Close(CloseOptions),
}

/// `fanfare connections close`.
#[derive(Debug, Args)]
pub struct CloseOptions {
    /// The id of the app
    #[arg(value_name = "APP")]
    pub app: String,
    /// The socket id of the connection
    #[arg(value_name = "SOCKET")]
    pub socket: String,
    /// 4200: the client comes back at once; 4009: stock clients stay away until the page is loaded anew
    #[arg(long, value_name = "CODE", default_value = "4200", value_parser = ["4200", "4009"])]
    pub code: String,
    /// Where the server is.
    #[command(flatten)]
    pub place: ServerPlace,
}

/// `fanfare users`.
#[derive(Debug, Args)]
#[command(after_help = MORE_OF_USERS, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct UsersCommand {
    /// What to do instead of listing.
    #[command(subcommand)]
    pub action: Option<UsersAction>,
    /// What to list.
    #[command(flatten)]
    pub list: UsersOptions,
}

/// Which users.
#[derive(Debug, Args)]
pub struct UsersOptions {
    /// The id of the app
    #[arg(value_name = "APP", required = true)]
    pub app: Option<String>,
    /// Only users whose ids begin so
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// The page.
    #[command(flatten)]
    pub page: PageOptions,
    /// Where the server is.
    #[command(flatten)]
    pub place: ServerPlace,
}

/// What to do with users.
#[derive(Debug, Subcommand)]
pub enum UsersAction {
    /// Close all connections of a user
    Terminate(TerminateOptions),
}

/// `fanfare users terminate`.
#[derive(Debug, Args)]
pub struct TerminateOptions {
    /// The id of the app
    #[arg(value_name = "APP")]
    pub app: String,
    /// The id of the user
    #[arg(value_name = "USER")]
    pub user: String,
    /// Where the server is.
    #[command(flatten)]
    pub place: ServerPlace,
}

impl KindOption {
    /// The kind as the API names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Encrypted => "encrypted",
            Self::Presence => "presence",
            Self::Cache => "cache",
        }
    }
}

impl OrderOption {
    /// The order as the API names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscribers => "subscribers",
            Self::Name => "name",
        }
    }
}

impl ConnectionsCommand {
    /// Where the server is.
    pub const fn place(&self) -> &ServerPlace {
        match &self.action {
            Some(ConnectionsAction::Close(asked)) => &asked.place,
            None => &self.list.place,
        }
    }

    pub(super) const fn place_mut(&mut self) -> &mut ServerPlace {
        match &mut self.action {
            Some(ConnectionsAction::Close(asked)) => &mut asked.place,
            None => &mut self.list.place,
        }
    }
}

impl UsersCommand {
    /// Where the server is.
    pub const fn place(&self) -> &ServerPlace {
        match &self.action {
            Some(UsersAction::Terminate(asked)) => &asked.place,
            None => &self.list.place,
        }
    }

    pub(super) const fn place_mut(&mut self) -> &mut ServerPlace {
        match &mut self.action {
            Some(UsersAction::Terminate(asked)) => &mut asked.place,
            None => &mut self.list.place,
        }
    }
}
