//! What certificate authorities ask to see before they issue: answered for this node, and for every other node of the database.
//!
//! Strangers may ask for anything here: names have a bounded length, and the look-ups of all of them a bounded rate.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fanfare_node::Node;
use fanfare_node::rate::Rate;
use parking_lot::Mutex;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::storage::{AcmeRecords, StorageError};
use crate::tls::settings::config_with;

/// The name of the protocol in which an authority asks over TLS (RFC 8737).
pub const ACME_TLS: &[u8] = b"acme-tls/1";

/// How long an answer is kept at most: longer than any order takes.
const LIFE: Duration = Duration::from_secs(3600);

/// Most look-ups of answers that this node does not have itself, a second.
const LOOK_UPS: usize = 20;

/// Longest token, and longest host name.
const LONGEST: usize = 253;

/// An answer that is wanted, by what the authority names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// A token in a path (HTTP-01); the answer is the key authorization.
    Token(String),
    /// A host name (TLS-ALPN-01); the answer is the digest of the key authorization, in hex.
    Host(String),
}

impl Asked {
    fn record(&self) -> String {
        match self {
            Self::Token(token) => format!("token:{token}"),
            Self::Host(host) => format!("host:{host}"),
        }
    }

    fn is_legal(&self) -> bool {
        let (Self::Token(text) | Self::Host(text)) = self;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (1..=LONGEST).contains(&text.len()) && text.bytes().all(legal)
    }
}

/// The answers to authorities.
pub struct Challenges {
    node: Arc<Node>,
    storage: Arc<AcmeRecords>,
    /// Of this node's own order.
    own: Mutex<HashMap<Asked, String>>,
    rate: Rate,
}

impl Challenges {
    pub fn new(node: Arc<Node>, storage: Arc<AcmeRecords>) -> Self {
        Self { node, storage, own: Mutex::default(), rate: Rate::new() }
    }

    /// Has every node give this answer.
    pub async fn prepare(&self, asked: Asked, answer: String) -> Result<(), StorageError> {
        self.storage.put(&asked.record(), &answer, LIFE).await?;
        self.own.lock().insert(asked, answer);
        Ok(())
    }

    /// Forgets the answers of this node's order.
    pub async fn end(&self) {
        let own: Vec<Asked> = self.own.lock().drain().map(|(asked, _)| asked).collect();
        for asked in own {
            // What stays is gone by itself in time, and of no use to anybody.
            let _ = self.storage.remove(&asked.record()).await;
        }
    }

    /// The answer, if some node has prepared one.
    pub async fn answer(&self, asked: Asked) -> Option<String> {
        if let Some(answer) = self.own.lock().get(&asked) {
            return Some(answer.clone());
        }
        if !asked.is_legal() || !self.rate.take(1, LOOK_UPS, self.node.nanoseconds()) {
            return None;
        }
        self.storage.get(&asked.record()).await.ok().flatten()
    }

    /// The settings of the handshake in which an authority asks for a host; `None` if no answer is prepared.
    pub async fn config_for(&self, host: &str) -> Option<Arc<ServerConfig>> {
        let digest = self.answer(Asked::Host(host.to_owned())).await?;
        config(host, &hex::decode(digest).ok()?).map(Arc::new)
    }
}

/// Settings with the self-signed certificate that RFC 8737 asks for.
fn config(host: &str, digest: &[u8]) -> Option<ServerConfig> {
    let mut params = CertificateParams::new(vec![host.to_owned()]).ok()?;
    // Anything else would be a fault of the one who has prepared the answer.
    if digest.len() != 32 {
        return None;
    }
    params.custom_extensions.push(CustomExtension::new_acme_identifier(digest));
    let key = KeyPair::generate().ok()?;
    let certificate = params.self_signed(&key).ok()?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).ok()?;
    let key = ring::sign::any_supported_type(&key).ok()?;
    // Not the form that is checked first: the check knows no such critical extension.
    let certified = CertifiedKey::new(vec![certificate.der().clone()], key);
    let mut config = config_with(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![ACME_TLS.to_vec()];
    Some(config)
}
