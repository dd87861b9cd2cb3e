//! Parses an operator's request: what its query and its body mean, with every fault of both.
//!
//! Knows only the names and the kind of value of each; the operation itself decides which values are
//! legal.

mod fields;

use fanfare_apps::{AuditAction, AuditWanted, MOST_AUDITED, MOST_HOURS, MOST_LISTED, NewApp, Update};
use fanfare_config::redis_url_faults;
use fanfare_node::inquiry::{TracePlace, TracesWanted};
use fanfare_node::trace::MOST_TRACES;
use fanfare_protocol::auth::Query;
use fanfare_protocol::ids::is_app_id;

pub(super) use self::fields::Fields;
use super::problem::Problem;
use crate::http::given::{FaultyQuery, Given};

/// What a parameter that names an app is to be.
const AN_ID: &str = "an app's id: 1 to 64 of the characters A-Z a-z 0-9 _ -";

/// Default number of hours of usage.
const USUAL_HOURS: u32 = 24;

/// Longest text that a name may be asked to begin with, in bytes: as long as the longest name.
const LONGEST_PREFIX: usize = 200;

/// The page of the list of apps to answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AppsPage {
    /// What an id or a name begins with, or empty.
    pub prefix: String,
    /// The app before the page.
    pub after: Option<String>,
    /// Most apps.
    pub limit: usize,
}

/// The page of the list of apps to answer.
///
/// # Errors
/// Every fault of the query.
pub(super) fn page(query: &Query) -> Result<AppsPage, FaultyQuery> {
    let mut given = Given::of(query, &["q", "after", "limit"]);
    let prefix = prefix(&mut given);
    let is_id = |id: &str| is_app_id(id).then(|| id.to_owned());
    let after = given.parsed("after", AN_ID, is_id);
    let limit = given.rows_of(MOST_LISTED);
    given.end().map(|()| AppsPage { prefix, after, limit })
}

/// The parameter `q`: what a name begins with, or empty. Postgres has no text with NUL.
pub(super) fn prefix(given: &mut Given<'_>) -> String {
    let what = format!("a text of at most {LONGEST_PREFIX} bytes, without NUL");
    let is_text = |text: &str| text.len() <= LONGEST_PREFIX && !text.contains('\0');
    given.parsed("q", &what, |text| is_text(text).then(|| text.to_owned())).unwrap_or_default()
}

/// Whether the request wants secrets.
///
/// # Errors
/// Every fault of the query.
pub(super) fn secrets(query: &Query) -> Result<bool, FaultyQuery> {
    let mut given = Given::of(query, &["secrets"]);
    let secrets = given.switch("secrets");
    given.end().map(|()| secrets)
}

/// The number of hours wanted, back from the end of the current hour.
///
/// # Errors
/// Every fault of the query.
pub(super) fn hours(query: &Query) -> Result<u32, FaultyQuery> {
    let mut given = Given::of(query, &["hours"]);
    let hours = given.number("hours", (USUAL_HOURS, MOST_HOURS));
    given.end().map(|()| hours)
}

/// The page of the audit log to answer: which entries, and how many at most.
///
/// # Errors
/// Every fault of the query.
pub(super) fn audit(query: &Query) -> Result<(AuditWanted, usize), FaultyQuery> {
    let mut given = Given::of(query, &["after", "limit", "app", "action", "token"]);
    let before = given.parsed("after", "the next of a page of the audit log", |text| text.parse().ok());
    let limit = given.rows_of(MOST_AUDITED);
    let app = given.parsed("app", AN_ID, |id| is_app_id(id).then(|| id.to_owned()));
    let actions = AuditAction::ALL.map(|action| (action.as_str(), action));
    let action = given.of_these("action", &actions).map(|action| action.as_str().to_owned());
    let token = given.parsed("token", "a token's number", |text| text.parse().ok());
    given.end().map(|()| (AuditWanted { before, app, action, token }, limit))
}

/// The page of traces to answer.
///
/// # Errors
/// Every fault of the query.
pub(super) fn traces(query: &Query) -> Result<TracesWanted, FaultyQuery> {
    let mut given = Given::of(query, &["after", "limit", "event_id"]);
    let behind = given.parsed("after", "the next of a page of traces", place);
    let behind = behind.map(|(at, number, node)| TracePlace { at, number, node });
    let limit = given.number("limit", (MOST_TRACES, MOST_TRACES));
    let event_id = given.text("event_id").map(str::to_owned);
    given.end().map(|()| TracesWanted { behind, event_id, limit })
}

/// Where a page of rows of several nodes goes on: the moment of the row before, its number, and the id of its node, which is empty
/// for a node that stands alone.
pub(super) fn place(text: &str) -> Option<(u64, u64, String)> {
    let (moment, name) = text.split_once(':')?;
    let (node, number) = name.rsplit_once('-').unwrap_or(("", name));
    Some((moment.parse().ok()?, number.parse().ok()?, node.to_owned()))
}

/// A place as it stands in `next`: `1764486000000:e41f-180`, or without a node.
pub(super) fn place_as_text((moment, number, node): (u64, u64, &str)) -> String {
    format!("{moment}:{}", name_on_node(number, node))
}

/// The name of a row by its number on a node, if there are several.
pub(super) fn name_on_node(number: u64, node: &str) -> String {
    if node.is_empty() { number.to_string() } else { format!("{node}-{number}") }
}

/// The channel that the doctor asks the application about, and every fault; `faults` are those of the query. An empty body
/// names none.
///
/// # Errors
/// The body is no JSON object.
pub(super) fn channel_to_examine(
    body: &[u8],
    faults: Vec<String>,
) -> Result<(Option<String>, Vec<String>), Problem> {
    if body.is_empty() {
        return Ok((None, faults));
    }
    let mut fields = Fields::read(body, faults)?;
    Ok((fields.text("channel"), fields.end(&["channel"])))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_place_and_a_length() {
        let asked = |raw: &str| page(&Query::parse(raw)).map_err(|FaultyQuery(faults)| faults);
        let of = |prefix: &str, after: Option<&str>, limit| {
            let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
            Ok(AppsPage { prefix, after, limit })
        };
        assert_eq!(asked(""), of("", None, 100));
        assert_eq!(asked("after=3&limit=1000&q=a%20b"), of("a b", Some("3"), 1000));
        assert_eq!(
            asked("after=x%20y&limit=1001&q=%00").expect_err("faults"),
            [
                "q is not a text of at most 200 bytes, without NUL",
                "after is not an app's id: 1 to 64 of the characters A-Z a-z 0-9 _ -",
                "limit is not a number from 1 to 1000",
            ]
        );
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
