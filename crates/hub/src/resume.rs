//! What is kept for clients that resume, beside the rings of the channels themselves: the bounds of the node and of each
//! app, and the connections that are known by a token (RES-012).
//!
//! Knows no clock: the present is that of the last sweep.

mod mistakes;
mod node;
mod rings;
mod since;
mod tokens;

#[cfg(shuttle)]
pub use self::mistakes::ResumeMistake;
pub use self::node::ResumeBounds;

#[cfg(not(shuttle))]
pub(crate) use self::mistakes::ResumeMistake;

pub(crate) use self::node::NodeRings;
pub(crate) use self::rings::Rings;
pub(crate) use self::since::{Former, Since};
