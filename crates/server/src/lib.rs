//! The parts of Fanfare that do I/O: sockets, HTTP, lifecycle.
//!
//! `ws` is the life of a WebSocket, `http` the API for back ends, `publish` the only entry for
//! events; `start` puts the parts together.

pub mod admin;
pub mod app_commands;
pub mod app_json;
pub mod chores;
pub(crate) mod clock;
pub mod columns;
pub mod command_line;
pub mod connections;
pub mod descriptors;
pub mod drain;
pub mod env_commands;
pub mod first_app;
pub mod health;
pub mod http;
pub mod laravel_lines;
pub mod listen;
pub mod live_apps;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod outgoing;
pub mod paste_lines;
pub mod publish;
pub(crate) mod rate;
pub mod redis_feed;
pub mod send_command;
pub mod session;
pub mod start;
pub mod state;
pub mod stop;
pub mod tasks;
pub mod tenants;
pub mod tls;
pub mod token_commands;
pub mod usage;
pub mod webhooks;
pub mod ws;
