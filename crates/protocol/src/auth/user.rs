//! The signature with which a client proves its user (AUTH-030).

use super::pair::{PairFault, verify_pair};
use crate::app::App;
use crate::error::SignInFault;
use crate::ids::SocketId;

/// Checks `auth`, which is `KEY:SIGNATURE`, for one socket and the text of `user_data` as received.
///
/// # Errors
/// `auth` has no colon, names a key that is not the app's, or has a signature of another
/// socket or data.
pub fn verify_user(app: &App, socket: SocketId, auth: &str, user_data: &str) -> Result<(), SignInFault> {
    verify_pair(app, auth, format!("{socket}::user::{user_data}")).map_err(|fault| match fault {
        PairFault::Format => SignInFault::AuthFormat,
        PairFault::Key(key) => SignInFault::AuthKey(key),
        PairFault::Signature { signed, got } => SignInFault::Signature { signed, got },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::sample::{KEY, official_app};

    fn verify(auth: &str, user_data: &str) -> Result<(), SignInFault> {
        verify_user(&official_app(), "1234.1234".parse().expect("an id"), auth, user_data)
    }

    #[test]
    fn auth_030_worked_examples_byte_for_byte() {
        for (user_data, signature) in [
            (r#"{"id":"12345"}"#, "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba"),
            (r#"{"id": "12345"}"#, "d06dc389319077f890321aeac54e04868921e1601686928f61fc9bf702e92830"),
            (
                r#"{"id":"12345","user_info":{"name":"Ann"},"watchlist":["67890"]}"#,
                "182b2be0da190bb6de0df9f748dea56b925c0db84fff01725b8328070e0397ae",
            ),
        ] {
            let auth = format!("{KEY}:{signature}");
            assert_eq!(verify(&auth, user_data), Ok(()), "{user_data}");
            verify(&auth, &user_data.replace("12345", "12346")).expect_err("the signature is of other data");
        }
    }

    #[test]
    fn auth_030_the_first_fault_is_told() {
        assert_eq!(verify("", "{}"), Err(SignInFault::AuthFormat));
        assert_eq!(verify("k:00", "{}"), Err(SignInFault::AuthKey("k".into())));
        let signed = "1234.1234::user::{}".to_owned();
        assert_eq!(
            verify(&format!("{KEY}:00"), "{}"),
            Err(SignInFault::Signature { signed, got: "00".into() })
        );
    }
}
