//! A request of the administration API as its operations get it, and the shapes of their answers.

use std::net::IpAddr;

use bytes::Bytes;
use fanfare_apps::{Apps, AuditAction, AuditEntry, Auditor, Bearer};
use fanfare_config::{Config, Origin};
use fanfare_protocol::auth::Query;
use hyper::StatusCode;
use serde_json::Value;

use super::as_read::AsRead;
use super::problem::Problem;
use super::routes::Found;
use super::way_in::WayIn;
use crate::http::Answer;
use crate::http::answer::{empty, json};
use crate::http::given::Given;
use crate::listed;

/// The parsed request.
pub(super) struct Asked<'a> {
    pub found: &'a Found,
    pub query: Query,
    pub body: Bytes,
    pub by: Bearer,
    /// The address of the client, behind trusted proxies too.
    pub address: IpAddr,
    /// How a request for lines to paste has reached the listener; of others nobody asks.
    pub way_in: WayIn,
    /// The versions of the app that the request is for.
    pub as_read: AsRead,
}

impl Asked<'_> {
    pub fn faults_of_query(&self) -> Vec<String> {
        Given::of(&self.query, &[]).into_faults()
    }

    pub fn has_no_query(&self) -> Result<(), Problem> {
        Ok(Given::of(&self.query, &[]).end()?)
    }

    /// The channel or the user that the request is about: the path's segment; for the segment `-` the parameter `name`, if given,
    /// because `.` and `..` cannot be segments.
    ///
    /// # Errors
    /// `name` is given beside another segment.
    pub fn name(&self) -> Result<&str, Problem> {
        match (&*self.found.name, self.query.get("name")) {
            (segment, None) => Ok(segment),
            ("-", Some(name)) => Ok(name),
            _ => Err(Problem::Query(vec![
                "name is given, but the path does not have - in its place".to_owned(),
            ])),
        }
    }

    /// Where the configuration names the app. Where the node's files are is nothing for a token that is bound to apps (CON-016).
    pub fn place_of<'c>(&self, config: &'c Config, id: &str) -> Option<&'c Origin> {
        config.place_of_app(id).filter(|_| self.by.apps.is_none())
    }

    /// An entry of the audit log about an app.
    pub fn entry(&self, app: &str, action: AuditAction) -> AuditEntry {
        AuditEntry::about(app, action, self.auditor())
    }

    /// Who asks, as the audit log names them.
    pub fn auditor(&self) -> Auditor {
        Auditor::bearer(&self.by, self.address)
    }

    /// Logs who has done what, the token by its number, and keeps the entry.
    pub async fn note(&self, apps: &Apps, entry: AuditEntry) {
        listed::note(apps, entry).await;
    }

    /// As [`Asked::note`], before what the entry says is done: secrets and payloads are shown to nobody without one.
    ///
    /// # Errors
    /// The entry is not kept.
    pub async fn note_first(&self, apps: &Apps, entry: &AuditEntry) -> Result<(), Problem> {
        listed::note_first(apps, entry).await.map_err(|error| {
            let action = entry.action.as_str();
            tracing::warn!(target: "fanfare::admin", action, %error, "refused, for it would not be in the audit log");
            Problem::NotAudited
        })
    }
}

pub(super) fn ok(value: &Value) -> Answer {
    json(StatusCode::OK, line(value))
}

pub(super) fn created(value: &Value) -> Answer {
    json(StatusCode::CREATED, line(value))
}

/// The JSON with a newline, for terminals.
fn line(value: &Value) -> String {
    format!("{value}\n")
}

pub(super) fn nothing() -> Answer {
    empty(StatusCode::NO_CONTENT)
}
