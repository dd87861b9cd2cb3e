//! Parses an operator's request: its query and its body; finds every fault.
//!
//! Knows only the names and the kind of value of each; the operation itself decides which values are
//! legal.

use std::fmt::Display;
use std::str::FromStr;

use fanfare_apps::{MOST_AUDITED, MOST_HOURS, MOST_LISTED, NewApp, Update};
use fanfare_config::redis_url_faults;
use fanfare_node::listing::MOST_ROWS;
use fanfare_node::trace::MOST_TRACES;
use fanfare_protocol::auth::Query;
use fanfare_protocol::ids::is_app_id;
use serde_json::{Map, Value};

use super::problem::Problem;

/// Default number of apps on a page.
const USUAL_PAGE: usize = 100;

/// Default number of hours of usage.
const USUAL_HOURS: u32 = 24;

/// Every parameter of the query that is not `known`, or is given twice.
pub(super) fn faults_of(query: &Query, known: &[&str]) -> Vec<String> {
    let mut seen: Vec<&str> = Vec::new();
    let mut faults = Vec::new();
    for name in query.names() {
        if !known.contains(&name) {
            faults.push(match known {
                [] => format!("unknown query parameter {name}; there are none here"),
                known => format!("unknown query parameter {name}; there are {}", known.join(", ")),
            });
        } else if seen.contains(&name) {
            faults.push(format!("query parameter {name} is given more than once"));
        }
        seen.push(name);
    }
    faults
}

/// The page of the list to answer: the app before it, and its length.
///
/// # Errors
/// Every fault of the query.
pub(super) fn page(query: &Query) -> Result<(Option<String>, usize), Problem> {
    let mut faults = faults_of(query, &["after", "limit"]);
    let after = query.get("after");
    if after.is_some_and(|id| !is_app_id(id)) {
        faults.push("after is not an app's id: 1 to 64 of the characters A-Z a-z 0-9 _ -".to_owned());
    }
    let limit = number(query, "limit", (USUAL_PAGE, MOST_LISTED), &mut faults);
    if faults.is_empty() { Ok((after.map(str::to_owned), limit)) } else { Err(Problem::Query(faults)) }
}

/// The query of a list, read parameter by parameter.
pub(super) struct Given<'a> {
    query: &'a Query,
    faults: Vec<String>,
}

impl<'a> Given<'a> {
    /// A query that may have these parameters.
    pub fn of(query: &'a Query, known: &[&str]) -> Self {
        Self { query, faults: faults_of(query, known) }
    }

    /// A parameter as given; an empty one counts as not given.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.query.get(name).filter(|text| !text.is_empty())
    }

    /// A parameter as this kind of value; `what` says what is wanted.
    pub fn parsed<T>(&mut self, name: &str, what: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let parsed = parse(text);
        if parsed.is_none() {
            self.faults.push(format!("{name} is not {what}"));
        }
        parsed
    }

    /// Another fault.
    pub fn fault(&mut self, fault: &str) {
        self.faults.push(fault.to_owned());
    }

    /// The parameter `after`: where the page begins.
    pub fn after<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.parsed("after", "the next of a page of this list", parse)
    }

    /// One of these words.
    pub fn of_these<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let find = |text: &str| words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        self.parsed(name, &format!("one of {}", names.join(", ")), find)
    }

    /// The parameter `limit`: rows of the page.
    pub fn rows(&mut self) -> usize {
        number(self.query, "limit", (USUAL_PAGE, MOST_ROWS), &mut self.faults)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every fault of the query.
    pub fn end(self) -> Result<(), Problem> {
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::Query(self.faults)) }
    }
}

/// The number of a parameter, from 1 to the most, else the usual one; a fault for anything else.
fn number<N: FromStr + PartialOrd + From<u8> + Display + Copy>(
    query: &Query,
    name: &str,
    (usual, most): (N, N),
    faults: &mut Vec<String>,
) -> N {
    let given = query.get(name).map_or(Some(usual), |text| text.parse().ok());
    given.filter(|given| (N::from(1)..=most).contains(given)).unwrap_or_else(|| {
        faults.push(format!("{name} is not a number from 1 to {most}"));
        usual
    })
}

/// Whether the request wants secrets.
///
/// # Errors
/// Every fault of the query.
pub(super) fn secrets(query: &Query) -> Result<bool, Problem> {
    let mut faults = faults_of(query, &["secrets"]);
    let secrets = match query.get("secrets") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            faults.push("secrets is neither true nor false".to_owned());
            false
        }
    };
    if faults.is_empty() { Ok(secrets) } else { Err(Problem::Query(faults)) }
}

/// The number of hours wanted, back from the end of the current hour.
///
/// # Errors
/// Every fault of the query.
pub(super) fn hours(query: &Query) -> Result<u32, Problem> {
    let mut faults = faults_of(query, &["hours"]);
    let hours = number(query, "hours", (USUAL_HOURS, MOST_HOURS), &mut faults);
    if faults.is_empty() { Ok(hours) } else { Err(Problem::Query(faults)) }
}

/// Which entries of the audit log are wanted.
pub(super) struct AuditWanted {
    /// Only entries that are older than the one with this number.
    pub before: Option<i64>,
    /// Only entries about this app.
    pub app: Option<String>,
    /// Most entries.
    pub limit: usize,
}

/// The page of the audit log to answer.
///
/// # Errors
/// Every fault of the query.
pub(super) fn audit(query: &Query) -> Result<AuditWanted, Problem> {
    let mut faults = faults_of(query, &["after", "limit", "app"]);
    let after = query.get("after");
    let before = after.and_then(|after| after.parse().ok());
    if after.is_some() && before.is_none() {
        faults.push("after is not the next of a page of the audit log".to_owned());
    }
    let limit = number(query, "limit", (USUAL_PAGE, MOST_AUDITED), &mut faults);
    let app = query.get("app").map(str::to_owned);
    if faults.is_empty() { Ok(AuditWanted { before, app, limit }) } else { Err(Problem::Query(faults)) }
}

/// Which traces are wanted.
pub(super) struct TracesPage {
    /// Only traces that are older than the one with this number.
    pub before: Option<u64>,
    /// Only the traces of this publish.
    pub event_id: Option<String>,
    /// Most traces.
    pub limit: usize,
}

/// The page of traces to answer.
///
/// # Errors
/// Every fault of the query.
pub(super) fn traces(query: &Query) -> Result<TracesPage, Problem> {
    let mut faults = faults_of(query, &["after", "limit", "event_id"]);
    let after = query.get("after");
    let before = after.and_then(|after| after.parse().ok());
    if after.is_some() && before.is_none() {
        faults.push("after is not the next of a page of traces".to_owned());
    }
    let limit = number(query, "limit", (MOST_TRACES, MOST_TRACES), &mut faults);
    let event_id = query.get("event_id").map(str::to_owned);
    if faults.is_empty() { Ok(TracesPage { before, event_id, limit }) } else { Err(Problem::Query(faults)) }
}

/// The app to create; `faults` are those of the query.
///
/// # Errors
/// The body is no JSON object; every other fault is left in the result.
pub(super) fn new_app(body: &[u8], faults: Vec<String>) -> Result<NewApp, Problem> {
    let mut fields = Fields::read(body, faults)?;
    let mut new = NewApp {
        id: fields.text("id"),
        name: fields.text("name").unwrap_or_default(),
        key: fields.text("key"),
        secret: fields.text("secret"),
        ..NewApp::default()
    };
    let enabled = fields.switch("enabled");
    new.settings = fields.object("settings");
    if let Some(enabled) = enabled {
        new.settings.insert("enabled".to_owned(), enabled.into());
    }
    new.faults = fields.end(&["id", "name", "key", "secret", "enabled", "settings"]);
    new.faults.extend(redis_url_faults(&new.settings));
    Ok(new)
}

/// The change to an app; `faults` are those of the query.
///
/// # Errors
/// The body is no JSON object; every other fault is left in the result.
pub(super) fn update(body: &[u8], faults: Vec<String>) -> Result<Update, Problem> {
    let mut fields = Fields::read(body, faults)?;
    let (name, enabled) = (fields.text("name"), fields.switch("enabled"));
    let settings = fields.object("settings");
    let mut faults = fields.end(&["name", "enabled", "settings"]);
    faults.extend(redis_url_faults(&settings));
    Ok(Update { name, enabled, settings, faults })
}

/// The faults of a body that should be empty, and `faults`.
///
/// # Errors
/// The body is no JSON object.
pub(super) fn nothing(body: &[u8], faults: Vec<String>) -> Result<Vec<String>, Problem> {
    Ok(Fields::read(body, faults)?.end(&[]))
}

/// The fields of a JSON object, each taken out once, and the faults found.
struct Fields {
    object: Map<String, Value>,
    faults: Vec<String>,
}

impl Fields {
    /// An empty body counts as an object without fields.
    fn read(body: &[u8], faults: Vec<String>) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self { object: Map::new(), faults });
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => Ok(Self { object, faults }),
            Ok(_) => Err(Problem::NotAnObject),
            Err(error) => Err(Problem::NotJson(error.to_string())),
        }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.object.remove(name)? {
            Value::String(text) => Some(text),
            _ => self.is_not(name, "a text"),
        }
    }

    fn switch(&mut self, name: &str) -> Option<bool> {
        match self.object.remove(name)? {
            Value::Bool(switch) => Some(switch),
            _ => self.is_not(name, "true or false"),
        }
    }

    fn object(&mut self, name: &str) -> Map<String, Value> {
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

    /// All faults, unknown fields included.
    fn end(mut self, known: &[&str]) -> Vec<String> {
        self.faults.extend(self.object.keys().map(|name| match known {
            [] => format!("unknown field {name}; there are none here"),
            known => format!("unknown field {name}; there are {}", known.join(", ")),
        }));
        self.faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults<T>(result: Result<T, Problem>) -> Vec<String> {
        match result {
            Err(Problem::Query(faults)) => faults,
            _ => panic!("a faulty query is wanted"),
        }
    }

    #[test]
    fn a_page_has_a_place_and_a_length() {
        let asked = |raw: &str| page(&Query::parse(raw)).unwrap();
        assert_eq!(asked(""), (None, 100));
        assert_eq!(asked("after=3&limit=1000"), (Some("3".to_owned()), 1000));
        for limit in ["0", "1001", "-1", "ten", "", "1.5"] {
            let faults = faults(page(&Query::parse(&format!("limit={limit}"))));
            assert_eq!(faults, ["limit is not a number from 1 to 1000"], "{limit}");
        }
    }

    #[test]
    fn every_fault_of_a_query_is_found() {
        assert_eq!(
            faults(page(&Query::parse("after=x%20y&limit=0&limit=1&page=2"))),
            [
                "query parameter limit is given more than once",
                "unknown query parameter page; there are after, limit",
                "after is not an app's id: 1 to 64 of the characters A-Z a-z 0-9 _ -",
                "limit is not a number from 1 to 1000",
            ]
        );
        assert_eq!(faults(secrets(&Query::parse("secrets=1&x"))).len(), 2);
        assert_eq!(faults(hours(&Query::parse("hours=8785&x"))).len(), 2);
        assert_eq!(faults(hours(&Query::parse("hours=0"))), ["hours is not a number from 1 to 8784"]);
        assert_eq!(faults_of(&Query::parse("x=1"), &[]), ["unknown query parameter x; there are none here"]);
    }

    #[test]
    fn every_fault_of_a_body_is_found_and_the_rest_is_read() {
        let body = br#"{"id":7,"name":"shop","enabled":"yes","settings":[],"zzz":1}"#;
        let new = new_app(body, vec!["of the query".to_owned()]).unwrap();
        assert_eq!((new.id, &*new.name), (None, "shop"));
        assert_eq!(
            new.faults,
            [
                "of the query",
                "id is not a text",
                "enabled is not true or false",
                "settings is not an object",
                "unknown field zzz; there are id, name, key, secret, enabled, settings",
            ]
        );
        let update = update(br#"{"name":null,"id":"7"}"#, Vec::new()).unwrap();
        assert_eq!(
            update.faults,
            ["name is not a text", "unknown field id; there are name, enabled, settings"]
        );
        assert_eq!(nothing(b"{\"x\":1}", Vec::new()).unwrap().len(), 1);
        assert_eq!(nothing(b"", Vec::new()).unwrap().len(), 0);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for body in [&b"{"[..], b"\xff", b"{} {}"] {
            assert!(matches!(new_app(body, Vec::new()), Err(Problem::NotJson(_))));
        }
        for body in [&b"[]"[..], b"null", b"1"] {
            assert!(matches!(new_app(body, Vec::new()), Err(Problem::NotAnObject)));
        }
    }

    #[test]
    fn the_switch_of_a_new_app_goes_before_that_of_its_settings() {
        let new = new_app(br#"{"enabled":false,"settings":{"enabled":true}}"#, Vec::new()).unwrap();
        assert_eq!(new.settings["enabled"], false);
    }
}
