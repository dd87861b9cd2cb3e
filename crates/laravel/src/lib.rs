//! What Laravel says and expects: its Redis broadcasts, its authorization of channels, its `.env`.
//!
//! Knows no hub and no listener: it says what was published and what an application decided.

pub mod authorize;
pub mod dotenv;
pub mod feed;
