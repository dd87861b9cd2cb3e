//! The HTTP API for back ends: one function for each endpoint.
//!
//! Never answers a client.

pub(crate) mod channels;
pub(crate) mod event;
pub(crate) mod events;
pub(crate) mod idempotency;
pub(crate) mod laravel_echo_server;
pub(crate) mod open;
pub(crate) mod signed;
pub(crate) mod users;
pub(crate) mod webhooks;
