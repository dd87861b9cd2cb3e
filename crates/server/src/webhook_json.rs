//! Deliveries and tests of webhooks as JSON: the one shape of the HTTP API, of the administration API and of the command
//! line (CON-054).

use std::time::Duration;

use fanfare_apps::{KeptOfUrl, MOST_KEPT_COUNTED};
use fanfare_node::Node;
use fanfare_node::backlog::AppBacklog;
use fanfare_node::clock::unix_milliseconds;
use fanfare_node::deliveries::{AppDeliveries, NodeDelivery, WebhookDeliveries};
use fanfare_protocol::utc::utc_milliseconds;
use fanfare_webhooks::{Delivery, Repeated, Tested};
use serde_json::{Value, json};

use crate::listed::of_nodes;
use crate::webhook_advice::advice;

/// Whether it is told what receivers have answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverAnswers {
    /// To those who may see payloads.
    Shown,
    /// To all others.
    Hidden,
}

impl ReceiverAnswers {
    fn of(self, delivery: &Delivery) -> Option<&str> {
        delivery.answer.as_deref().filter(|_| self == Self::Shown)
    }
}

/// The last deliveries of an app's webhooks.
#[must_use]
pub fn deliveries(node: &Node, of: &AppDeliveries, answers: ReceiverAnswers) -> Value {
    let mut webhooks: Vec<Value> =
        (1..).zip(&of.webhooks).map(|(number, of)| webhook(number, of, answers)).collect();
    let known = match &of.backlog {
        AppBacklog::NoDatabase => "no database",
        AppBacklog::Away => "database away",
        AppBacklog::Counted(kept) => {
            for (webhook, kept) in webhooks.iter_mut().zip(kept) {
                webhook["backlog"] = backlog(kept);
            }
            "counted"
        }
    };
    of_nodes(node, json!({ "webhooks": webhooks, "backlog": known }), &of.reached)
}

/// The requests of a URL that are kept in the database.
fn backlog(KeptOfUrl { requests, oldest }: &KeptOfUrl) -> Value {
    let is_counted = *requests <= MOST_KEPT_COUNTED;
    let at = |age: Duration| unix_milliseconds().saturating_sub(age.as_millis().try_into().unwrap_or(0));
    json!({
        "requests": is_counted.then_some(requests),
        "more_than": (!is_counted).then_some(MOST_KEPT_COUNTED),
        "since": oldest.map(|age| utc_milliseconds(at(age))),
    })
}

fn webhook(number: usize, of: &WebhookDeliveries, answers: ReceiverAnswers) -> Value {
    let row = |NodeDelivery { id, node, delivery }: &NodeDelivery| {
        let mut row = delivery_of(delivery);
        row["id"] = id.as_str().into();
        row["node"] = node.as_str().into();
        row["answer"] = answers.of(delivery).into();
        row
    };
    json!({
        "number": number,
        "url": of.url,
        "enabled": of.enabled,
        "works": of.works,
        "since": of.works.map(|_| utc_milliseconds(of.since)),
        "waiting": of.waiting,
        "deliveries": of.deliveries.iter().map(row).collect::<Vec<_>>(),
    })
}

fn delivery_of(delivery: &Delivery) -> Value {
    json!({
        "at": utc_milliseconds(delivery.at),
        "request": delivery.request.map(|request| request.to_string()),
        "events": delivery.names,
        "count": delivery.events,
        "attempt": delivery.attempt,
        "test": delivery.test,
        "status": delivery.status,
        "ms": delivery.took,
        "error": delivery.cause.map(|cause| json!({ "cause": cause, "text": delivery.text })),
        "again": delivery.again,
        "kept": delivery.is_kept,
    })
}

/// What became of a repeated delivery.
#[must_use]
pub fn repeated(Repeated { url, delivery }: &Repeated, answers: ReceiverAnswers) -> Value {
    json!({
        "url": url,
        "at": utc_milliseconds(delivery.at),
        "status": delivery.status,
        "ms": delivery.took,
        "error": error_of(delivery),
        "answer": answers.of(delivery),
    })
}

fn error_of(delivery: &Delivery) -> Option<Value> {
    let told = |cause| json!({ "cause": cause, "text": delivery.text, "advice": advice(delivery) });
    delivery.cause.map(told)
}

/// What tests have found out.
#[must_use]
pub fn tests(tested: &[Tested]) -> Value {
    json!({ "tests": tested.iter().map(test).collect::<Vec<_>>() })
}

/// What one test has found out.
#[must_use]
pub fn test(Tested { url, enabled, delivery, request }: &Tested) -> Value {
    json!({
        "url": url,
        "enabled": enabled,
        "at": utc_milliseconds(delivery.at),
        "status": delivery.status,
        "ms": delivery.took,
        "error": error_of(delivery),
        "request": { "key": request.key, "signature": request.signature, "body": request.body },
    })
}
