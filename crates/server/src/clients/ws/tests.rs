//! The memory of an idle connection, as far as types show.

use tokio::net::TcpStream;

use super::*;
use crate::tls::TlsSocket;

/// Most bytes of a connection's task, without the allocator's overhead.
const BUDGET: usize = 1536;

/// Bytes of the task that a function of this shape starts.
fn size_of_task<S, Task>(_: fn(Arc<Node>, Newcomer, S, Vec<u8>) -> Task) -> usize {
    size_of::<Task>()
}

#[test]
fn the_task_of_a_connection_stays_within_its_budget() {
    for size in [size_of_task(run::<TcpStream>), size_of_task(run::<TlsSocket>)] {
        assert!(size < BUDGET, "{size} bytes");
    }
}
