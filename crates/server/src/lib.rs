//! The parts of Fanfare that do I/O: sockets, HTTP, lifecycle.
//!
//! `ws` is the life of a WebSocket, `http` the API for back ends; `start` puts them around a `fanfare_node::Node`.

// What `main`, the example and the tests of costs use.
pub mod app_commands;
pub mod cluster_command;
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
mod columns;
mod connections;
mod descriptors;
mod first_app;
mod http;
mod laravel_lines;
mod listen;
mod metrics;
mod node_list;
mod redis_feed;
mod state;
mod stop;
mod tls;
