//! Laravel's interfaces: its Redis broadcasts, its authorization of channels, its `.env`.
//!
//! Knows no hub and no listener: callers get published events and the application's decisions.

pub mod authorize;
pub mod dotenv;
pub mod feed;
