//! The app whose way is looked at.
//!
//! Holds the secret; never shows it.

use fanfare_protocol::auth::Credential;

/// An app as it is known to whoever asks. Not `Debug`: it holds the secret.
pub struct ExaminedApp {
    pub(super) id: Option<String>,
    pub(super) key: String,
    pub(super) credential: Option<Credential>,
}
