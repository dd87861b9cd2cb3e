//! Links against real servers: one Redis, several, Sentinels, a Cluster, rights and TLS; and the loss of each.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

mod cluster;
mod events;
mod losses;
mod outage;
mod presence;
mod questions;
mod sentinel;
mod settings;
