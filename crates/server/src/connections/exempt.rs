//! The networks without bounds by client address: those of `listen.trusted_proxies`, because all clients behind such a proxy may have
//! its address.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use ipnet::IpNet;

/// The networks of now; clones share them.
#[derive(Clone, Debug, Default)]
pub struct ExemptNetworks(Arc<ArcSwap<Vec<IpNet>>>);

impl ExemptNetworks {
    /// Exempt are these networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(networks)))
    }

    /// Other networks from now on; what is counted already stays counted as it was.
    pub fn set(&self, networks: Vec<IpNet>) {
        self.0.store(Arc::new(networks));
    }

    /// The networks of this moment; not to be held while waiting.
    #[must_use]
    pub fn now(&self) -> Guard<Arc<Vec<IpNet>>> {
        self.0.load()
    }
}
