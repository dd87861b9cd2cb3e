//! Secrets at rest: sealed with a master key before they are stored, opened after they are read.
//!
//! The first key seals, the others only open, so that a key can be replaced without a gap. No key and
//! no secret is ever shown.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

/// The prefix of a sealed secret, with the version of its format.
const PREFIX: &str = "sealed:1:";

/// Bytes of a nonce; enough that random ones never collide.
const NONCE: usize = 24;

/// The master keys of a server; without a key, secrets stay unsealed.
#[derive(Clone, Default)]
pub struct MasterKeys(Vec<MasterKey>);

#[derive(Clone)]
struct MasterKey {
    /// The beginning of the key's SHA-256, in hex: tells which key opens a secret.
    id: String,
    cipher: XChaCha20Poly1305,
}

/// The text holds no master keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyFault {
    /// A line is no key; the error does not repeat the line.
    #[error("line {0} is no master key: 64 hex digits are wanted, such as `openssl rand -hex 32` prints")]
    NotAKey(usize),
    /// No line holds a key.
    #[error("holds no master key: write one a line, the one that seals first")]
    Empty,
}

/// Why a secret cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealFault {
    #[error("a secret is sealed with the master key {0}, which is not configured (apps.master_key_file)")]
    UnknownKey(String),
    #[error("a sealed secret is damaged, or was moved here from another app or key")]
    Damaged,
}

/// The owner of a secret: a secret that is moved to another app or key does not open.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub app: &'a str,
    /// The key of the secret's pair, or a setting's name.
    pub key: &'a str,
}

impl<'a> Owner<'a> {
    /// The URL of the app's Redis, which may hold a password. No key has a dot.
    pub const fn of_feed_url(app: &'a str) -> Self {
        Self { app, key: "redis_feed.url" }
    }
}

impl MasterKeys {
    /// Whether these are the same keys in the same order.
    #[must_use]
    pub fn are(&self, others: &Self) -> bool {
        self.0.iter().map(|key| &key.id).eq(others.0.iter().map(|key| &key.id))
    }

    /// Reads keys, one a line; empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// The first line that is no key, or that the text holds no key.
    pub fn parse(text: &str) -> Result<Self, MasterKeyFault> {
        let mut keys = Vec::new();
        for (at, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut bytes = [0; 32];
            hex::decode_to_slice(line, &mut bytes).map_err(|_| MasterKeyFault::NotAKey(at + 1))?;
            let digest = Sha256::digest(bytes);
            let id = hex::encode(digest.first_chunk::<4>().expect("a digest has 32 bytes"));
            keys.push(MasterKey { id, cipher: XChaCha20Poly1305::new(&Key::from(bytes)) });
        }
        if keys.is_empty() { Err(MasterKeyFault::Empty) } else { Ok(Self(keys)) }
    }

    /// Whether there is any key.
    #[must_use]
    pub fn are_there(&self) -> bool {
        !self.0.is_empty()
    }

    /// The name of the key that seals: the beginning of its SHA-256, in hex.
    pub(crate) fn first(&self) -> Option<&str> {
        self.0.first().map(|key| &*key.id)
    }

    /// The text to store for a secret.
    pub(crate) fn seal(&self, owner: Owner<'_>, secret: &str) -> Result<String, getrandom::Error> {
        let Some(first) = self.0.first() else { return Ok(secret.to_owned()) };
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)?;
        let owner = owner.text();
        let payload = Payload { msg: secret.as_bytes(), aad: owner.as_bytes() };
        let sealed = first.cipher.encrypt(&XNonce::from(nonce), payload).expect("a secret is short");
        Ok(format!("{PREFIX}{}:{}{}", first.id, hex::encode(nonce), hex::encode(sealed)))
    }

    /// The secret of a stored text.
    pub(crate) fn open(&self, owner: Owner<'_>, stored: &str) -> Result<String, SealFault> {
        let Some(sealed) = stored.strip_prefix(PREFIX) else { return Ok(stored.to_owned()) };
        let (id, content) = sealed.split_once(':').ok_or(SealFault::Damaged)?;
        let key = self.0.iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| SealFault::UnknownKey(id.to_owned()))?;
        let content = hex::decode(content).map_err(|_| SealFault::Damaged)?;
        let (nonce, sealed) = content.split_first_chunk::<NONCE>().ok_or(SealFault::Damaged)?;
        let owner = owner.text();
        let payload = Payload { msg: sealed, aad: owner.as_bytes() };
        let secret = key.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| SealFault::Damaged)?;
        String::from_utf8(secret).map_err(|_| SealFault::Damaged)
    }

    /// Whether the stored text is sealed.
    pub(crate) fn is_sealed(stored: &str) -> bool {
        stored.starts_with(PREFIX)
    }

    /// The beginning of every text that the first key seals; empty without a key.
    pub(crate) fn prefix_of_first(&self) -> String {
        self.first().map_or_else(String::new, |id| format!("{PREFIX}{id}:"))
    }

    /// Whether the stored text is what the first key would store.
    pub(crate) fn is_sealed_by_first(&self, stored: &str) -> bool {
        match self.0.first() {
            Some(first) => stored
                .strip_prefix(PREFIX)
                .and_then(|sealed| sealed.split_once(':'))
                .is_some_and(|(id, _)| id == first.id),
            None => !Self::is_sealed(stored),
        }
    }
}

impl Owner<'_> {
    fn text(self) -> String {
        format!("{}:{}", self.app, self.key)
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner { app: "7", key: "key-7" };

    fn keys(digits: &[char]) -> MasterKeys {
        let lines: Vec<String> = digits.iter().map(|digit| digit.to_string().repeat(64)).collect();
        MasterKeys::parse(&lines.join("\n")).unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_and_shows_nothing() {
        let keys = keys(&['a']);
        let sealed = keys.seal(OWNER, "hush-hush").unwrap();
        assert!(sealed.starts_with("sealed:1:") && !sealed.contains("hush"), "{sealed}");
        assert_eq!(keys.open(OWNER, &sealed).unwrap(), "hush-hush");
        assert_ne!(keys.seal(OWNER, "hush-hush").unwrap(), sealed, "each time anew");
        assert_eq!(format!("{keys:?}"), "MasterKeys(1)");
    }

    #[test]
    fn a_secret_of_the_longest_kind_and_of_one_letter_fit_the_column() {
        for length in [1, 128] {
            let sealed = keys(&['a']).seal(OWNER, &"s".repeat(length)).unwrap();
            let hex = sealed.len() - "sealed:1:01234567:".len();
            assert!((82..=336).contains(&hex), "{hex}");
        }
    }

    #[test]
    fn without_keys_secrets_are_stored_as_they_are() {
        let none = MasterKeys::default();
        assert_eq!(none.seal(OWNER, "plain").unwrap(), "plain");
        assert_eq!(none.open(OWNER, "plain").unwrap(), "plain");
        assert_eq!(keys(&['a']).open(OWNER, "plain").unwrap(), "plain", "also once there are keys");
    }

    #[test]
    fn the_first_key_seals_and_every_key_opens() {
        let old = keys(&['a']).seal(OWNER, "s").unwrap();
        let both = keys(&['b', 'a']);
        assert_eq!(both.open(OWNER, &old).unwrap(), "s");
        assert!(!both.is_sealed_by_first(&old) && !both.is_sealed_by_first("s"));
        let new = both.seal(OWNER, "s").unwrap();
        assert!(both.is_sealed_by_first(&new));
        assert_eq!(keys(&['b']).open(OWNER, &new).unwrap(), "s");
        assert!(matches!(keys(&['b']).open(OWNER, &old), Err(SealFault::UnknownKey(_))));
        assert!(matches!(MasterKeys::default().open(OWNER, &old), Err(SealFault::UnknownKey(_))));
    }

    #[test]
    fn a_sealed_secret_that_was_changed_or_moved_does_not_open() {
        let keys = keys(&['a']);
        let sealed = keys.seal(OWNER, "s").unwrap();
        for owner in [Owner { app: "8", ..OWNER }, Owner { key: "key-8", ..OWNER }] {
            assert_eq!(keys.open(owner, &sealed), Err(SealFault::Damaged));
        }
        let last = sealed.len() - 1;
        let flipped = format!("{}{}", &sealed[..last], if sealed.ends_with('0') { '1' } else { '0' });
        for damaged in [&flipped[..], &sealed[..last], &sealed[..40], &sealed[..18]] {
            assert_eq!(keys.open(OWNER, damaged), Err(SealFault::Damaged), "{damaged}");
        }
    }

    #[test]
    fn a_line_that_is_no_key_is_named_and_not_repeated() {
        let text = format!("# the key\n\n{}\nhush", "a".repeat(64));
        assert_eq!(MasterKeys::parse(&text).unwrap_err(), MasterKeyFault::NotAKey(4));
        assert_eq!(MasterKeys::parse("# none\n").unwrap_err(), MasterKeyFault::Empty);
    }
}
