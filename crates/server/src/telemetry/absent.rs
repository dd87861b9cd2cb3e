//! The traces of a server that was built without them.

use fanfare_config::Config;
use fanfare_node::tasks::Tasks;
use tokio::time::Instant;

/// Nothing.
pub struct AbsentTelemetry;

impl AbsentTelemetry {
    /// Begins nothing.
    pub const fn begin(_: &Config, _: &Tasks) -> Self {
        Self
    }

    /// Has nothing to send.
    pub async fn end(self, _: Instant) {}
}
