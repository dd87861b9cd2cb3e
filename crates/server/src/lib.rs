//! The parts of Fanfare that do I/O: sockets, HTTP, lifecycle.
//!
//! `ws` is the life of a WebSocket, `http` the API for back ends, `publish` the only entry for
//! events; `start` puts the parts together.

// What `main`, the example and the tests of costs use.
pub mod app_commands;
pub mod command_line;
pub mod env_commands;
pub mod health;
pub mod log;
pub mod paste_lines;
pub mod send_command;
pub mod start;
pub mod token_commands;
pub mod ws;

mod admin;
mod app_json;
mod chores;
mod clock;
mod columns;
mod connections;
mod descriptors;
mod drain;
mod first_app;
mod http;
mod laravel_lines;
mod listen;
mod live_apps;
mod memory;
mod metrics;
mod outgoing;
mod publish;
mod rate;
mod redis_feed;
mod session;
mod state;
mod stop;
mod tasks;
mod tenants;
mod tls;
mod usage;
mod webhooks;
