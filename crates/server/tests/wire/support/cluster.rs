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
