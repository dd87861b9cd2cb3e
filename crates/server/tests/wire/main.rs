//! The server as it is seen from outside: the real binary, real sockets, bytes compared.
//!
//! One module a concern; a test is named after the rule of the protocol reference that it holds.

mod support;

mod admin_api;
mod admin_refusals;
mod admin_tokens;
mod admission;
mod app_sources;
mod apps_database;
mod authorize_crowds;
mod authorize_pages;
mod authorize_requests;
mod authorize_verdicts;
mod authorized;
mod bad_input;
mod batch;
mod cache;
mod channel_queries;
mod client_event_limits;
mod client_events;
mod closing;
mod configuration;
mod counts;
mod database_outage;
mod drain;
mod envelope;
mod events;
mod events_refused;
mod frames;
mod handshake;
mod http_basics;
mod limits;
mod live_apps;
mod liveness;
mod logs;
mod metrics;
mod older_endpoints;
mod overload;
mod presence;
mod presence_refused;
mod quotas;
mod request_bodies;
mod request_signatures;
mod server_to_user;
mod sign_in;
mod startup;
mod subscribe;
mod subscribe_refused;
mod tenants;
mod usage;
mod versions;
mod watchlist;
