//! `POST /apps/ID/events` and `/batch_events`: check everything, then publish.

use std::collections::BTreeMap;

use fanfare_hub::Occupancy;
use fanfare_node::census;
use fanfare_node::publish::{BackEndEvent, Spread, publish};
use fanfare_protocol::app::App;
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer;
use super::channels::{Attributes, decoded};
use super::error::ApiError;
use super::event::{Checked, Fields, Info, object};
use super::signed::Signed;
use crate::state::State;

/// One event to one or more channels (API-010 … API-021); the JSON of the answer.
///
/// # Errors
/// Any fault in any part; nothing is published then (API-020).
pub async fn single(state: &State, signed: &Signed) -> Result<String, ApiError> {
    let event = if signed.body.is_empty() {
        Checked::from_query(&signed.query, &signed.app)?
    } else {
        Checked::from_fields(&object::<Fields<'_>>(&signed.body)?, &signed.app)?
    };
    let answer = match event.info {
        None => "{}".to_owned(),
        Some(info) => {
            let channels: Vec<&ChannelName> = event.channels.iter().collect();
            let counts = counted(state, signed, &channels).await;
            let of = |(channel, counts)| (ChannelName::as_str(channel), attributes_of(channel, counts, info));
            answer::object(&Single { channels: channels.into_iter().zip(counts).map(of).collect() })
        }
    };
    publish(&state.node, &signed.app, &[as_event(&event)], Spread::Cluster).map_err(ApiError::OverQuota)?;
    Ok(answer)
}

/// Several events to a channel each (API-025 … API-028); the JSON of the answer.
///
/// # Errors
/// Any fault in any item; no item is published then (API-027).
pub async fn batch(state: &State, signed: &Signed) -> Result<String, ApiError> {
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
    let answer = if events.iter().any(|event| event.info.is_some()) {
        let asked: Vec<&ChannelName> =
            events.iter().filter_map(asked_about).map(|(channel, _)| channel).collect();
        let mut counts = counted(state, signed, &asked).await.into_iter();
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
    publish(&state.node, &signed.app, &events, Spread::Cluster).map_err(ApiError::OverQuota)?;
    Ok(answer)
}

/// One event to one channel, its data the body as it came (API-070).
///
/// # Errors
/// Any fault in any part; nothing is published then.
pub fn raw(state: &State, signed: &Signed, raw_channel: &str) -> Result<(), ApiError> {
    let channel = decoded(raw_channel, signed)?;
    let event = Checked::from_raw(channel, &signed.query, &signed.body, &signed.app)?;
    publish(&state.node, &signed.app, &[as_event(&event)], Spread::Cluster).map_err(ApiError::OverQuota)
}

#[derive(Serialize)]
struct Single<'a> {
    channels: BTreeMap<&'a str, Attributes>,
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

/// The occupancy of each channel; unknown while the cluster does not answer, which stops no event (CL-021).
async fn counted(state: &State, signed: &Signed, channels: &[&ChannelName]) -> Vec<Option<Occupancy>> {
    match census::occupancies(&state.node, &signed.app.id, channels).await {
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

fn as_event<'a>(event: &'a Checked<'_>) -> BackEndEvent<'a> {
    BackEndEvent { name: &event.name, data: &event.data, channels: &event.channels, except: event.except }
}
