//! Socket.IO, for the clients of Laravel Echo's `socket.io` connector (SIO-001 … SIO-107).
//!
//! One task owns a session, whatever its transport: the session begins over polling or as a WebSocket, and may change from
//! the one to the other once. Requests hand the task what they bring. What is said is `protocol`'s.

mod answers;
mod cors;
mod echo;
mod exchange;
mod handshake;
mod known;
mod pings;
mod polling;
mod questions;
mod refused;
pub(crate) mod requests;
mod script;
mod session;
mod speaker;
mod table;
mod upgrade;
mod websocket;

pub use table::SocketIoTable;
