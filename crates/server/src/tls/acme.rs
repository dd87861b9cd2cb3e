//! A certificate from an authority, by ACME (RFC 8555): got, renewed and shared with the other nodes, without a restart.
//!
//! Never takes a working certificate out of use, never asks an authority more often than after each failure a longer time, and
//! never logs a key.

mod account_key;
mod authority;
mod challenges;
mod follow;
mod listener;
mod order;
mod storage;

use std::sync::Arc;

use fanfare_config::AcmeSection;
use fanfare_node::Node;
use fanfare_outgoing::Client;
use tokio::sync::Notify;

use self::authority::Rest;
use self::challenges::Challenges;
use self::storage::AcmeRecords;

pub use challenges::ACME_TLS;
pub use follow::begin;
pub use listener::run as answer_over_http;

/// The ACME client of a node.
pub struct Acme {
    section: AcmeSection,
    storage: Arc<AcmeRecords>,
    /// What authorities ask to see.
    pub challenges: Challenges,
    client: Client,
    rest: Rest,
    hurry: Notify,
}

impl Acme {
    /// The client of a node, which has done nothing yet.
    #[must_use]
    pub fn of(node: &Arc<Node>, section: AcmeSection) -> Arc<Self> {
        let storage = Arc::new(AcmeRecords::of(node));
        let challenges = Challenges::new(Arc::clone(&storage));
        let client = Client::new(&section.trust);
        Arc::new(Self { section, storage, challenges, client, rest: Rest::default(), hurry: Notify::new() })
    }

    /// Looks for a certificate at once, and if one is due, orders one although an earlier order has failed; unless the authority
    /// has named a later time.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }
}
