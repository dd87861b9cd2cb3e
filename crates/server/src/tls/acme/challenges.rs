//! What certificate authorities ask to see before they issue: answered for this node, and for every other node of the database.
//!
//! Strangers may ask for anything here. All who wait at a moment share one read of what other nodes have prepared, and reads have a
//! bounded rate: strangers neither load the database nor keep an authority from its answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::storage::{AcmeRecords, StorageError};
use crate::tls::settings::config_with;

/// The name of the protocol in which an authority asks over TLS (RFC 8737).
pub const ACME_TLS: &[u8] = b"acme-tls/1";

/// How long an answer is kept at most: longer than any order takes.
const LIFE: Duration = Duration::from_secs(3600);

/// Shortest time between two reads of what other nodes have prepared.
const BETWEEN_READS: Duration = Duration::from_millis(50);

/// What the names of records with answers begin with.
const PREFIXES: [&str; 2] = ["token:", "host:"];

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
            Self::Token(token) => format!("{}{token}", PREFIXES[0]),
            Self::Host(host) => format!("{}{host}", PREFIXES[1]),
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
    storage: Arc<AcmeRecords>,
    /// Of this node's own order.
    own: Mutex<HashMap<Asked, String>>,
    /// How many reads of what others have prepared were begun.
    begun: AtomicU64,
    /// Somebody waits for the next read.
    wanted: Notify,
    last: watch::Sender<LastRead>,
}

/// The last read of what others have prepared.
#[derive(Default)]
struct LastRead {
    number: u64,
    /// By the names of the records.
    answers: HashMap<String, String>,
}

impl Challenges {
    pub fn new(storage: Arc<AcmeRecords>) -> Self {
        Self {
            storage,
            own: Mutex::default(),
            begun: AtomicU64::new(0),
            wanted: Notify::new(),
            last: watch::Sender::default(),
        }
    }

    /// Reads what others have prepared whenever somebody waits for it, until the process ends.
    pub async fn read_others(&self) {
        loop {
            self.wanted.notified().await;
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            // What cannot be read is as good as not prepared: the authority tells the node that orders.
            let answers = self.storage.of_prefixes(PREFIXES, LIFE).await.unwrap_or_default();
            self.last.send_replace(LastRead { number, answers: answers.into_iter().collect() });
            sleep(BETWEEN_READS).await;
        }
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
        if !asked.is_legal() {
            return None;
        }
        // A read that is under way may have missed what was prepared since it began.
        let wanted = self.begun.load(Ordering::SeqCst) + 1;
        let mut last = self.last.subscribe();
        self.wanted.notify_one();
        let read = last.wait_for(|last| last.number >= wanted).await.ok()?;
        read.answers.get(&asked.record()).cloned()
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
