//! A server that loses one of its tasks, run in the test's process.

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::*;
use fanfare_config::{Flags, Sources};

const DEADLINE: Duration = Duration::from_secs(10);

fn config(folder: &TempDir) -> Config {
    let file = folder.path().join("fanfare.toml");
    let toml = "[timeouts]\ndrain = 2\n[[apps.list]]\nid = \"3\"\nkey = \"key-3\"\nsecret = \"s\"\n";
    std::fs::write(&file, toml).expect("the folder can be written to");
    let free = Some("127.0.0.1:0".to_owned());
    let flags = Flags { listen: free.clone(), admin_listen: free, ..Flags::default() };
    Config::load(&Sources { file: Some(file), flags, ..Sources::default() }).expect("a legal configuration")
}

/// The answer to a GET that is the last request of its connection.
async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the server accepts");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer in UTF-8");
    answer
}

/// An admitted WebSocket that never closes by itself.
async fn websocket(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the server accepts");
    let request = "GET /app/key-3?protocol=7 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("connection_established") {
        assert!(stream.read_buf(&mut read).await.expect("an answer") > 0, "admitted");
    }
    stream
}

#[tokio::test]
async fn a_server_that_loses_a_task_drains_says_that_it_is_not_ready_and_ends_with_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut stop = Signals::begin().expect("signals").stop;
    let server = Server::open(config(&folder), Inherited::default()).await.expect("it starts");
    let (state, admin) = (Arc::clone(&server.state), server.admin_listening);
    let _client = websocket(server.listening).await;
    let serving = tokio::spawn(async move { server.run(&mut stop, &Notices::nowhere()).await });
    assert!(get(admin, "/ready").await.starts_with("HTTP/1.1 200 "));
    assert!(!get(admin, "/metrics").await.contains("fanfare_tasks_failed_total{"));

    state.node.tasks.spawn("on purpose", async { panic!("a task of the server panics") });
    let begun = Instant::now();
    while !get(admin, "/ready").await.starts_with("HTTP/1.1 503 ") {
        assert!(begun.elapsed() < DEADLINE, "it is never not ready");
    }
    assert!(get(admin, "/metrics").await.contains("fanfare_tasks_failed_total{task=\"on purpose\"} 1"));
    let ended = timeout(DEADLINE, serving).await.expect("the drain ends").expect("it does not panic");
    assert!(matches!(ended, Err(ServeError::Task("on purpose"))), "{ended:?}");
}
