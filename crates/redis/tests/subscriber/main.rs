//! The subscriber against real servers: one Redis, one with rights and TLS, Sentinels, a Cluster; and the loss of each.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

mod cluster;
mod log_in;
mod messages;
mod outage;
mod sentinel;
mod tls;
mod topics;
