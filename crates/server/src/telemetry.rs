//! Telemetry: begins to make spans where the settings name a collector, and sends them.
//!
//! A server without the feature `otlp` makes none, and does not start if the settings ask for some.

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

/// Spans are asked for, and this program cannot make any.
#[derive(Debug, thiserror::Error)]
#[error(
    "telemetry.otlp_endpoint is set, but this program was built without traces; build one with `cargo build --release \
     --package fanfare-server --features otlp`, or take the setting out"
)]
pub struct BuiltWithout;
