//! The parts of Fanfare that do I/O: sockets, HTTP, lifecycle.
//!
//! `clients` has the connections of clients, `api` the endpoints for back ends; `start` puts them around a `fanfare_node::Node`.

// What `main`, the example and the tests of costs use.
pub mod app_commands;
pub mod audit_command;
pub mod bench_command;
pub mod clients;
pub mod cluster_command;
pub mod command_line;
pub mod console_command;
pub mod env_commands;
pub mod health;
pub mod live_command;
pub mod log;
pub mod manual;
pub mod open_command;
pub mod paste_lines;
pub mod printed;
pub mod reload_command;
pub mod send_command;
pub mod socket_io_lines;
pub mod sockets;
pub mod start;
pub mod token_commands;
pub mod variables;
pub mod webhook_command;

mod admin;
mod api;
mod app_json;
mod audit_json;
mod authorize;
mod columns;
mod connections;
mod console;
mod descriptors;
mod first_app;
mod http;
mod laravel_lines;
mod listed;
mod listen;
mod metrics;
mod node_list;
mod plain;
mod public;
mod redis_feed;
mod refusal_advice;
mod reloads;
mod setting_changes;
mod signed_request;
mod state;
mod stop;
mod supervision;
mod telemetry;
mod tls;
mod token_json;
mod trace_json;
mod webhook_advice;
mod webhook_json;
