//! The traces of a server that was built without them.

use fanfare_config::Config;
use fanfare_node::tasks::Tasks;
use tokio::time::Instant;

use super::BuiltWithout;

/// Nothing.
pub struct AbsentTelemetry;

impl AbsentTelemetry {
    /// Checks that nobody asks for traces.
    ///
    /// # Errors
    /// Somebody does.
    pub const fn begin(config: &Config, _: &Tasks) -> Result<Self, BuiltWithout> {
        if config.telemetry.otlp_endpoint.is_empty() { Ok(Self) } else { Err(BuiltWithout) }
    }

    /// Has nothing to send.
    pub async fn end(self, _: Instant) {}
}
