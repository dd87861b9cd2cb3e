//! The tests from outside over two nodes: a Redis for the run, and what is run with it.
//!
//! The tests themselves start the nodes, in pairs, wherever the environment names this Redis.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

/// The parts of the wire tests that speak of clients and back ends; the others speak of one node.
pub const WIRE: [&str; 20] = [
    "authorized::",
    "batch::",
    "cache::",
    "channel_queries::",
    "client_event",
    "closing::",
    "counts::",
    "events::",
    "older_endpoints::",
    "presence",
    "server_to_user::",
    "sign_in::",
    "subscribe",
    "tenants::",
    "versions::",
    "watchlist::",
    "webhook_events::",
    "webhook_requests::",
    "webhook_settings::",
    "webhook_timing::",
];

/// The files of the end-to-end tests that do so.
pub const NODE: [&str; 12] = [
    "cache.test.js",
    "client_events.test.js",
    "echo.test.js",
    "echo_user.test.js",
    "presence.test.js",
    "private_channels.test.js",
    "publish.test.js",
    "query.test.js",
    "sign_in.test.js",
    "subscription.test.js",
    "terminate.test.js",
    "watchlist.test.js",
];

/// How long Redis may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A Redis on a free port of loopback, which keeps nothing; stopped when dropped.
pub struct PairsRedis {
    server: Child,
    port: u16,
}

impl PairsRedis {
    /// Starts the server.
    ///
    /// # Errors
    /// In words: why it did not start.
    pub fn start() -> Result<Self, String> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| format!("no free port: {error}"))?.port();
        let program = env::var("FANFARE_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let mut command = Command::new(&program);
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.current_dir(std::env::temp_dir()).stdin(Stdio::null()).stdout(Stdio::null());
        let server = command.spawn().map_err(|error| format!("{program}: {error}"))?;
        let redis = Self { server, port };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_err() {
            if Instant::now() > deadline {
                return Err(format!("{program} does not accept connections"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(redis)
    }

    /// The URL, for `bus.urls`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for PairsRedis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
