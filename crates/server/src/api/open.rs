//! What is open now, for an app's back end and for the command line (CON-025): the lists of the administration API, and closing.
//!
//! Shows nothing of what events carry or members tell of themselves. Each close leaves an entry in the audit log, with the first
//! characters of the key that signed.

use std::net::IpAddr;
use std::sync::Arc;

use fanfare_apps::AuditAction;
use fanfare_protocol::close::CloseReason;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::signed::Signed;
use crate::http::answer::object;
use crate::http::error::ApiError;
use crate::http::given::Given;
use crate::http::unbroken::unbroken;
use crate::listed::{self, NotTold};
use crate::state::State;

/// `GET /apps/ID/open/channels`: a page of the app's channels; the JSON of the answer.
///
/// # Errors
/// The query has faults.
pub async fn channels(state: &State, signed: &Signed) -> Result<String, ApiError> {
    let wanted = listed::channels_wanted(Given::of_signed(&signed.query, &listed::OF_CHANNELS))?;
    Ok(listed::channels(&state.node, &signed.app.id, &wanted).await.to_string())
}

/// `GET /apps/ID/open/connections`: a page of the app's connections; the JSON of the answer.
///
/// # Errors
/// The query has faults.
pub async fn connections(state: &State, signed: &Signed) -> Result<String, ApiError> {
    let wanted = listed::connections_wanted(Given::of_signed(&signed.query, &listed::OF_CONNECTIONS))?;
    Ok(listed::connections(&state.node, &signed.app.id, &wanted).await.to_string())
}

/// `GET /apps/ID/open/users`: a page of the users who are signed in; the JSON of the answer.
///
/// # Errors
/// The query has faults.
pub async fn users(state: &State, signed: &Signed) -> Result<String, ApiError> {
    let wanted = listed::users_wanted(Given::of_signed(&signed.query, &listed::OF_USERS))?;
    Ok(listed::users(&state.node, &signed.app.id, &wanted).await.to_string())
}

/// `POST /apps/ID/open/connections/SOCKET/close?code=4200`, or 4009: closes a connection; the JSON of the answer.
///
/// # Errors
/// The query has faults, or the connection is not open.
pub async fn close(
    state: &Arc<State>,
    signed: &Signed,
    (raw_socket, from): (&str, IpAddr),
) -> Result<String, ApiError> {
    let mut given = Given::of_signed(&signed.query, &["code"]);
    let reason = given.of_these("code", &listed::CLOSES).unwrap_or(&CloseReason::ReconnectByOperator);
    given.end()?;
    let socket = percent_decode_str(raw_socket).decode_utf8_lossy().into_owned();
    let entry = signed.entry(from, AuditAction::ConnectionClose);
    let (state, app) = (Arc::clone(state), signed.app.id.clone());
    unbroken(async move {
        let closed = listed::close(&state.node, &app, (&socket, reason), entry).await;
        closed.map_err(|missing| match missing.perhaps_elsewhere() {
            None => ApiError::NoSuchConnection(socket),
            Some(_) => ApiError::ClusterUnavailable,
        })
    })
    .await?;
    Ok(object(&serde_json::json!({ "code": reason.code() })))
}

/// `POST /apps/ID/open/users/UID/terminate`: closes all connections of a user; the JSON of the answer.
///
/// # Errors
/// The query has faults, or the other nodes could not be told.
pub async fn terminate(
    state: &Arc<State>,
    signed: &Signed,
    (raw_user, from): (&str, IpAddr),
) -> Result<String, ApiError> {
    Given::of_signed(&signed.query, &[]).end()?;
    let user = percent_decode_str(raw_user).decode_utf8_lossy().into_owned();
    let entry = signed.entry(from, AuditAction::UserTerminate);
    let (state, app) = (Arc::clone(state), signed.app.id.clone());
    let closed = unbroken(async move { listed::terminate(&state.node, &app, &user, entry).await }).await;
    closed.map(|value: Value| value.to_string()).map_err(|NotTold| ApiError::ClusterUnavailable)
}
