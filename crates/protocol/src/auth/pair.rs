//! The `KEY:SIGNATURE` with which a client proves that its app's back end agrees (AUTH-024).

use crate::app::App;

/// Why a text is no valid pair.
pub(super) enum PairFault {
    /// The text has no colon.
    Format,
    /// The key is not the app's.
    Key(String),
    /// The signature is not that of the text.
    Signature {
        /// The text that the server signed.
        signed: String,
        /// The client's signature.
        got: String,
    },
}

/// Checks that one of the app's keys has signed the text.
pub(super) fn verify_pair(app: &App, auth: &str, signed: String) -> Result<(), PairFault> {
    let (key, signature) = auth.split_once(':').ok_or(PairFault::Format)?;
    let credential = app.credential(key).ok_or_else(|| PairFault::Key(key.to_owned()))?;
    if credential.secret.verify(&[signed.as_bytes()], signature) {
        Ok(())
    } else {
        Err(PairFault::Signature { signed, got: signature.to_owned() })
    }
}
