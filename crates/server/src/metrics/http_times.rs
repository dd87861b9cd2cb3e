//! How long answers of the HTTP API take, by the class of the route and of the status.
//!
//! Paths, apps and statuses of their own are no labels: the number of series is fixed.

use std::fmt::Error;
use std::time::Duration;

use fanfare_node::metrics::{DurationHistogram, FAST_BOUNDS, encode_family};
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteClass {
    /// Events of back ends.
    Publish,
    /// Questions of back ends.
    Query,
    /// Commands of back ends: closing connections, tests of webhooks.
    Operate,
    /// Pages that ask for authorization, the application's answer included.
    Authorize,
    /// Health checks, scripts, and what has no route.
    Other,
}

impl RouteClass {
    /// In the order of the declaration.
    const ALL: [Self; 5] = [Self::Publish, Self::Query, Self::Operate, Self::Authorize, Self::Other];

    const fn label(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Query => "query",
            Self::Operate => "operate",
            Self::Authorize => "authorize",
            Self::Other => "other",
        }
    }
}

/// Classes of statuses; what is none of these counts as the last.
const STATUSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// A histogram for each class of routes and of statuses.
#[derive(Debug)]
pub struct HttpTimes([[DurationHistogram; STATUSES.len()]; RouteClass::ALL.len()]);

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AnswerLabels {
    route: &'static str,
    status: &'static str,
}

impl Default for HttpTimes {
    fn default() -> Self {
        Self(RouteClass::ALL.map(|_| STATUSES.map(|_| DurationHistogram::new(FAST_BOUNDS))))
    }
}

impl HttpTimes {
    /// A request was answered with this status after this time.
    pub(super) fn observe(&self, class: RouteClass, status: u16, took: Duration) {
        let status = usize::from(status / 100).saturating_sub(2).min(STATUSES.len() - 1);
        self.0[class as usize][status].observe(took);
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let histograms = RouteClass::ALL.iter().zip(&self.0).flat_map(|(class, by_status)| {
            let labelled = STATUSES.iter().zip(by_status);
            labelled.map(|(status, times)| (AnswerLabels { route: class.label(), status }, times))
        });
        let named =
            ("http_request_seconds", "From the head of a request of the HTTP API until its answer is ready");
        encode_family(named, histograms, encoder)
    }
}
