//! `[listen]`, `[limits]` of the node, `[apps]` and `[log]`, as the rest of the server uses them.
//!
//! What the settings may be is checked elsewhere; these hold nothing that was not.

use std::net::SocketAddr;
use std::path::PathBuf;

use fanfare_outgoing::Reach;
use ipnet::IpNet;
use serde::Deserialize;

use super::tls::TlsSection;

/// `[listen]`: addresses and what is expected of whoever comes.
#[derive(Clone, Debug, Deserialize)]
pub struct ListenSection {
    /// Where clients and back ends connect.
    pub addr: SocketAddr,
    /// Where metrics and health are answered.
    pub admin_addr: SocketAddr,
    /// Names that the second may be asked by, besides localhost and addresses.
    pub admin_hosts: Vec<String>,
    /// In front of every public path; empty, or begins with a slash and ends without one (WS-003).
    pub path_prefix: String,
    /// Who is believed on the clients behind it: `X-Forwarded-For`, `X-Forwarded-Proto` and the like (WS-063).
    pub trusted_proxies: Vec<IpNet>,
    /// Refuse clients that name no protocol version.
    pub version_required: bool,
    /// `[tls]`: another listener, if there is one.
    #[serde(skip)]
    pub tls: Option<TlsSection>,
}

/// `[limits]` of the whole node.
#[derive(Clone, Debug, Deserialize)]
pub struct LimitsSection {
    /// Most WebSockets; 0 means as many as file descriptors allow.
    pub connections: usize,
    /// Most HTTP connections of the public listeners; 0 means a share of the file descriptors.
    pub http_connections: usize,
    /// Most of those from one client address; 0 means a quarter.
    pub http_connections_per_address: usize,
    /// Largest message from a client, in bytes.
    pub message_bytes: usize,
    /// Most bytes that wait for one client.
    pub outbox_bytes: usize,
    /// Most bytes that wait for all clients together, incomplete messages of theirs included; 0 means a quarter of
    /// the memory there is.
    pub outboxes_bytes: usize,
    /// Most subscriptions of one connection.
    pub channels_per_connection: usize,
    /// Most subscriptions that one connection may ask for in each second.
    pub subscriptions_per_second: usize,
    /// Largest HTTP body, in bytes.
    pub request_bytes: usize,
    /// Most questions to one app's application at once.
    pub authorizations: usize,
    /// Most that wait for such a question to be over.
    pub authorizations_waiting: usize,
    /// Most questions to the applications of all apps together, asked and waiting; 0: as descriptors allow.
    pub authorizations_node: usize,
    /// Largest answer of an application, in bytes.
    pub authorization_bytes: usize,
}

/// `[apps]`: how apps are kept.
#[derive(Clone, Debug, Deserialize)]
pub struct AppsSection {
    /// How long an app read from the database is used before it is read again.
    pub cache_seconds: u64,
    /// Where files are kept.
    pub data_dir: PathBuf,
    /// Whether what apps name may be at addresses that are not public.
    pub allow_private: bool,
}

impl AppsSection {
    /// Where webhooks, applications and Redis servers of apps may be.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        if self.allow_private { Reach::Anywhere } else { Reach::PublicOnly }
    }
}

/// `[log]`.
#[derive(Clone, Debug, Deserialize)]
pub struct LogSection {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines there are, in the syntax of `tracing`'s filters.
    pub filter: String,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
