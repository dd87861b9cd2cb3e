//! The fields of a request's JSON body: each taken out once, by its kind, and every fault found.

use serde_json::{Map, Value};

use super::super::problem::Problem;

/// The fields of a JSON object, each taken out once, and the faults found.
pub(in super::super) struct Fields {
    object: Map<String, Value>,
    faults: Vec<String>,
}

impl Fields {
    /// An empty body counts as an object without fields.
    ///
    /// # Errors
    /// The body is no JSON object.
    pub fn read(body: &[u8], faults: Vec<String>) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self { object: Map::new(), faults });
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => Ok(Self { object, faults }),
            Ok(_) => Err(Problem::NotAnObject),
            Err(error) => Err(Problem::NotJson(error.to_string())),
        }
    }

    /// A text.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.object.remove(name)? {
            Value::String(text) => Some(text),
            _ => self.is_not(name, "a text"),
        }
    }

    /// True or false.
    pub fn switch(&mut self, name: &str) -> Option<bool> {
        match self.object.remove(name)? {
            Value::Bool(switch) => Some(switch),
            _ => self.is_not(name, "true or false"),
        }
    }

    /// An object, empty if not given.
    pub fn object(&mut self, name: &str) -> Map<String, Value> {
        match self.object.remove(name) {
            None => Map::new(),
            Some(Value::Object(object)) => object,
            Some(_) => self.is_not(name, "an object").unwrap_or_default(),
        }
    }

    fn is_not<T>(&mut self, name: &str, kind: &str) -> Option<T> {
        self.faults.push(format!("{name} is not {kind}"));
        None
    }

    /// A whole number; null counts as not given.
    pub fn number(&mut self, name: &str) -> Option<i64> {
        match self.object.remove(name)? {
            Value::Null => None,
            Value::Number(number) if number.is_i64() => number.as_i64(),
            _ => self.is_not(name, "a whole number"),
        }
    }

    /// A list of texts; null counts as not given.
    pub fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        match self.object.remove(name)? {
            Value::Null => None,
            value => serde_json::from_value(value).ok().or_else(|| self.is_not(name, "a list of texts")),
        }
    }

    /// Another fault.
    pub fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// All faults, unknown fields included.
    pub fn end(mut self, known: &[&str]) -> Vec<String> {
        self.faults.extend(self.object.keys().map(|name| match known {
            [] => format!("unknown field {name}; there are none here"),
            known => format!("unknown field {name}; there are {}", known.join(", ")),
        }));
        self.faults
    }
}
