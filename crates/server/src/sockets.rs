//! The sockets that listeners accept on: made, shared with the process before or after, or passed on by a service manager.
//!
//! Knows nothing of who is served.

mod bound;
mod inherited;
mod listening;
mod unix;

pub use bound::BoundSockets;
pub use inherited::{Inherited, NotInherited, PassedFor};
pub use listening::ListeningSockets;
