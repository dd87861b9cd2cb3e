//! The result of a run: names and figures, as one JSON object.

use std::fmt;

use serde_json::{Map, Value};

/// The figures of a run, in order of insertion.
#[derive(Default)]
pub(crate) struct Report {
    figures: Map<String, Value>,
    faults: Vec<String>,
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

    /// Whether the run has no fault.
    pub(crate) fn is_ok(&self) -> bool {
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
