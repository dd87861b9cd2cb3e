//! The result of a run: names and figures, as one JSON object.

use std::fmt;

use serde_json::{Map, Value};

/// The result of a run, or an error worded for people.
pub type Outcome<T> = Result<T, String>;

/// The figures of a run, in order of insertion.
#[derive(Debug, Default)]
pub struct Report {
    figures: Map<String, Value>,
    faults: Vec<String>,
    /// How long events took to subscribers, in slices of which each ends at twice the time of the one before; empty where no event
    /// was measured.
    pub latencies: Vec<LatencySlice>,
}

/// Times of a histogram up to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencySlice {
    /// The bound, in microseconds; the slice before ends at half of it.
    pub up_to_us: u64,
    /// How many times there are.
    pub count: u64,
}

impl Report {
    /// Adds a figure.
    pub(crate) fn put(&mut self, name: &str, figure: impl Into<Value>) {
        self.figures.insert(name.to_owned(), figure.into());
    }

    /// Adds a fault: the run is not ok.
    pub(crate) fn fault(&mut self, what: String) {
        self.faults.push(what);
    }

    /// A figure by its name; `None` if the run has none of this name.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.get(name)?.as_f64()
    }

    /// What went wrong: events that were lost, requests that were refused.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Whether the run has no fault.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut figures = self.figures.clone();
        figures.insert("ok".to_owned(), self.is_ok().into());
        figures.insert("faults".to_owned(), self.faults.clone().into());
        write!(formatter, "{:#}", Value::Object(figures))
    }
}
