//! Requests about connections and signed-in users rather than channels.

use std::collections::{BTreeMap, BTreeSet};

use fanfare_node::census;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::UserId;
use fanfare_protocol::utc::utc;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::event;
use super::signed::Signed;
use crate::http::answer::object;
use crate::http::error::ApiError;
use crate::state::State;

/// `POST /apps/ID/users/UID/terminate_connections` (API-060 … API-064): closes all connections of a user,
/// if there are any; the JSON of the answer.
///
/// # Errors
/// The other nodes could not be told (CL-052); this node has closed its own connections then.
pub async fn terminate(state: &State, signed: &Signed, raw_user: &str) -> Result<String, ApiError> {
    let user = percent_decode_str(raw_user).decode_utf8_lossy();
    if let Some(hub) = state.node.hubs.get(&signed.app.id) {
        hub.close_user(&user, &CloseReason::Terminated);
    }
    if let Some(bus) = state.node.bus() {
        let told = bus.close_user(&signed.app.id, &UserId::from(&*user)).await;
        told.map_err(|_| ApiError::ClusterUnavailable)?;
    }
    Ok("{}".to_owned())
}

/// `GET /apps/ID/connections`, which monitors of Laravel Reverb poll: the number of connections in the cluster.
///
/// # Errors
/// No answer of the cluster (CL-021).
pub async fn connections(state: &State, signed: &Signed) -> Result<String, ApiError> {
    #[derive(Serialize)]
    struct Connections {
        connections: usize,
    }

    let connections = census::connections(&state.node, &signed.app.id).await?;
    Ok(object(&Connections { connections }))
}

/// Most users that a GET, and that a POST may ask about.
const MOST_BY_GET: usize = 100;
const MOST_BY_POST: usize = 10_000;

/// `GET /apps/ID/users?ids=a,b` and `POST /apps/ID/users` with `{"ids":["a","b"]}`: which of these users are online, on how
/// many connections, and since when (API-042, API-043); the JSON of the answer.
///
/// # Errors
/// No ids, too many, or ids that are no strings; no answer of the cluster (CL-021).
pub async fn online(state: &State, signed: &Signed) -> Result<String, ApiError> {
    let (given, limit) = match signed.body.is_empty() {
        true => (ids_of_query(signed), MOST_BY_GET),
        false => (ids_of_body(&signed.body)?, MOST_BY_POST),
    };
    if given.is_empty() || given.len() > limit {
        return Err(ApiError::UserIds { limit, given: given.len() });
    }
    let ids: Vec<UserId> = given.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let found = census::online(&state.node, &signed.app.id, &ids).await?;
    let of_each = ids.iter().zip(found).map(|(id, found)| {
        let since = found.since.filter(|_| found.connections > 0).map(utc);
        (id.as_str(), Standing { online: found.connections > 0, connections: found.connections, since })
    });
    Ok(object(&Online { users: of_each.collect() }))
}

#[derive(Serialize)]
struct Online<'a> {
    users: BTreeMap<&'a str, Standing>,
}

#[derive(Serialize)]
struct Standing {
    online: bool,
    connections: usize,
    since: Option<String>,
}

fn ids_of_query(signed: &Signed) -> Vec<UserId> {
    let ids = signed.query.get("ids").unwrap_or_default().split(',');
    ids.filter(|id| !id.is_empty()).map(UserId::from).collect()
}

fn ids_of_body(body: &[u8]) -> Result<Vec<UserId>, ApiError> {
    #[derive(Deserialize)]
    struct Asked<'a> {
        #[serde(borrow, default)]
        ids: Option<&'a RawValue>,
    }

    let ids = event::object::<Asked<'_>>(body)?.ids;
    Ok(event::strings(ids, "ids")?.iter().map(|id| UserId::from(&**id)).collect())
}
