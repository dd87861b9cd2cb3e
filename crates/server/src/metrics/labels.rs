//! The label of one app's metrics.

use std::fmt::{Error, Write as _};

use fanfare_protocol::ids::AppId;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct AppLabels {
    app: AppLabel,
}

/// An app's id as a label.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub(super) struct AppLabel(pub(super) AppId);

impl EncodeLabelValue for AppLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), Error> {
        encoder.write_str(self.0.as_str())
    }
}

impl AppLabels {
    pub(super) fn of(app: &AppId) -> Self {
        Self { app: AppLabel(app.clone()) }
    }
}
