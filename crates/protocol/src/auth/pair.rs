//! The `KEY:SIGNATURE` with which a client shows that its app's back end agrees (AUTH-024).

use crate::app::App;

/// Why it does not show that.
pub(super) enum PairFault {
    /// There is no colon.
    Format,
    /// The key is not the app's.
    Key(String),
    /// The signature is not that of the text.
    Signature {
        /// What the server signed.
        signed: String,
        /// What the client sent.
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
