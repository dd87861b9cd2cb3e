//! Requests about connections and signed-in users rather than channels.

use fanfare_node::census;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::UserId;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::answer::object;
use super::error::ApiError;
use super::signed::Signed;
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
