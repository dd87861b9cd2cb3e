//! The label of one app's metrics.

use std::fmt::{Error, Write as _};

use fanfare_protocol::ids::AppId;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// The label `app`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct AppLabels {
    app: AppLabel,
}

/// An app's id as a label.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct AppLabel(pub AppId);

impl EncodeLabelValue for AppLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), Error> {
        encoder.write_str(self.0.as_str())
    }
}

impl From<AppLabel> for AppLabels {
    fn from(app: AppLabel) -> Self {
        Self { app }
    }
}
