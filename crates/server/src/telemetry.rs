//! Telemetry: begins to make spans where the settings name a collector, and sends them.
//!
//! A server without the feature `otlp` makes none; settings that ask for some are a fault there.

#[cfg(not(feature = "otlp"))]
mod absent;
#[cfg(feature = "otlp")]
mod message;
#[cfg(feature = "otlp")]
mod sender;

#[cfg(not(feature = "otlp"))]
pub use absent::AbsentTelemetry as Telemetry;
#[cfg(feature = "otlp")]
pub use sender::{SpansCollector, Telemetry};
