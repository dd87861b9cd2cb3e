//! The same tests over two nodes: with `WIRE_BUS` set to the URL of a Redis, servers come in pairs.
//!
//! Connections go to both nodes in turns, and back ends ask the second: what one node is told, the other has to know.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::eventually;
use super::process::Process;
use super::server::get;

/// A second node beside a server.
pub struct SecondNode {
    /// Killed when dropped; before the folder that it runs in.
    _process: Process,
    _folder: TempDir,
    pub addr: SocketAddr,
    pub admin: SocketAddr,
    /// Connections opened so far, on both nodes.
    opened: AtomicUsize,
}

impl SecondNode {
    pub fn new(process: Process, folder: TempDir, addr: SocketAddr, admin: SocketAddr) -> Self {
        Self { _process: process, _folder: folder, addr, admin, opened: AtomicUsize::new(0) }
    }

    /// Whether the next connection is this node's.
    pub fn is_next(&self) -> bool {
        self.opened.fetch_add(1, Ordering::Relaxed) % 2 == 1
    }
}

/// Tests that are about one node by their nature, by the beginning of their names, each with the reason. Such tests always
/// run with one node.
const OF_ONE_NODE: &[(&str, &str)] = &[
    ("cluster::", "starts its nodes itself"),
    ("event_ids::", "the ids of one node grow"),
    ("events::ws_106_all_subscribers", "several publishers have no common order on all nodes (CL-002)"),
    ("traces::", "the counts of one node"),
    ("send::", "as before"),
    ("fallback", "all requests of a session go to one node (FALLBACK-023)"),
    ("admission::ws_061", "the quota of connections is known on other nodes a fifth of a second later"),
    ("authorized::", "as before"),
    ("envelope::ws_033", "as before"),
    ("tenants::quotas_and_switches", "as before"),
    ("quotas::", "a quota of messages is shared by the second"),
    ("drain::ws_056", "a node of several accepts nobody while it drains (CL-071)"),
    ("bounds::", "the bounds of one node"),
    ("counts::ws_175", "counts are told at most twenty times a second"),
    ("counts::ws_176", "as before"),
    ("counts::ws_143", "a newcomer may hear the number before its own as well"),
    ("subscribe::ws_106", "an answer may wait for Redis while a later command is answered"),
    ("handshake::ws_117", "an answer may wait for Redis while a later command is answered"),
    ("http_basics::api_033", "as before"),
    ("channel_queries::api_030_a_long_list", "as before"),
    ("envelope::ws_105", "as before"),
    ("envelope::ws_134", "as before"),
    ("versions::ws_014", "as before"),
    ("watchlist::lim_023", "as before"),
    ("watchlist::ws_196", "as before"),
    ("watchlist::ws_197", "who comes or goes is told to other nodes' watchers a moment later"),
    (
        "watchlist::ws_195_the_first_frame",
        "who has just signed in is told to other nodes' watchers a moment later",
    ),
    ("presence::ws_154", "waits for answers to pings, which come before those of Redis"),
    ("cache::of_events_that_nobody_listens_to", "Redis keeps what nobody listens to until it expires"),
    ("webhook_events::ws_172", "as before"),
    ("cache::ws_171_the_last_event_greets", "an answer to a back end does not wait for Redis (CL-003)"),
    ("cut_texts::ws_104_events_of_back_ends", "as before"),
    ("cache::ws_174_other_channels", "as before"),
    ("cache::lim_024", "a node may keep an event some milliseconds longer than Redis"),
    ("counts::ws_152_members_that_come_back", "who is back before Redis was told has never left"),
    ("presence_refused::lim_020_the_number", "a place that was left is free on other nodes a moment later"),
    (
        "webhook_requests::hook_002_and_hook_024_what",
        "requests are divided by the milliseconds of Redis (CL-032)",
    ),
    ("webhook_requests::hook_026", "channels have no common order"),
    (
        "webhook_timing::hook_012",
        "who leaves a presence channel before the cluster has answered gets no answer",
    ),
    ("webhook_events::hook_019", "kinds of webhooks have no common order"),
    ("doctor_apps::no_webhook", "as before"),
    ("webhook_bounds::", "the bounds of one node"),
    ("webhook_failures::", "the log and the counters of one node"),
    ("webhook_timing::hook_011", "who leaves the last node is told of when a node is back"),
    ("resume_cluster::", "starts its nodes itself"),
    ("resume_elsewhere", "as before"),
    ("resume::", "a connection is remembered by its node (RES-014)"),
    ("drain::", "the shutdown of one node"),
    ("reloads::", "the configuration file of one node"),
    ("hangup::", "as before"),
    ("logs::", "the log of one node"),
    ("logged_refusals::", "as before"),
    ("metrics::", "the metrics of one node"),
    ("startup::", "the start of one node"),
    ("apps_database::", "as before"),
    (
        "socket_io::",
        "a public subscription over Socket.IO has no answer to wait for until other nodes are heard",
    ),
    ("socket_io_channels::sio_065", "as before"),
    ("echo_api::sio_082_queries", "a user's info is known where the channel has a subscriber"),
    ("echo_api::sio_082_a_library", "one node is asked, whose numbers may be older"),
    ("authorize_tls::", "the certificates of one node"),
];

/// Whether the running test is about one node.
pub fn is_of_one_node() -> bool {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    OF_ONE_NODE.iter().any(|(beginning, _)| name.starts_with(beginning))
}

/// The URL of the Redis of all pairs, if servers come in pairs.
pub fn bus_url() -> Option<String> {
    std::env::var("WIRE_BUS").ok().filter(|url| !url.is_empty())
}

/// The settings of a pair that shares nothing with other pairs.
pub fn settings(url: &str) -> (String, String) {
    static PAIRS: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("wire{}-{}:", std::process::id(), PAIRS.fetch_add(1, Ordering::Relaxed));
    let section = format!("[bus]\nurls = [\"{url}\"]\nprefix = \"{prefix}\"\npartitions = 2\n");
    (section, prefix)
}

/// Waits until both nodes are part of the cluster, and lets the cluster be an old one: webhooks of a young one wait until
/// every node must have said who is there (CL-034).
pub fn settle(url: &str, prefix: &str, nodes: [SocketAddr; 2]) {
    for node in nodes {
        eventually("the node is ready", || (get(node, "/ready").head.status == 200).then_some(()));
    }
    let script =
        "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('HSET', key, 'born', 1) end";
    let mut command = Command::new("redis-cli");
    command.args(["-u", url, "EVAL", script, "0", &format!("{prefix}*:epoch")]);
    assert!(command.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("redis-cli runs").success());
}
