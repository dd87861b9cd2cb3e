//! The version of an app that an answer names (`ETag`), and the one that a change is for (`If-Match`) (CON-050).
//!
//! A version is a hash of what is told of the app, secrets left out; a change of whatever is told makes another.

use fanfare_apps::AppRecord;
use hyper::HeaderMap;
use hyper::header::{ETAG, HeaderValue, IF_MATCH};

use crate::app_json::{self, Secrets};
use crate::http::Answer;
use crate::http::script::fnv_1a;

/// The versions that a request takes; without the header, every one.
#[derive(Debug, Default)]
pub(super) struct AsRead(Option<String>);

impl AsRead {
    /// What the request says; bytes that are no text fit no version.
    pub fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(IF_MATCH).iter().map(|line| line.to_str().unwrap_or_default());
        Self(headers.contains_key(IF_MATCH).then(|| lines.collect::<Vec<_>>().join(",")))
    }

    /// Whether the request takes every version.
    pub const fn is_any(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the app is in a version that the request takes. A version that a proxy made weak counts.
    pub fn fits(&self, app: &AppRecord) -> bool {
        let Some(versions) = &self.0 else { return true };
        let own = version(app);
        let mut versions = versions.split(',').map(str::trim);
        versions.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == own)
    }
}

/// The answer, with the version of the app that the answer tells of.
pub(super) fn versioned(mut answer: Answer, app: &AppRecord) -> Answer {
    let version = HeaderValue::from_str(&version(app));
    answer.headers_mut().insert(ETAG, version.expect("a quoted number is ASCII"));
    answer
}

/// In quotes, as in the header.
fn version(app: &AppRecord) -> String {
    let told = app_json::app(app, None, Secrets::Hidden).to_string();
    format!("\"{:016x}\"", fnv_1a(told.as_bytes()))
}
