//! A signed request of an app's back end: received, bounded, verified (AUTH-001 … AUTH-012).
//!
//! The order is the point: size before anything is read, signature before anything is parsed.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_protocol::app::App;
use fanfare_protocol::auth::{Clock, Query, RequestError, SignedRequest};
use hyper::Request;
use hyper::body::Incoming;

use super::body;
use super::error::ApiError;
use crate::state::{State, unix_seconds};

/// A request whose signature is the app's.
pub struct Signed {
    /// Whose it is.
    pub app: Arc<App>,
    /// The decoded query.
    pub query: Query,
    /// The body as it was signed.
    pub body: Bytes,
}

/// Reads a request and verifies it; `path` is without the configured prefix.
///
/// # Errors
/// In this order: body too large, no `auth_key`, unknown app, wrong signature, app disabled.
pub async fn receive(
    state: &State,
    app_id: &str,
    path: &str,
    request: Request<Incoming>,
) -> Result<Signed, ApiError> {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let limit = state.config.limits.request_bytes;
    let body = body::read(request, limit, state.config.timeouts.handshake()).await?;
    let query = Query::parse(uri.query().unwrap_or_default());
    if query.get("auth_key").is_none() {
        return Err(ApiError::Unauthorized(RequestError::KeyMissing));
    }
    let app = match state.apps.by_id(app_id).await {
        Ok(Some(app)) => app,
        Ok(None) => return Err(ApiError::UnknownApp(app_id.to_owned())),
        Err(error) => {
            tracing::debug!(target: "fanfare::apps", app = app_id, %error, "app not looked up");
            return Err(ApiError::AppsUnavailable);
        }
    };
    let clock = Clock { now: unix_seconds(), window: state.config.timeouts.clock_skew.into() };
    SignedRequest { method: method.as_str(), path, full_path: uri.path(), query: &query, body: &body }
        .verify(&app, clock)
        .map_err(ApiError::Unauthorized)?;
    if !app.enabled {
        return Err(ApiError::AppDisabled);
    }
    Ok(Signed { app, query, body })
}
