//! `[listen]`, `[limits]` of the node, `[apps]`, `[resume]`, `[idempotency]`, `[console]`, `[metrics]`, `[watchdog]` and `[log]`, as typed settings for the rest of the server.
//!
//! Only checked values are stored here; the checks are elsewhere.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use fanfare_outgoing::Reach;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use super::listen_address::ListenAddress;
use super::tls::TlsSection;
use super::value;

/// `[listen]`: addresses, and requirements of clients.
#[derive(Clone, Debug, Deserialize)]
pub struct ListenSection {
    /// The listener of clients and back ends.
    pub addr: ListenAddress,
    /// A Unix-domain socket of clients and back ends beside `addr`; empty: none.
    pub unix_path: PathBuf,
    /// The permissions of that socket's file.
    #[serde(deserialize_with = "permissions")]
    pub unix_mode: u32,
    /// The listener of metrics and health.
    pub admin_addr: ListenAddress,
    /// Whether the next process may listen on the same addresses before this one has ended.
    pub overlap: bool,
    /// Host names that `admin_addr` answers to, besides localhost and addresses.
    pub admin_hosts: Vec<String>,
    /// The prefix of every public path; empty, or begins with a slash and ends without one (WS-003).
    pub path_prefix: String,
    /// Proxies whose headers are trusted: `X-Forwarded-For`, `X-Forwarded-Proto` and the like (WS-063).
    pub trusted_proxies: Vec<IpNet>,
    /// Whether connections of these proxies begin with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// Refuse clients that name no protocol version.
    pub version_required: bool,
    /// Serve clients over plain HTTP requests where WebSockets are blocked (FALLBACK-011).
    pub fallback: bool,
    /// `[tls]`: another listener, if there is one.
    #[serde(skip)]
    pub tls: Option<TlsSection>,
}

/// The header of the PROXY protocol that names no client: the connection is the sender's own.
const NO_CLIENT: &str = "PROXY UNKNOWN\r\n";

impl ListenSection {
    /// What a connection of this machine to its own public listener at this address begins with, which then comes from the same
    /// address: a header of the PROXY protocol without a client where the listener expects one, else nothing.
    #[must_use]
    pub fn opening(&self, host: IpAddr) -> &'static str {
        let is_trusted = self.trusted_proxies.iter().any(|net| net.contains(&host.to_canonical()));
        if self.proxy_protocol && is_trusted { NO_CLIENT } else { "" }
    }
}

fn permissions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = String::deserialize(deserializer)?;
    value::permissions(&text).ok_or_else(|| de::Error::custom("not permissions"))
}

/// `[limits]` of the whole node.
#[derive(Clone, Debug, Deserialize)]
pub struct LimitsSection {
    /// Most WebSockets; 0 means as many as file descriptors allow.
    pub connections: usize,
    /// Most HTTP connections of the public listeners; 0 means a share of the file descriptors.
    pub http_connections: usize,
    /// Most HTTP connections from one client address; 0 means a quarter.
    pub http_connections_per_address: usize,
    /// Largest message from a client, in bytes.
    pub message_bytes: usize,
    /// Most bytes queued for one client.
    pub outbox_bytes: usize,
    /// Most bytes queued for all clients together, their incomplete messages included; 0 means a quarter of
    /// the memory.
    pub outboxes_bytes: usize,
    /// Most subscriptions of one connection.
    pub channels_per_connection: usize,
    /// Rate limit of one connection's subscriptions, a second.
    pub subscriptions_per_second: usize,
    /// Largest HTTP body, in bytes.
    pub request_bytes: usize,
    /// Most concurrent requests to one app's application.
    pub authorizations: usize,
    /// Most requests in the queue for one app's application.
    pub authorizations_waiting: usize,
    /// Most requests to the applications of all apps together, in progress and queued; 0: as descriptors
    /// allow.
    pub authorizations_node: usize,
    /// Largest answer of an application, in bytes.
    pub authorization_bytes: usize,
}

/// `[apps]`: storage of apps.
#[derive(Clone, Debug, Deserialize)]
pub struct AppsSection {
    /// Seconds until an app read from the database is refreshed.
    pub cache_seconds: u64,
    /// The directory of Fanfare's files.
    pub data_dir: PathBuf,
    /// Whether apps may name addresses that are not public.
    pub allow_private: bool,
}

impl AppsSection {
    /// The addresses allowed for webhooks, applications and Redis servers of apps.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        if self.allow_private { Reach::Anywhere } else { Reach::PublicOnly }
    }
}

/// `[resume]`: bounds of what this node keeps for clients that resume (RES-012).
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ResumeSection {
    /// Most bytes of all apps together.
    pub bytes: usize,
    /// Most ended connections of all apps together that are remembered.
    pub records: usize,
}

/// `[idempotency]`: bounds of the keys of publishes that are remembered (API-024).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct IdempotencySection {
    /// Most bytes of one app's keys, on this node and in the Redis between the nodes.
    pub app_bytes: usize,
    /// Most bytes of all apps' keys on this node.
    pub bytes: usize,
}

/// `[console]`: the web console and the audit log.
#[derive(Clone, Debug, Deserialize)]
pub struct ConsoleSection {
    /// Whether the operators' listener serves the console (CON-002).
    pub enabled: bool,
    /// Host names under which browsers reach the operators' listener, beside `listen.admin_hosts` (CON-010).
    pub hosts: Vec<String>,
    /// Whether others than this machine may log in over plain HTTP (CON-008).
    pub plain_http: bool,
    /// Seconds until a session ends (CON-007).
    pub session_seconds: u32,
    /// Seconds without a request until a session ends.
    pub idle_seconds: u32,
    /// Days for which entries of the audit log are kept (CON-059).
    pub audit_days: u32,
    /// Most bytes of the histories of all apps together (CON-021).
    pub history_bytes: usize,
}

/// `[metrics]`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct MetricsSection {
    /// Most apps with series of their own.
    pub apps: usize,
}

/// `[watchdog]`: a server that does nothing any more.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct WatchdogSection {
    /// Seconds without any work of the runtime after which the process ends; 0: never.
    pub stall: u32,
}

impl WatchdogSection {
    /// How long the runtime may do nothing before the process ends; `None`: for ever.
    #[must_use]
    pub fn stall(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.stall.into())).filter(|limit| !limit.is_zero())
    }
}

/// `[log]`.
#[derive(Clone, Debug, Deserialize)]
pub struct LogSection {
    /// The format of a line.
    pub format: LogFormat,
    /// The filter of lines, in the syntax of `tracing`'s filters.
    pub filter: String,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
