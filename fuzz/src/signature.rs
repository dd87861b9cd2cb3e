//! The signature of a request, written a second time from the rules AUTH-002 to AUTH-006.
//!
//! Shares no code with the implementation under test, not even the HMAC; never verifies anything.

use md5::{Digest, Md5};
use sha2::Sha256;

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// The pairs of a query, decoded, with names in lower case.
pub fn pairs_of(query: &str) -> Vec<(String, String)> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect()
}

/// The signed text: method, path and parameters, sorted, without the signature.
pub fn text_to_sign(method: &str, path: &str, pairs: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = pairs.iter().filter(|(name, _)| name != "auth_signature").enumerate().collect();
    // Brackets do not count, and equal names stay in request order.
    sorted.sort_by(|(place, (name, _)), (other_place, (other, _))| {
        bare(name).as_bytes().cmp(bare(other).as_bytes()).then(place.cmp(other_place))
    });
    let parameters: Vec<String> = sorted.iter().map(|(_, (name, value))| format!("{name}={value}")).collect();
    [method.to_ascii_uppercase(), path.to_owned(), parameters.join("&")].join("\n")
}

fn bare(name: &str) -> &str {
    name.strip_suffix("[]").unwrap_or(name)
}

/// HMAC-SHA256 in lower-case hex, as RFC 2104 defines it.
pub fn hmac(secret: &str, text: &str) -> String {
    let mut key = [0; BLOCK];
    if secret.len() > BLOCK {
        key[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        key[..secret.len()].copy_from_slice(secret.as_bytes());
    }
    let inner = Sha256::new().chain_update(key.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    let outer = Sha256::new().chain_update(key.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize();
    hex::encode(outer)
}

/// MD5 in lower-case hex.
pub fn md5(body: &[u8]) -> String {
    hex::encode(Md5::digest(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_examples_are_signed_as_documented() {
        let secret = "7ad3773142a6692b25b8";
        let signature = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";
        assert_eq!(hmac(secret, "1234.1234:private-foobar"), signature);
        assert_eq!(md5(b"{}"), "99914b932bd37a50b983c5e7c90ae93b");
    }

    #[test]
    fn parameters_are_sorted_under_their_names_without_brackets() {
        let pairs = pairs_of("B=2&a-b=1&auth_signature=x&a[]=b%2Cc&a%5B%5D=a&d");
        assert_eq!(text_to_sign("get", "/p", &pairs), "GET\n/p\na[]=b,c&a[]=a&a-b=1&b=2&d=");
    }
}
