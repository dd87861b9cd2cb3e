//! The doctor, of the command line and of a server that examines itself: checks each hop of a message's path, and names the remedy for the one that fails.
//!
//! Asks as a browser, a back end and Laravel's Redis ask. Changes nothing but for a connection of each kind and
//! one event to a user made up for that, of whom only webhooks of the group `users` tell. Every wait is bounded. Never shows a secret.

mod answer;
mod app;
mod authorization;
mod base_url;
mod bounds;
mod bus;
mod changed;
mod clock;
mod descriptors;
mod examination;
mod fallback;
mod hop;
mod inside;
mod options;
mod plan;
mod reach;
mod redirect;
mod redis;
mod redis_names;
mod report;
mod round_trip;
mod signed;
mod socket;
mod socket_io;
mod standpoint;
mod tls;
mod upgrade;
mod wording;

pub use examination::{examine, examine_each};
pub use hop::{Hop, Outcome};
pub use inside::Inside;
pub use options::Doctor;
pub use plan::{Plan, PlanError};
pub use report::{json, line, text};
