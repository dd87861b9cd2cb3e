//! `fanfare webhook …`: asks a running server about an app's webhooks, signed like a back end.

mod told;

use std::time::Duration;

use fanfare_config::Config;
use hyper::Method;
use serde_json::{Value, json};

pub use crate::signed_request::SignedRequestError;

use crate::command_line::{DeliveriesOptions, TestOptions, WebhookAction};
use crate::signed_request::AppAtServer;

/// How long the list is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is printed, and whether every webhook works that was tested.
#[derive(Debug)]
pub struct WebhookReport {
    /// The text.
    pub text: String,
    /// Whether every test was answered with 2xx; true where nothing was tested.
    pub is_well: bool,
}

/// Asks the server.
///
/// # Errors
/// There is no such app, or the server does not answer, or has refused.
pub async fn run(config: &Config, action: &WebhookAction) -> Result<WebhookReport, SignedRequestError> {
    match action {
        WebhookAction::Test(asked) => test(config, asked).await,
        WebhookAction::Deliveries(asked) => deliveries(config, asked).await,
    }
}

async fn test(config: &Config, asked: &TestOptions) -> Result<WebhookReport, SignedRequestError> {
    let server = AppAtServer::find(config, Some(&asked.app), asked.place.url.as_ref()).await?;
    let body = asked.webhook.as_ref().map_or_else(|| json!({}), |url| json!({ "url": url }));
    // The server waits for the receivers; its setting need not be this configuration's.
    let time = PATIENCE.max(config.webhooks.settings().timeout) * 3;
    let answer = server.ask((Method::POST, "/webhooks/test"), Some(&body), time).await?;
    let is_well =
        answer["tests"].as_array().is_some_and(|tests| tests.iter().all(|test| test["error"].is_null()));
    let text = if asked.json { json_text(&answer) } else { told::tests(&answer) };
    Ok(WebhookReport { text, is_well })
}

async fn deliveries(config: &Config, asked: &DeliveriesOptions) -> Result<WebhookReport, SignedRequestError> {
    let server = AppAtServer::find(config, Some(&asked.app), asked.place.url.as_ref()).await?;
    let answer = server.ask((Method::GET, "/webhooks/deliveries"), None, PATIENCE).await?;
    let text = if asked.json { json_text(&answer) } else { told::deliveries(&asked.app, &answer) };
    Ok(WebhookReport { text, is_well: true })
}

fn json_text(answer: &Value) -> String {
    format!("{answer:#}\n")
}
