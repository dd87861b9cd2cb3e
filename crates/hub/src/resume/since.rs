//! What a client comes back with.

use std::sync::Arc;

use fanfare_protocol::ids::SocketId;
use fanfare_protocol::resume::ResumeToken;

/// What a client has got of one channel before.
#[derive(Clone, Debug)]
pub(crate) struct Since {
    /// The connection that the channel was acknowledged in; `None` if nothing is known of that connection.
    pub(crate) former: Option<Arc<Former>>,
    /// The token of that connection, if it was one of another node.
    pub(crate) elsewhere: Option<ResumeToken>,
    /// Messages of the channel since then.
    pub(crate) count: u64,
}

/// A connection of a client that has come again.
#[derive(Debug)]
pub(crate) struct Former {
    pub(crate) socket: SocketId,
    /// Further connections of the same client (RES-009).
    pub(crate) others: Vec<SocketId>,
}
