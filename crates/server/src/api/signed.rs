//! A signed request of an app's back end: received, bounded, verified (AUTH-001 … AUTH-012).
//!
//! The order matters: size, then signature, before the body is read, so that no stranger can have the server buffer
//! a body; the body's signature before anything is parsed.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fanfare_apps::{AuditAction, AuditEntry, Auditor};
use fanfare_node::clock::unix_seconds;
use fanfare_node::publish::Publisher;
use fanfare_protocol::app::App;
use fanfare_protocol::auth::{Clock, Query, RequestError, SignedBody, SignedRequest};
use fanfare_protocol::event_id::EventId;
use fanfare_protocol::idempotency::IDEMPOTENCY_HEADER;
use hyper::Request;
use hyper::header::HeaderValue;

use crate::connections::RequestBody;
use crate::http::body::Arriving;
use crate::http::error::ApiError;
use crate::state::State;

/// A request with a valid signature of the app.
pub struct Signed {
    /// The app.
    pub app: Arc<App>,
    /// The decoded query.
    pub query: Query,
    /// The signed body.
    pub body: Bytes,
    /// The header `Idempotency-Key`; not signed.
    pub idempotency_key: Option<HeaderValue>,
    /// The id of the publish that the request asks for, once the publish is done.
    pub published: OnceLock<EventId>,
}

impl Signed {
    /// An entry of the audit log about the app, by the key that signed, named as traces name it.
    pub fn entry(&self, from: IpAddr, action: AuditAction) -> AuditEntry {
        let key = Publisher::Key(self.query.get("auth_key").unwrap_or_default()).to_string();
        AuditEntry::about(self.app.id.as_str(), action, Auditor::key(key, from))
    }
}

/// Reads a request and verifies its signature; `path` is without the configured prefix.
///
/// # Errors
/// In this order: body too large (also a chunked body of a request that is refused for another reason), no
/// `auth_key`, unknown app, wrong signature, body late or broken off, body not the signed body, app disabled.
pub async fn receive(
    state: &State,
    app_id: &str,
    path: &str,
    request: Request<RequestBody>,
) -> Result<Signed, ApiError> {
    let limit = state.node.config().limits.request_bytes;
    let arriving = Arriving::of(request, limit).await?;
    let query = Query::parse(arriving.uri().query().unwrap_or_default());
    let app = match check_head(state, app_id, path, &arriving, &query).await {
        Ok(app) => app,
        Err(error) => return Err(arriving.refused(error).await),
    };
    let idempotency_key = arriving.headers().get(IDEMPOTENCY_HEADER).cloned();
    let patience = state.node.config().timeouts.handshake();
    let body = arriving.read(patience).await?;
    SignedBody::of(&query).check(&body).map_err(ApiError::Unauthorized)?;
    if !app.enabled {
        return Err(ApiError::AppDisabled);
    }
    Ok(Signed { app, query, body, idempotency_key, published: OnceLock::new() })
}

/// Checks all but the body; returns the app whose key signed the request.
async fn check_head(
    state: &State,
    app_id: &str,
    path: &str,
    arriving: &Arriving,
    query: &Query,
) -> Result<Arc<App>, ApiError> {
    let Some(key) = query.get("auth_key") else {
        return Err(ApiError::Unauthorized(RequestError::KeyMissing));
    };
    let app = match state.node.apps.by_id(app_id).await {
        Ok(Some(app)) => app,
        Ok(None) => return Err(ApiError::UnknownApp(app_id.to_owned())),
        Err(error) => {
            tracing::debug!(target: "fanfare::apps", app = app_id, %error, "app not looked up");
            return Err(ApiError::AppsUnavailable);
        }
    };
    let clock = Clock { now: unix_seconds(), window: state.node.config().timeouts.clock_skew.into() };
    let full_path = arriving.uri().path();
    SignedRequest { method: arriving.method().as_str(), path, full_path, query }
        .verify(&app, clock, arriving.announced() > 0)
        .map_err(ApiError::Unauthorized)?;
    state.node.tenants.of(&app.id).keys.requested(key);
    Ok(app)
}
