//! What a node in a cluster keeps of one channel, from the first local subscription to the last.

use fanfare_protocol::cluster::{CopyId, Ticket};
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::UserInfo;
use hashbrown::HashMap;

use super::member::Member;
use super::ordered::OrderedCache;
use crate::conn::SocketsInOrder;
use crate::sync::RandomState;

#[derive(Debug)]
pub(super) struct ChannelCopy {
    pub(super) id: CopyId,
    /// Subscribers without an acknowledgement; events of the channel skip them.
    pub(super) waiting: SocketsInOrder<Member>,
    /// Users with a subscription on this node; the channel's own users are those of the whole cluster.
    pub(super) here: HashMap<UserId, Here, RandomState>,
    /// The channel's users are those of the cluster: nothing was missed since the last reading (N2).
    pub(super) is_roster_ready: bool,
    /// On cache channels only.
    pub(super) cache: Option<Box<OrderedCache>>,
    /// The cluster's number of subscriptions, as last heard.
    pub(super) count: Option<usize>,
    /// The number was told while subscribers waited, who have not got it.
    pub(super) is_count_missed: bool,
}

/// A user with a subscription on this node.
#[derive(Debug)]
pub(super) struct Here {
    /// Connections, acknowledged or not.
    pub(super) connections: usize,
    /// Connections that wait for their acknowledgement.
    pub(super) waiting: Vec<SocketId>,
    /// The newest join that the cluster was told.
    pub(super) ticket: Ticket,
    /// The cluster has a join of the user.
    pub(super) is_confirmed: bool,
    /// The newest `user_info`.
    pub(super) info: UserInfo,
}

impl ChannelCopy {
    pub(super) fn new(id: CopyId, is_cached: bool) -> Self {
        Self {
            id,
            waiting: SocketsInOrder::default(),
            here: HashMap::default(),
            is_roster_ready: false,
            cache: is_cached.then(Box::default),
            count: None,
            is_count_missed: false,
        }
    }
}

impl Here {
    /// A user without a connection yet.
    pub(super) const fn new(info: UserInfo) -> Self {
        Self { connections: 0, waiting: Vec::new(), ticket: 0, is_confirmed: false, info }
    }
}
