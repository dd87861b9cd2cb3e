//! The apps as a server uses them: on real databases, with changes by others, and while a database is away.
//!
//! One module a concern, and one program for all: each program is linked with both databases.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[macro_use]
mod support;

mod acme;
mod audit;
mod backlog;
mod changes;
mod feeds;
mod first_app;
mod list;
mod lookup;
mod operations;
mod outage;
mod pool;
mod sessions;
mod tables;
mod tokens;
mod unwritable;
mod usage;
