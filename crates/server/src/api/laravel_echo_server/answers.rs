//! The answers of laravel-echo-server's HTTP API, in its JSON.
//!
//! Counts come from the census; nothing is cached.

use std::collections::BTreeMap;

use fanfare_hub::Occupancy;
use fanfare_node::census;
use fanfare_node::publish::{Publisher, publish};
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::ids::UserId;
use fanfare_protocol::presence::UserInfo;
use serde::Serialize;
use serde_json::value::RawValue;

use super::admitted::Admitted;
use super::refusal::Refusal;
use crate::api::channels::decoded;
use crate::api::event::{Checked, Fields, object};
use crate::api::events::{Accepted, as_event, keep_refused_json};
use crate::http::answer;
use crate::http::error::ApiError;
use crate::state::State;

/// `POST /apps/NAME/events`: one event to one or more channels.
///
/// # Errors
/// Any fault in any part; nothing is published then.
pub(super) fn publish_event(state: &State, admitted: &Admitted) -> Result<Accepted, Refusal> {
    let Admitted { app, client, body, .. } = admitted;
    let refused = |refusal: &Refusal| {
        let asked = (Publisher::Key(client), &**body);
        keep_refused_json(state, app, asked, (refusal.status(), refusal));
    };
    publish_checked(state, admitted).inspect_err(refused)
}

fn publish_checked(state: &State, admitted: &Admitted) -> Result<Accepted, Refusal> {
    let fields = object::<Fields<'_>>(&admitted.body)?;
    if !fields.are_filled() {
        return Err(Refusal::Incomplete);
    }
    let event = Checked::from_fields(&fields.with_channels_first(), &admitted.app)?;
    let id = publish(&state.node, &admitted.app, &[as_event(&event)], Publisher::Key(&admitted.client))
        .map_err(ApiError::OverQuota)?;
    Ok(Accepted { id, json: r#"{"message":"ok"}"#.to_owned() })
}

/// `GET /apps/NAME/status`; the JSON of the answer.
///
/// # Errors
/// No answer of the cluster (CL-021).
pub(super) async fn status(state: &State, admitted: &Admitted) -> Result<String, Refusal> {
    #[derive(Serialize)]
    struct Status {
        subscription_count: usize,
        uptime: u64,
        memory_usage: Memory,
    }
    /// As Node tells of itself; there is no heap to be told apart.
    #[derive(Serialize)]
    struct Memory {
        rss: u64,
        #[serde(rename = "heapTotal")]
        heap_total: u64,
        #[serde(rename = "heapUsed")]
        heap_used: u64,
        external: u64,
    }

    let node = &state.node;
    let connections = census::connections(node, &admitted.app.id).await.map_err(ApiError::from)?;
    let rss = resident_bytes();
    Ok(answer::object(&Status {
        subscription_count: connections,
        uptime: node.milliseconds() / 1000,
        memory_usage: Memory { rss, heap_total: rss, heap_used: rss, external: 0 },
    }))
}

/// The memory of this process; 0 on a system that does not tell.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// How many are subscribed to a channel.
#[derive(Serialize)]
struct Counted {
    subscription_count: usize,
    occupied: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_count: Option<usize>,
}

impl Counted {
    fn new(counts: Occupancy, with_users: bool) -> Self {
        Self {
            subscription_count: counts.subscriptions,
            occupied: counts.subscriptions > 0,
            user_count: with_users.then_some(counts.users),
        }
    }
}

/// `GET /apps/NAME/channels`; the JSON of the answer.
///
/// # Errors
/// No answer of the cluster (CL-021).
pub(super) async fn channels(state: &State, admitted: &Admitted) -> Result<String, Refusal> {
    #[derive(Serialize)]
    struct Channels<'a> {
        channels: BTreeMap<&'a str, Counted>,
    }

    let prefix = admitted.query.get("filter_by_prefix").unwrap_or_default();
    let found = census::channels(&state.node, &admitted.app.id, (prefix, false)).await;
    let found = found.map_err(ApiError::from)?;
    let each = found.channels.iter().map(|(name, counts)| (name.as_str(), Counted::new(*counts, false)));
    Ok(answer::object(&Channels { channels: each.collect() }))
}

/// `GET /apps/NAME/channels/CHANNEL`; the JSON of the answer.
///
/// # Errors
/// An invalid name; no answer of the cluster (CL-021).
pub(super) async fn channel(state: &State, admitted: &Admitted, raw_name: &str) -> Result<String, Refusal> {
    let channel = decoded(raw_name, &admitted.app)?;
    let counts = census::occupancy(&state.node, &admitted.app.id, &channel).await.map_err(ApiError::from)?;
    Ok(answer::object(&Counted::new(counts, is_presence(&channel))))
}

/// `GET /apps/NAME/channels/CHANNEL/users`; the JSON of the answer.
///
/// # Errors
/// Not a presence channel, or no name of a channel; no answer of the cluster (CL-021).
pub(super) async fn users(state: &State, admitted: &Admitted, raw_name: &str) -> Result<String, Refusal> {
    #[derive(Serialize)]
    struct Users {
        users: Vec<User>,
    }
    #[derive(Serialize)]
    struct User {
        id: String,
        user_info: Option<Box<RawValue>>,
    }

    let channel = decoded(raw_name, &admitted.app)?;
    if !is_presence(&channel) {
        return Err(Refusal::NotPresence);
    }
    let found = census::members(&state.node, &admitted.app.id, &channel).await.map_err(ApiError::from)?;
    let user = |(id, user_info): (UserId, UserInfo)| User { id: id.to_string(), user_info };
    Ok(answer::object(&Users { users: found.into_iter().map(user).collect() }))
}

fn is_presence(channel: &ChannelName) -> bool {
    channel.kind() == ChannelKind::Presence
}
