//! HTTP requests to other people's servers: bounded in time and bytes, and never redirected.
//!
//! Owns connecting, trust in certificates, and the errors; knows nothing of the requests' meaning.
//! Never reads more of an answer than the caller allows, whatever its headers announce.

mod client;
mod error;
mod lookups;
mod opening;
mod reach;
mod tls_fault;
mod trust;

pub use client::{Bounds, Client, Options, Response, StreamedResponse};
pub use error::OutgoingError;
pub use reach::{NoAddress, NotPublic, Reach};
pub use tls_fault::TlsFault;
pub use trust::{Trust, TrustError};
