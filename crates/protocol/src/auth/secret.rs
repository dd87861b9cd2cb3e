//! A secret, ready to sign with. The secret's text leaves only through `expose`.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The secret half of a credential.
#[derive(Clone)]
pub struct Secret {
    text: Arc<str>,
    /// Keyed once; a clone costs less than keying anew for each signature.
    keyed: Hmac<Sha256>,
}

impl Secret {
    /// Keys an HMAC-SHA256 with the bytes of the text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let keyed = Hmac::new_from_slice(text.as_bytes()).expect("HMAC takes keys of any length");
        Self { text: Arc::from(text), keyed }
    }

    /// The secret's text: for storing, never for printing.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The signature of the parts, one after another: 64 lower-case hex digits (AUTH-004).
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> String {
        hex::encode(self.mac(parts).finalize().into_bytes())
    }

    /// Whether `hex_signature` is the signature of the parts, in lower-case hex. Takes constant time (AUTH-004).
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], hex_signature: &str) -> bool {
        let mut signature = [0; 32];
        let lower_case = !hex_signature.bytes().any(|byte| byte.is_ascii_uppercase());
        lower_case
            && hex::decode_to_slice(hex_signature, &mut signature).is_ok()
            && self.mac(parts).verify_slice(&signature).is_ok()
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

/// For detecting a changed app; never for checking a client's text.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";

    fn secret() -> Secret {
        Secret::new("7ad3773142a6692b25b8")
    }

    #[test]
    fn auth_004_signs_in_lower_case_hex_however_the_text_is_cut() {
        assert_eq!(secret().sign(&[b"1234.1234:private-foobar"]), SIGNATURE);
        assert_eq!(secret().sign(&[b"1234.1234", b":", b"", b"private-foobar"]), SIGNATURE);
    }

    #[test]
    fn auth_004_verifies_its_own_signatures_and_nothing_else() {
        let text: &[&[u8]] = &[b"1234.1234:", b"private-foobar"];
        assert!(secret().verify(text, SIGNATURE));
        assert!(!secret().verify(&[b"1234.1234:private-foobaz"], SIGNATURE));
        assert!(!Secret::new("another").verify(text, SIGNATURE));
        let flipped = SIGNATURE.replacen('5', "6", 1);
        let (short, long) = (&SIGNATURE[..62], format!("{SIGNATURE}00"));
        for wrong in ["", "5", "zz", "é", short, &long, &flipped, &SIGNATURE.to_uppercase()] {
            assert!(!secret().verify(text, wrong), "{wrong}");
        }
    }

    #[test]
    fn auth_030_signs_user_data_as_the_documentation_does() {
        let cases = [
            (r#"{"id":"12345"}"#, "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba"),
            (r#"{"id": "12345"}"#, "d06dc389319077f890321aeac54e04868921e1601686928f61fc9bf702e92830"),
            (
                r#"{"id":"12345","user_info":{"name":"Ann"},"watchlist":["67890"]}"#,
                "182b2be0da190bb6de0df9f748dea56b925c0db84fff01725b8328070e0397ae",
            ),
        ];
        for (user_data, signature) in cases {
            assert_eq!(
                secret().sign(&[b"1234.1234::user::", user_data.as_bytes()]),
                signature,
                "{user_data}"
            );
        }
    }

    #[test]
    fn auth_050_signs_webhook_bodies_as_the_sdks_check_them() {
        let cases = [
            (
                r#"{"time_ms":1700000000000,"events":[{"name":"channel_occupied","channel":"private-foobar"}]}"#,
                "c9e4a34dfe004d6c993f44d9adcbdc04819c201203a4043bb5bc3120ab5321ea",
            ),
            (
                r#"{"time_ms":1700000000500,"events":[{"name":"member_added","channel":"presence-foobar","user_id":"u1"},{"name":"client_event","channel":"presence-foobar","event":"client-hi","data":"{\"a\":1}","socket_id":"1234.1234","user_id":"u1"}]}"#,
                "396e79aa42bcc82ca3bb71c8b30957d4714979c50c9edad1f6e0fa593af1548e",
            ),
        ];
        for (body, signature) in cases {
            assert_eq!(secret().sign(&[body.as_bytes()]), signature, "{body}");
        }
    }

    #[test]
    fn keys_of_any_length_sign() {
        let long = "x".repeat(1000);
        for text in ["", "x", &long] {
            let secret = Secret::new(text);
            assert!(secret.verify(&[b"text"], &secret.sign(&[b"text"])));
            assert_eq!(secret.expose(), text);
        }
    }

    #[test]
    fn debug_does_not_tell_the_secret() {
        assert_eq!(format!("{:?}", secret()), "Secret(..)");
    }
}
