//! What operators are told of a failed command: never a signature, nor what events and users carry, nor a secret that was sent
//! in the place of a key.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use super::{ClientEventFault, ProtocolError, SignInFault};
use crate::close::shortened;

/// Longest part of a wrong key that is told, in bytes: people put the secret in the key's place.
const MOST_OF_A_WRONG_KEY: usize = 8;

/// The sentence for operators.
struct Told<'a>(&'a ProtocolError);

impl Display for Told<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            ProtocolError::AuthSignature { .. } | ProtocolError::SignIn(SignInFault::Signature { .. }) => {
                f.write_str("Invalid signature: it is not the HMAC SHA256 hex digest of the text under the app's secret")
            }
            ProtocolError::AuthKey(key) => {
                write!(f, "Invalid key in subscription auth data: '{}'", shortened(key, MOST_OF_A_WRONG_KEY))
            }
            ProtocolError::SignIn(SignInFault::AuthKey(key)) => {
                write!(f, "Invalid key in signin auth data: '{}'", shortened(key, MOST_OF_A_WRONG_KEY))
            }
            other => other.fmt(f),
        }
    }
}

impl ProtocolError {
    /// The sentence for operators.
    #[must_use]
    pub fn told(&self) -> impl Display {
        Told(self)
    }

    /// What should have been signed, without `channel_data` and `user_data`.
    #[must_use]
    pub fn signed(&self) -> Option<Cow<'_, str>> {
        let (Self::AuthSignature { signed, .. } | Self::SignIn(SignInFault::Signature { signed, .. })) = self
        else {
            return None;
        };
        // `1.2:private-a`, `1.2:presence-a:DATA`, `1.2::user::DATA`.
        let names = if signed.contains("::") { 4 } else { 2 };
        Some(match signed.match_indices(':').nth(names - 1) {
            Some((at, _)) => Cow::Owned(format!("{}:…", signed.get(..at).unwrap_or_default())),
            None => Cow::Borrowed(signed),
        })
    }

    /// Whether a quota of messages is used up.
    #[must_use]
    pub const fn is_over_quota(&self) -> bool {
        matches!(self, Self::ClientEvent(ClientEventFault::OverQuota(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_019_operators_are_told_what_to_sign_but_no_signature_no_key_in_doubt_and_no_data() {
        let got = || "ffee".to_owned();
        for (error, signed) in [
            (ProtocolError::AuthSignature { signed: "1.2:private-a".into(), got: got() }, "1.2:private-a"),
            (
                ProtocolError::AuthSignature { signed: r#"1.2:presence-a:{"user_id":7}"#.into(), got: got() },
                "1.2:presence-a:…",
            ),
            (
                ProtocolError::SignIn(SignInFault::Signature {
                    signed: r#"1.2::user::{"id":"::"}"#.into(),
                    got: got(),
                }),
                "1.2::user::…",
            ),
        ] {
            assert_eq!(error.signed().as_deref(), Some(signed));
            assert!(!error.told().to_string().contains("ffee"), "{}", error.told());
        }
        let secret = "0123456789abcdef";
        for error in [
            ProtocolError::AuthKey(secret.into()),
            ProtocolError::SignIn(SignInFault::AuthKey(secret.into())),
        ] {
            assert!(error.told().to_string().contains("01234567…"), "{}", error.told());
            assert!(!error.told().to_string().contains(secret));
        }
        assert_eq!(ProtocolError::InvalidJson.told().to_string(), "Received invalid JSON");
    }
}
