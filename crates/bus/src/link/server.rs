//! Which server a link talks to: the one of the address, the master that Sentinels name, or the master of a slot.

use fanfare_redis::{Connector, Host, RedisAddress, RedisError, Topology, master_of, owner_of};

/// Finds the server of the next connection.
#[derive(Clone)]
pub(super) struct Server {
    topology: Topology,
    /// The slot of the link's partition; of a Cluster alone.
    slot: u16,
    /// Nodes of the Cluster, the last that answered first.
    nodes: Vec<Host>,
}

impl Server {
    pub fn new(address: &RedisAddress, slot: u16) -> Self {
        Self { topology: address.topology().clone(), slot, nodes: address.hosts().to_vec() }
    }

    /// Whether topics belong to shards.
    pub fn is_cluster(&self) -> bool {
        matches!(self.topology, Topology::Cluster(_))
    }

    /// The server to connect to now.
    ///
    /// # Errors
    /// Nobody knows.
    pub async fn find(&mut self, connector: &Connector) -> Result<Host, RedisError> {
        match &self.topology {
            Topology::Single(host) => Ok(host.clone()),
            Topology::Sentinels { hosts, master } => master_of(hosts, master, connector).await,
            Topology::Cluster(_) => self.owner_of(self.slot, connector).await,
        }
    }

    /// The next time another node of the Cluster is asked first: this one may know less than the others.
    pub fn turn(&mut self) {
        if !self.nodes.is_empty() {
            self.nodes.rotate_left(1);
        }
    }

    /// The master of a slot of the Cluster.
    ///
    /// # Errors
    /// Nobody knows.
    pub async fn owner_of(&mut self, slot: u16, connector: &Connector) -> Result<Host, RedisError> {
        let (owner, known) = owner_of(slot, &self.nodes, connector).await?;
        self.nodes.retain(|node| !known.contains(node));
        self.nodes.extend(known);
        self.nodes.truncate(64);
        Ok(owner)
    }

    /// Whether the Sentinels name another master than this host.
    pub async fn has_moved_from(&self, host: &Host, connector: &Connector) -> bool {
        match &self.topology {
            Topology::Sentinels { hosts, master } => {
                master_of(hosts, master, connector).await.is_ok_and(|named| named != *host)
            }
            Topology::Single(_) | Topology::Cluster(_) => false,
        }
    }

    /// Whether there is anybody to ask [`Server::has_moved_from`].
    pub fn is_watched(&self) -> bool {
        matches!(self.topology, Topology::Sentinels { .. })
    }
}
