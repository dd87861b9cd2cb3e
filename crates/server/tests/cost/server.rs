//! A server within this process, on one thread as on one core.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Instant;

use fanfare_config::{Config, Flags, Sources};
use fanfare_server::sockets::Inherited;
use fanfare_server::start::Server;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::client::{self, DEADLINE};

pub const ID: &str = "3";
pub const KEY: &str = "278d425bdf160c739803";
pub const SECRET: &str = "7ad3773142a6692b25b8";

pub struct Running {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    /// The TLS address, if there is one.
    pub tls: Option<SocketAddr>,
    // The order is that of dropping: the server first, then the files of its settings. Tasks end with the server's handle.
    _server: Server,
    _runtime: Runtime,
    _folder: TempDir,
}

pub fn start() -> Running {
    start_in(tempfile::tempdir().expect("a temporary folder can be made"), "")
}

/// As [`start`], with settings of the app.
pub fn start_with_app(app: &str) -> Running {
    start_with(tempfile::tempdir().expect("a temporary folder can be made"), "", app)
}

/// As [`start`], with settings; files named in the settings are in the folder.
pub fn start_in(folder: TempDir, settings: &str) -> Running {
    start_with(folder, settings, "")
}

fn start_with(folder: TempDir, settings: &str, of_app: &str) -> Running {
    let file: PathBuf = folder.path().join("fanfare.toml");
    let app = format!(
        "{settings}\n[[apps.list]]\nid = \"{ID}\"\nkey = \"{KEY}\"\nsecret = \"{SECRET}\"\n{of_app}\n"
    );
    std::fs::write(&file, app).expect("the temporary folder can be written to");
    let free = Some("127.0.0.1:0".to_owned());
    let flags = Flags {
        listen: free.clone(),
        admin_listen: free,
        data_dir: Some(folder.path().to_owned()),
        ..Flags::default()
    };
    let config = Config::load(&Sources { file: Some(file), flags, ..Sources::default() });
    let config = config.expect("a legal configuration");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("threads can be started");
    let server = runtime.block_on(Server::open(config, Inherited::default())).expect("the server starts");
    let tls = server.over_tls.as_ref().map(|tls| tls.listen);
    Running {
        address: server.listening,
        admin: server.admin_listening,
        tls,
        _server: server,
        _runtime: runtime,
        _folder: folder,
    }
}

impl Running {
    /// Connections that are subscribed to the channel.
    pub fn crowd(&self, size: usize, channel: &str) -> Vec<TcpStream> {
        let mut crowd = Vec::with_capacity(size);
        for _ in 0..size {
            let mut socket = client::connect(self.address);
            client::subscribe(&mut socket, channel);
            crowd.push(socket);
        }
        crowd
    }

    /// Waits until every connection is a WebSocket.
    pub fn wait_for_no_http(&self) {
        let mut operator = TcpStream::connect(self.admin).expect("the server accepts");
        let mut answer = vec![0; 64 * 1024];
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < DEADLINE, "HTTP connections stay");
            let length =
                client::ask(&mut operator, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", &mut answer);
            let text = String::from_utf8_lossy(&answer[..length]);
            if text.contains("fanfare_http_connections{listener=\"public\"} 0\n") {
                return;
            }
            std::thread::yield_now();
        }
    }

    /// Waits until the server reports this many connections.
    pub fn wait_for_connections(&self, count: usize) {
        let mut api = TcpStream::connect(self.address).expect("the server accepts");
        let question = client::signed("GET", "connections", "");
        let wanted = format!("{{\"connections\":{count}}}");
        let mut answer = [0; 4096];
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < DEADLINE, "{count} connections are never all there is");
            let length = client::ask(&mut api, &question, &mut answer);
            if answer[..length].ends_with(wanted.as_bytes()) {
                return;
            }
            std::thread::yield_now();
        }
    }
}
