//! HTTP requests to other people's servers: bounded in time and in what is read, and never redirected.
//!
//! Owns how a connection is made and trusted, and what can go wrong; knows nothing of what is asked, or why.
//! Never reads more of an answer than it was told to, whatever its head announces.

mod client;
mod error;
mod lookups;
mod reach;
mod trust;

pub use client::{Bounds, Client, Options, Response};
pub use error::OutgoingError;
pub use reach::{NoAddress, NotPublic, Reach};
pub use trust::{Trust, TrustError};
