//! The connections of clients: which of them may connect, and a room for each transport.

pub(crate) mod admission;
mod connection;
pub mod http_session;
pub(crate) mod socket_io;
pub mod ws;
pub(crate) mod xhr;
