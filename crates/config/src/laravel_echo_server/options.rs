//! The options of a laravel-echo-server: those of its file, and those of variables, which go before the file's.
//!
//! Knows no meaning of an option.

use std::path::{Path, PathBuf};

use fanfare_laravel::dotenv::Project;
use serde_json::{Map, Value};

use super::variables::{self, Variables};
use crate::fault::{Cause, Fault, Origin};

/// Most bytes of the file.
const MOST_BYTES: usize = 1 << 20;

/// An option with its value, never null.
pub(super) struct Found {
    /// The value.
    pub value: Value,
    /// The place, for faults.
    pub place: Origin,
    /// The option or the variable, for the operator.
    pub said: String,
}

/// All options.
pub(super) struct Options {
    /// The file.
    pub path: PathBuf,
    /// The options in the file.
    pub root: Map<String, Value>,
    /// The options in variables.
    pub variables: Variables,
    /// The Laravel application whose `.env` is beside the file, if its name or its prefix stands there.
    pub beside: Option<Project>,
}

impl Options {
    /// Reads the file, and the variables; what cannot be read becomes a fault.
    pub fn read(path: &Path, environment: &[(String, String)], faults: &mut Vec<Fault>) -> Option<Self> {
        let place = |line| Origin::File { path: path.to_owned(), line, column: None };
        let mut fault = |line, cause| faults.push(Fault { place: place(line), cause });
        let text = match crate::bounded_file::text(path) {
            Ok(text) if text.len() <= MOST_BYTES => text,
            Ok(_) => {
                fault(0, Cause::NotJson("it is larger than 1 MiB".to_owned()));
                return None;
            }
            Err(error) => {
                let advice = "name a laravel-echo-server.json or its directory";
                fault(0, Cause::Unreadable(format!("{error}; {advice}")));
                return None;
            }
        };
        let root = match serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(&text)) {
            Ok(Value::Object(root)) => root,
            Ok(_) => {
                fault(0, Cause::NotJson("it is no object".to_owned()));
                return None;
            }
            Err(error) => {
                fault(error.line(), Cause::NotJson(error.to_string()));
                return None;
            }
        };
        let variables = variables::read(path, environment, faults);
        let tells = |project: &Project| {
            ["APP_NAME", "REDIS_PREFIX"].iter().any(|name| project.application.said(name).is_some())
        };
        let beside = Project::open(&path.with_file_name(".env"), environment).ok().filter(tells);
        Some(Self { path: path.to_owned(), root, variables, beside })
    }

    /// An option by its path in the file, such as `databaseConfig.redis.host`; an absent one and null are the same.
    pub fn get(&self, key: &str) -> Option<Found> {
        if let Some((value, place, name)) = self.variables.get(key) {
            return Some(Found { value: value.as_str().into(), place: place.clone(), said: name.clone() });
        }
        let value = self.in_file(key)?;
        Some(Found { value: value.clone(), place: self.place(key), said: key.to_owned() })
    }

    /// As [`Self::get`], without an empty text.
    pub fn filled(&self, key: &str) -> Option<Found> {
        self.get(key).filter(|found| found.value.as_str() != Some(""))
    }

    /// The place of an option in the file.
    pub fn place(&self, key: &str) -> Origin {
        Origin::Option { path: self.path.clone(), key: key.to_owned() }
    }

    /// The options below one, such as those of `socketio`; none if that is no object.
    pub fn below(&self, key: &str) -> Vec<String> {
        let object = self.in_file(key).and_then(Value::as_object);
        object.into_iter().flat_map(|object| object.keys().cloned()).collect()
    }

    fn in_file(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let first = self.root.get(parts.next()?)?;
        let found = parts.try_fold(first, |value, part| value.get(part))?;
        (!found.is_null()).then_some(found)
    }
}

/// Most characters of a value that are repeated to the operator.
const MOST_REPEATED: usize = 60;

/// A value in words, with its contents, unless a log-in may be among them.
pub(super) fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('@') => kind_in_words(value).to_owned(),
        Value::String(text) => {
            let rest = if text.chars().count() > MOST_REPEATED { "…" } else { "" };
            format!("the text {:?}{rest}", text.chars().take(MOST_REPEATED).collect::<String>())
        }
        Value::Number(number) => format!("the number {number}"),
        Value::Bool(switch) => switch.to_string(),
        other => kind_in_words(other).to_owned(),
    }
}

/// A value in words, without its contents: many are secrets.
pub(super) fn kind_in_words(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A text or a number as a text: variables and many files write numbers as texts.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number as laravel-echo-server reads one: a whole number, also as `1e6`, or a text of digits.
pub(super) fn number_of(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| format!("{:.0}", number.as_f64()?).parse().ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Whether an option is on: true, or the text `true` of a variable.
pub(super) fn is_on(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str() == Some("true"))
}
