//! `POST /apps/ID/events` and `/batch_events`: check everything, then publish.

use std::collections::BTreeMap;
use std::fmt::Display;

use fanfare_hub::Occupancy;
use fanfare_node::census;
use fanfare_node::inquiry;
use fanfare_node::publish::{BackEndEvent, Publisher, note_refused, publish, publish_traced};
use fanfare_node::trace::ShownTrace;
use fanfare_protocol::app::App;
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::event_id::{EVENT_ID_HEADER, EventId};
use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::channels::{Attributes, decoded};
use super::event::{Checked, Fields, Info, object};
use super::signed::Signed;
use crate::http::error::ApiError;
use crate::http::{Answer, answer};
use crate::state::State;
use crate::trace_json;

/// The answer to an accepted publish: its id is in a header, which SDKs ignore (CON-043).
#[derive(Debug)]
pub struct Accepted {
    /// The id of the event, or of the batch.
    pub id: EventId,
    /// The JSON of the answer.
    pub json: String,
}

impl Accepted {
    /// What is answered without a body.
    pub const fn without_body(id: EventId) -> Self {
        Self { id, json: String::new() }
    }

    /// The whole answer.
    #[must_use]
    pub fn into_answer(self) -> Answer {
        with_event_id(answer::json(StatusCode::OK, self.json), self.id)
    }
}

/// Puts the id of an accepted publish into the answer.
#[must_use]
pub fn with_event_id(mut answer: Answer, id: EventId) -> Answer {
    let digits = HeaderValue::from_bytes(&id.digits()).expect("digits and letters are a header value");
    answer.headers_mut().insert(EVENT_ID_HEADER, digits);
    answer
}

/// One event to one or more channels (API-010 … API-021).
///
/// # Errors
/// Any fault in any part; nothing is published then (API-020).
pub async fn single(state: &State, signed: &Signed) -> Result<Accepted, ApiError> {
    let event = if signed.body.is_empty() {
        Checked::from_query(&signed.query, &signed.app)?
    } else {
        Checked::from_fields(&object::<Fields<'_>>(&signed.body)?, &signed.app)?
    };
    let json = match event.info {
        None => "{}".to_owned(),
        Some(info) => {
            let channels: Vec<&ChannelName> = event.channels.iter().collect();
            let counts = counted(state, &signed.app, &channels).await;
            let of = |(channel, counts)| (ChannelName::as_str(channel), attributes_of(channel, counts, info));
            let channels = channels.into_iter().zip(counts).map(of).collect();
            if info.trace {
                return traced(state, signed, &event, channels).await;
            }
            answer::object(&Single { channels, trace: None })
        }
    };
    let id =
        publish(&state.node, &signed.app, &[as_event(&event)], by(signed)).map_err(ApiError::OverQuota)?;
    Ok(Accepted { id, json })
}

/// Several events to a channel each (API-025 … API-028).
///
/// # Errors
/// Any fault in any item; no item is published then (API-027).
pub async fn batch(state: &State, signed: &Signed) -> Result<Accepted, ApiError> {
    #[derive(Deserialize)]
    struct Batch<'a> {
        #[serde(borrow, default)]
        batch: Option<&'a RawValue>,
    }

    let wrong = || ApiError::WrongType { field: "batch", expected: "an array of events" };
    let raw = object::<Batch<'_>>(&signed.body)?.batch.ok_or_else(wrong)?;
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
    let limit = signed.app.limits.batch;
    if items.is_empty() {
        return Err(wrong());
    }
    if items.len() > limit {
        return Err(ApiError::BatchTooBig { limit, given: items.len() });
    }
    let events: Vec<Checked<'_>> =
        items.into_iter().map(|item| item_of_batch(item, &signed.app)).collect::<Result<_, _>>()?;
    let json = if events.iter().any(|event| event.info.is_some()) {
        let asked: Vec<&ChannelName> =
            events.iter().filter_map(asked_about).map(|(channel, _)| channel).collect();
        let mut counts = counted(state, &signed.app, &asked).await.into_iter();
        let mut attributes = |event| {
            let (channel, info) = asked_about(event)?;
            Some(attributes_of(channel, counts.next()?, info))
        };
        let batch = events.iter().map(|event| attributes(event).unwrap_or_default()).collect();
        answer::object(&Batched { batch })
    } else {
        "{}".to_owned()
    };
    let events: Vec<BackEndEvent<'_>> = events.iter().map(as_event).collect();
    let id = publish(&state.node, &signed.app, &events, by(signed)).map_err(ApiError::OverQuota)?;
    Ok(Accepted { id, json })
}

/// One event to one channel, its data the body as it came (API-070); the event's id.
///
/// # Errors
/// Any fault in any part; nothing is published then.
pub fn raw(state: &State, signed: &Signed, raw_channel: &str) -> Result<EventId, ApiError> {
    let channel = decoded(raw_channel, &signed.app)?;
    let event = Checked::from_raw(channel, &signed.query, &signed.body, &signed.app)?;
    publish(&state.node, &signed.app, &[as_event(&event)], by(signed)).map_err(ApiError::OverQuota)
}

/// Publishes one event, and answers where the event went (CON-042).
async fn traced(
    state: &State,
    signed: &Signed,
    event: &Checked<'_>,
    channels: BTreeMap<&str, Attributes>,
) -> Result<Accepted, ApiError> {
    let published = publish_traced(&state.node, &signed.app, &[as_event(event)], by(signed));
    let (id, mut traces) = published.map_err(ApiError::OverQuota)?;
    // The client may go while other nodes are asked.
    let _ = signed.published.set(id);
    inquiry::complete(&state.node, &signed.app, event.except, &mut traces).await;
    let trace = traces.into_iter().next().map(ShownTrace::from);
    let trace = trace.map(|trace| trace_json::trace(&trace, state.node.name()));
    Ok(Accepted { id, json: answer::object(&Single { channels, trace }) })
}

/// Keeps the refusal of a signed publish, for apps that trace (CON-043).
pub fn keep_refused(state: &State, signed: &Signed, body: &[u8], refusal: &ApiError) {
    match signed.query.get("name") {
        Some(name) if signed.app.trace => {
            let refused = (Some(refusal.status().as_u16()), &*refusal.to_string());
            note_refused(&state.node, &signed.app, name, by(signed), refused);
        }
        _ => keep_refused_json(state, &signed.app, (by(signed), body), (refusal.status(), refusal)),
    }
}

/// Keeps the refusal of a publish whose body should be an event in JSON, for apps that trace (CON-043).
pub fn keep_refused_json(
    state: &State,
    app: &App,
    (by, body): (Publisher<'_>, &[u8]),
    (status, refusal): (StatusCode, &dyn Display),
) {
    if app.trace {
        let event =
            object::<Fields<'_>>(body).ok().and_then(|fields| fields.name_if_any()).unwrap_or_default();
        note_refused(&state.node, app, &event, by, (Some(status.as_u16()), &refusal.to_string()));
    }
}

/// The key that has signed.
fn by(signed: &Signed) -> Publisher<'_> {
    Publisher::Key(signed.query.get("auth_key").unwrap_or_default())
}

#[derive(Serialize)]
struct Single<'a> {
    channels: BTreeMap<&'a str, Attributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Value>,
}

#[derive(Serialize)]
struct Batched {
    batch: Vec<Attributes>,
}

fn item_of_batch<'a>(item: &'a RawValue, app: &App) -> Result<Checked<'a>, ApiError> {
    let fields = object::<Fields<'a>>(item.get().as_bytes())
        .map_err(|_| ApiError::WrongType { field: "batch", expected: "an array of events" })?;
    fields.check_batch_item()?;
    Checked::from_fields(&fields, app)
}

/// The channel of an item of a batch, and what is to be answered about the channel; `None` without `info`.
fn asked_about<'a>(event: &'a Checked<'_>) -> Option<(&'a ChannelName, Info)> {
    event.channels.first().zip(event.info)
}

/// What an event asks to be told of its channels, by name; `None` if nothing.
pub async fn info_of(state: &State, app: &App, event: &Checked<'_>) -> Option<Value> {
    let info = event.info?;
    let channels: Vec<&ChannelName> = event.channels.iter().collect();
    let counts = counted(state, app, &channels).await;
    let of = |(channel, counts): (&ChannelName, _)| {
        let told = serde_json::to_value(attributes_of(channel, counts, info)).unwrap_or_default();
        (channel.as_str().to_owned(), told)
    };
    Some(channels.into_iter().zip(counts).map(of).collect())
}

/// The occupancy of each channel; unknown while the cluster does not answer, which stops no event (CL-021).
async fn counted(state: &State, app: &App, channels: &[&ChannelName]) -> Vec<Option<Occupancy>> {
    match census::occupancies(&state.node, &app.id, channels).await {
        Ok(counts) => counts.into_iter().map(Some).collect(),
        Err(census::Unanswered) => vec![None; channels.len()],
    }
}

/// Attributes that the channel cannot have, or that are not known now, are left out (API-013).
fn attributes_of(channel: &ChannelName, counts: Option<Occupancy>, info: Info) -> Attributes {
    let Some(counts) = counts else { return Attributes::default() };
    let is_presence = channel.kind() == ChannelKind::Presence;
    Attributes {
        user_count: (info.user_count && is_presence).then_some(counts.users),
        subscription_count: info.subscription_count.then_some(counts.subscriptions),
        cache: None,
    }
}

/// The event as the common entry takes it.
#[must_use]
pub fn as_event<'a>(event: &'a Checked<'_>) -> BackEndEvent<'a> {
    BackEndEvent { name: &event.name, data: &event.data, channels: &event.channels, except: event.except }
}
