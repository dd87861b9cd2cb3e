//! What an idle connection costs, as far as types can tell.

use std::mem::size_of_val;

use fanfare_apps::Apps;
use fanfare_protocol::app::App;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::Config;
use crate::state::Node;

/// The most bytes that a connection's task may take, whatever the allocator adds.
const BUDGET: usize = 1536;

#[tokio::test]
async fn the_task_of_a_connection_stays_within_its_budget() {
    let config = Config::default();
    let apps = Apps::open(Vec::new(), None, config.kept()).await.expect("nothing to open");
    let state = Arc::new(State::new(
        config,
        apps,
        fanfare_outgoing::Client::new(&fanfare_outgoing::Trust::public()),
        1024,
        1,
    ));
    let hub = state.hubs.open(&Arc::new(App::new("1".into(), Vec::new())));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let stream = TcpStream::connect(address).await.expect("a connection");
    let seat = Node::take_seat(&state).expect("a free seat");
    let newcomer = Newcomer { place: hub.take_place(), hub, version: Version::NEWEST, seat };
    let task = run(state, newcomer, stream, Vec::new());
    assert!(size_of_val(&task) < BUDGET, "{} bytes", size_of_val(&task));
}
