//! The app that the doctor examines.
//!
//! Holds the secret; never shows it.

use fanfare_protocol::auth::Credential;

/// An app with its credentials, as far as known. Not `Debug`: the secret is inside.
pub struct ExaminedApp {
    pub(super) id: Option<String>,
    pub(super) key: String,
    pub(super) credential: Option<Credential>,
}
