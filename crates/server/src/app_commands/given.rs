//! Settings as the command line gives them: `NAME=VALUE`.
//!
//! Knows only the kind of value of a text; the operation decides whether the setting exists and may have
//! that value.

use serde_json::{Map, Value};

/// The settings to set, and, as null, those to unset.
///
/// # Errors
/// Every option that is no `NAME=VALUE`.
pub(super) fn settings(set: &[String], unset: &[String]) -> Result<Map<String, Value>, Vec<String>> {
    let mut settings = Map::new();
    let mut faults = Vec::new();
    for text in set {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => put(&mut settings, name, read(name, value)),
            _ => faults.push(format!("--set {text}: write NAME=VALUE, such as client_events=true")),
        }
    }
    for name in unset {
        put(&mut settings, name, Value::Null);
    }
    if faults.is_empty() { Ok(settings) } else { Err(faults) }
}

/// Adds a setting, in its section if the name has a section.
pub(super) fn put(settings: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        Some((section, name)) => {
            let section = settings.entry(section).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(section) = section {
                section.insert(name.to_owned(), value);
            }
        }
        None => {
            settings.insert(name.to_owned(), value);
        }
    }
}

/// A number, a switch or a list where the text reads as such; hosts may be separated by commas.
fn read(name: &str, text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Array(_))) => value,
        _ if name == "allowed_origins" => {
            let hosts = text.split(',').map(str::trim).filter(|host| !host.is_empty());
            hosts.map(|host| Value::String(host.to_owned())).collect()
        }
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn each_text_becomes_the_value_that_it_is() {
        let set = texts(&["client_events=true", "limits.batch=20", "limits.members=7", "x=a=b", "y=[1]"]);
        let settings = settings(&set, &texts(&["max_connections", "limits.event_bytes"])).unwrap();
        let wanted = json!({
            "client_events": true, "max_connections": null, "x": "a=b", "y": [1],
            "limits": {"batch": 20, "members": 7, "event_bytes": null},
        });
        assert_eq!(Value::Object(settings), wanted);
    }

    #[test]
    fn origins_may_be_parted_by_commas() {
        let settings = settings(&texts(&["allowed_origins=example.com, *.example.org"]), &[]).unwrap();
        assert_eq!(Value::Object(settings), json!({"allowed_origins": ["example.com", "*.example.org"]}));
    }

    #[test]
    fn every_option_without_a_value_is_told() {
        let faults = settings(&texts(&["client_events", "=1", "limits.batch=2"]), &[]).unwrap_err();
        assert_eq!(faults.len(), 2);
        assert!(faults[0].starts_with("--set client_events: write NAME=VALUE"));
    }
}
