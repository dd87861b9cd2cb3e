//! Signatures: of channel subscriptions, sign-ins and HTTP requests (AUTH-001 … AUTH-030).
//!
//! The only module that makes or checks signatures. Every comparison with a signature takes constant time, and no
//! secret leaves the module in an error or in `Debug`.

mod answer;
mod channel;
mod error;
mod pair;
mod query;
mod request;
#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod sample;
mod secret;
mod signing;
mod user;

pub use self::answer::{channel_answer, user_answer};
pub use self::channel::verify_channel;
pub use self::error::RequestError;
pub use self::query::Query;
pub use self::request::{Clock, SignedBody, SignedRequest};
pub use self::secret::Secret;
pub use self::signing::{signed_query, signed_query_with};
pub use self::user::verify_user;
use crate::ids::AppKey;

/// A key, which is public, and the secret that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Names the credential in `auth` and `auth_key`.
    pub key: AppKey,
    /// Signs requests; known to the app's back end and to this server only.
    pub secret: Secret,
}
