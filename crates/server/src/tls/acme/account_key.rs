//! The key of an account with an authority, and the signed form of every request (JWS, RFC 7515; ECDSA with P-256).
//!
//! Never shows the key, except to whoever stores it.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

/// The key of an account.
pub struct AccountKey {
    pair: EcdsaKeyPair,
    pkcs8: Vec<u8>,
    random: SystemRandom,
}

/// Who signs: an account by its URL, or one that does not exist yet by its key.
pub enum Signer<'a> {
    Account(&'a str),
    New,
}

/// The key cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[error("the key of an account cannot be made or used")]
pub struct BadKey;

impl AccountKey {
    /// A new key.
    pub fn generate() -> Result<Self, BadKey> {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Self::of(made.map_err(|_| BadKey)?.as_ref())
    }

    /// The key that was stored as this text.
    pub fn stored(text: &str) -> Result<Self, BadKey> {
        Self::of(&BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| BadKey)?)
    }

    fn of(pkcs8: &[u8]) -> Result<Self, BadKey> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random);
        Ok(Self { pair: pair.map_err(|_| BadKey)?, pkcs8: pkcs8.to_owned(), random })
    }

    /// The text to store, a secret.
    pub fn to_store(&self) -> String {
        encoded(&self.pkcs8)
    }

    /// The public key (RFC 7517).
    fn public(&self) -> Value {
        // A point that is not compressed: a byte that says so, then both coordinates.
        let point = self.pair.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = point.split_at(point.len() / 2);
        json!({ "crv": "P-256", "kty": "EC", "x": encoded(x), "y": encoded(y) })
    }

    /// What an authority asks to see for a token: the token and the key's fingerprint (RFC 8555, section 8.1).
    pub fn authorization(&self, token: &str) -> String {
        // JSON without spaces, its names in order, as RFC 7638 wants.
        let fingerprint = digest(&SHA256, self.public().to_string().as_bytes());
        format!("{token}.{}", encoded(fingerprint.as_ref()))
    }

    /// A signed request; no payload reads what is at the URL.
    pub fn sign(
        &self,
        signer: &Signer<'_>,
        (url, nonce): (&str, &str),
        payload: Option<&Value>,
    ) -> Result<Vec<u8>, BadKey> {
        let mut head = json!({ "alg": "ES256", "nonce": nonce, "url": url });
        match signer {
            Signer::Account(account) => head["kid"] = json!(account),
            Signer::New => head["jwk"] = self.public(),
        }
        let payload = payload.map(Value::to_string).unwrap_or_default();
        let (head, payload) = (encoded(head.to_string().as_bytes()), encoded(payload.as_bytes()));
        let signed = format!("{head}.{payload}");
        let signature = self.pair.sign(&self.random, signed.as_bytes()).map_err(|_| BadKey)?;
        let whole =
            json!({ "protected": head, "payload": payload, "signature": encoded(signature.as_ref()) });
        Ok(whole.to_string().into_bytes())
    }

    /// The proof that the owner of an account elsewhere wants this key (external account binding, RFC 8555, section 7.3.4).
    pub fn bound_to(&self, id: &str, secret: &[u8], url: &str) -> Value {
        let head = encoded(json!({ "alg": "HS256", "kid": id, "url": url }).to_string().as_bytes());
        let payload = encoded(self.public().to_string().as_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let signature = hmac::sign(&key, format!("{head}.{payload}").as_bytes());
        json!({ "protected": head, "payload": payload, "signature": encoded(signature.as_ref()) })
    }
}

/// Bytes as base64url.
pub fn encoded(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// What TLS-ALPN-01 shows of a key authorization, in hex.
pub fn digest_of(authorization: &str) -> String {
    hex::encode(digest(&SHA256, authorization.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_key_is_the_same_key() {
        let key = AccountKey::generate().unwrap();
        let again = AccountKey::stored(&key.to_store()).unwrap();
        assert_eq!(key.authorization("token"), again.authorization("token"));
        assert!(key.authorization("token").starts_with("token."));
        assert!(AccountKey::stored("nonsense").is_err());
    }

    #[test]
    fn the_names_of_the_public_key_are_in_the_order_of_its_fingerprint() {
        let text = AccountKey::generate().unwrap().public().to_string();
        let at = |name: &str| text.find(name).unwrap();
        assert!(
            at("\"crv\"") < at("\"kty\"") && at("\"kty\"") < at("\"x\"") && at("\"x\"") < at("\"y\""),
            "{text}"
        );
    }
}
