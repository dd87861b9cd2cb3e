//! An app's webhooks, seen by its back end and by the command line: a test event, and the last deliveries (CON-054).

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use fanfare_apps::AuditAction;
use fanfare_node::deliveries;
use fanfare_webhooks::TestedUrl;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::event;
use super::signed::Signed;
use crate::http::error::ApiError;
use crate::http::unbroken::unbroken;
use crate::listed;
use crate::state::State;
use crate::webhook_json::{self, ReceiverAnswers};

/// `POST /apps/ID/webhooks/test`, with `{"url":…}` for one webhook, with `{}` for all that are enabled: sends a test event,
/// and answers what became of it; the JSON of the answer.
///
/// # Errors
/// There is no such webhook, or too many tests were asked for.
pub async fn test(state: &Arc<State>, signed: &Signed, from: IpAddr) -> Result<String, ApiError> {
    #[derive(Deserialize)]
    struct Wanted<'a> {
        #[serde(borrow, default)]
        url: Option<&'a RawValue>,
    }

    let url = event::string(event::object::<Wanted<'_>>(&signed.body)?.url, "url")?.map(Cow::into_owned);
    let entry = signed.entry(from, AuditAction::WebhookTest);
    let (state, app) = (Arc::clone(state), Arc::clone(&signed.app));
    // A client that goes must not part what was done from its entry in the audit log.
    unbroken(async move {
        let wanted = url.as_deref().map_or(TestedUrl::Enabled, TestedUrl::Named);
        let tested = state.node.outgoing.webhooks.test(&app, wanted).await.map_err(ApiError::NotTested)?;
        // Not the URLs, which may hold a password.
        listed::note(&state.node.apps, entry.with("tested", tested.len().into())).await;
        Ok(webhook_json::tests(&tested).to_string())
    })
    .await
}

/// `GET /apps/ID/webhooks/deliveries`: the last deliveries of the app's webhooks, of all nodes; the JSON of the answer.
pub async fn deliveries(state: &State, signed: &Signed) -> String {
    let of_app = deliveries::of_app(&state.node, &signed.app).await;
    webhook_json::deliveries(&state.node, &of_app, ReceiverAnswers::Hidden).to_string()
}
