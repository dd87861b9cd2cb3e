//! Answers while the database works on the most requests allowed.

use std::net::SocketAddr;
use std::time::Duration;

use fanfare_apps::{Apps, Database};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::descriptors::Division;
use fanfare_config::Config;
use fanfare_node::tasks::Tasks;

/// The deadline of every wait.
const DEADLINE: Duration = Duration::from_secs(10);

/// A listener without a free permit.
async fn fully_occupied(folder: &tempfile::TempDir) -> SocketAddr {
    let config = Config::default();
    let database = Database::parse("sqlite", folder.path()).expect("a database");
    let apps = Apps::open(Vec::new(), Some(database), config.kept()).await.expect("it can be opened");
    let division = Division { operators: 10, ..Division::default() };
    let state = Arc::new(State::new(config, apps, Tasks::default(), &division));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(run_with(state, listener.into(), 0));
    address
}

async fn ask(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.expect("it answers").expect("it answers");
    answer
}

#[tokio::test]
async fn beyond_what_may_be_under_way_operators_are_told_to_come_back_and_health_is_answered() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let address = fully_occupied(&folder).await;
    let busy = ask(address, "GET /v1/apps HTTP/1.1\r\nAuthorization: Bearer fanfare_1").await;
    assert!(busy.starts_with("HTTP/1.1 503 "), "{busy}");
    assert!(busy.contains("\r\nretry-after: 1\r\n") && busy.contains("urn:fanfare:problem:busy"), "{busy}");
    let stranger = ask(address, "GET /v1/apps HTTP/1.1").await;
    assert!(stranger.starts_with("HTTP/1.1 401 "), "{stranger}");
    for path in ["/up", "/live", "/ready", "/metrics"] {
        let answer = ask(address, &format!("GET {path} HTTP/1.1")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}
