//! Queries about channels: the list, one channel, its users.
//!
//! Counts come from the census; nothing is cached.

use std::fmt::Write as _;

use fanfare_hub::Occupancy;
use fanfare_node::census;
use fanfare_protocol::app::App;
use fanfare_protocol::channel::{ChannelKind, ChannelName, is_presence_prefix};
use fanfare_protocol::server::data_of;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::task::yield_now;

use super::event::Info;
use super::signed::Signed;
use crate::http::answer::object;
use crate::http::error::ApiError;
use crate::state::State;

/// Channels that are written before the task yields.
const TURN: usize = 500;

/// The attributes of a channel; attributes that were not asked for, or do not exist, are left out.
#[derive(Debug, Default, Serialize)]
pub struct Attributes {
    /// Distinct users, on presence channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_count: Option<usize>,
    /// Connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_count: Option<usize>,
    /// The last event of a cache channel, or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<Option<CachedEvent>>,
}

/// The cached event of a cache channel (API-037).
#[derive(Debug, Serialize)]
pub struct CachedEvent {
    /// The event's data.
    data: Box<RawValue>,
    /// Whole seconds until the event expires.
    ttl: u64,
}

/// `GET /apps/ID/channels` (API-030 … API-033); the JSON of the answer.
///
/// Sorted by name. Written in turns, so that a list of hundreds of thousands does not block other requests.
///
/// # Errors
/// `user_count` without a filter for presence channels (API-031); no answer of the cluster (CL-021).
pub async fn list(state: &State, signed: &Signed) -> Result<String, ApiError> {
    let prefix = signed.query.get("filter_by_prefix").unwrap_or_default();
    let info = asked_info(signed);
    if info.user_count && !is_presence_prefix(prefix) {
        return Err(ApiError::UserCountNeedsPresence);
    }
    let found = census::channels(&state.node, &signed.app.id, (prefix, info.user_count)).await?;
    let mut json = r#"{"channels":{"#.to_owned();
    for (at, (name, counts)) in found.channels.iter().enumerate() {
        push_channel(&mut json, name, *counts, info);
        if at % TURN == TURN - 1 {
            yield_now().await;
        }
    }
    if json.ends_with(',') {
        json.pop();
    }
    json.push_str("}}");
    Ok(json)
}

/// Adds a channel and a comma; legal names need no quoting.
fn push_channel(json: &mut String, name: &ChannelName, counts: Occupancy, info: Info) {
    let is_presence = name.kind() == ChannelKind::Presence;
    let attributes = Attributes {
        user_count: info.user_count.then_some(counts.users),
        cache: None,
        subscription_count: (info.subscription_count && !is_presence).then_some(counts.subscriptions),
    };
    // Writing to a String cannot fail.
    let _ = write!(json, "\"{name}\":{},", object(&attributes));
}

/// `GET /apps/ID/channels/NAME` (API-035 … API-039); the JSON of the answer.
///
/// # Errors
/// An invalid name, or an attribute that channels of this kind do not have (API-036); no answer of the cluster.
pub async fn one(state: &State, signed: &Signed, raw_name: &str) -> Result<String, ApiError> {
    #[derive(Serialize)]
    struct One {
        occupied: bool,
        #[serde(flatten)]
        attributes: Attributes,
    }

    let channel = decoded(raw_name, &signed.app)?;
    let info = asked_info(signed);
    if info.user_count && channel.kind() != ChannelKind::Presence {
        return Err(ApiError::UserCountNeedsPresence);
    }
    if info.cache && !channel.is_cached() {
        return Err(ApiError::CacheNeedsCacheChannel);
    }
    let (node, app) = (&state.node, &signed.app.id);
    let counts = census::occupancy(node, app, &channel).await?;
    let cache = if info.cache {
        let last = census::last_event(node, app, &channel).await?;
        Some(last.and_then(|last| {
            Some(CachedEvent { data: data_of(&last.frame)?, ttl: last.milliseconds_left / 1000 })
        }))
    } else {
        None
    };
    Ok(object(&One {
        occupied: counts.subscriptions > 0,
        attributes: Attributes {
            user_count: info.user_count.then_some(counts.users),
            subscription_count: info.subscription_count.then_some(counts.subscriptions),
            cache,
        },
    }))
}

/// `GET /apps/ID/channels/NAME/stats`, the older form of the same query (API-071); the JSON of the answer.
///
/// # Errors
/// An invalid name; no answer of the cluster.
pub async fn stats(state: &State, signed: &Signed, raw_name: &str) -> Result<String, ApiError> {
    #[derive(Serialize)]
    struct Stats {
        occupied: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_count: Option<usize>,
        connection_count: usize,
    }

    let channel = decoded(raw_name, &signed.app)?;
    let counts = census::occupancy(&state.node, &signed.app.id, &channel).await?;
    Ok(object(&Stats {
        occupied: counts.subscriptions > 0,
        user_count: (channel.kind() == ChannelKind::Presence).then_some(counts.users),
        connection_count: counts.subscriptions,
    }))
}

/// `GET /apps/ID/channels/NAME/users` (API-040, API-041); the JSON of the answer.
///
/// # Errors
/// Not a presence channel, or a parameter that this endpoint does not take; no answer of the cluster.
pub async fn users(state: &State, signed: &Signed, raw_name: &str) -> Result<String, ApiError> {
    #[derive(Serialize)]
    struct Users {
        users: Vec<User>,
    }
    #[derive(Serialize)]
    struct User {
        id: String,
    }

    let extraneous: Vec<&str> = signed.query.beside_signature().map(|(name, _)| name).collect();
    if !extraneous.is_empty() {
        return Err(ApiError::Extraneous(extraneous.join(", ")));
    }
    let channel = decoded(raw_name, &signed.app)?;
    if channel.kind() != ChannelKind::Presence {
        return Err(ApiError::UsersNeedPresence);
    }
    let ids = census::users(&state.node, &signed.app.id, &channel).await?;
    Ok(object(&Users { users: ids.iter().map(|id| User { id: id.to_string() }).collect() }))
}

fn asked_info(signed: &Signed) -> Info {
    Info::parse(signed.query.get("info").unwrap_or_default())
}

/// The channel's name from the path, where the name may be percent-encoded.
pub fn decoded(raw_name: &str, app: &App) -> Result<ChannelName, ApiError> {
    checked(&percent_decode_str(raw_name).decode_utf8_lossy(), app)
}

/// The channel's name.
///
/// # Errors
/// The name is not legal.
pub fn checked(name: &str, app: &App) -> Result<ChannelName, ApiError> {
    ChannelName::parse(name, app.limits.channel_name)
        .map_err(|fault| ApiError::InvalidChannelName { name: name.to_owned(), fault })
}
