//! What every session over HTTP requests needs: its name, what its requests hand to its task, and the bounds of both.
//!
//! One task owns the session. Requests that send put messages into its inbox; a request that receives is attached to
//! it. Knows no format of messages.

pub mod away;
pub mod bodies;
pub mod inbox;
pub mod sessions;
