//! `POST /app/KEY/auth` and `/app/KEY/user-auth`: requests that stock clients send before a subscription or sign-in.
//!
//! The app's own application decides; refusals that need no decision are made here. Sends requests only to the
//! URL in the app's settings, and signs only after the application's yes.

mod asked_for;
mod page;
mod refusal;

use std::net::IpAddr;
use std::sync::Arc;

use fanfare_laravel::authorize::{AuthorizationRequest, Denial, Subject, Yes, ask, passed_on};
use fanfare_node::tenants::{AuthorizationOutcome, Most, Tenant};
use fanfare_outgoing::Bounds;
use fanfare_protocol::app::App;
use fanfare_protocol::auth::{Credential, channel_answer, user_answer};
use fanfare_protocol::close::shortened;
use fanfare_protocol::ids::AppId;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use percent_encoding::percent_decode_str;
use tracing::Level;

use self::asked_for::AskedFor;
use self::page::Page;
use self::refusal::Refusal;
use super::answer::{self, Answer};
use super::error::ApiError;
use super::forwarded::client_address;
use crate::connections::RequestBody;
use crate::log::limited::{Line, limited};
use crate::log::unknown_key;
use crate::state::State;

/// What to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AuthorizationKind {
    /// Leave for a client to join a channel.
    Channel,
    /// The identity of a client.
    User,
}

/// A client's request for a signature, and the key to sign with.
struct Asking<'a> {
    state: &'a State,
    app: &'a App,
    credential: &'a Credential,
    tenant: &'a Tenant,
    kind: AuthorizationKind,
    peer: IpAddr,
}

/// Answers a client, or a browser's preflight.
///
/// A page of any origin may read why the application is not asked, so that a browser can show the reason: that answer
/// is the same for everybody, whatever cookies the request has.
pub(super) async fn answer(
    state: &Arc<State>,
    raw_key: &str,
    kind: AuthorizationKind,
    peer: IpAddr,
    request: Request<RequestBody>,
) -> Answer {
    let key = percent_decode_str(raw_key).decode_utf8_lossy();
    let found = find(state, &key).await;
    let page = match &found {
        Ok(app) if is_asked(app, kind) => Page::of(&app.authorization.origins, request.headers()),
        _ => Page::of_reader(request.headers()),
    };
    let app_id = found.as_ref().ok().map(|app| app.id.clone());
    let answered = match found {
        _ if *request.method() == Method::OPTIONS => page.preflight(request.headers()),
        Err(error) => Err(Refusal::Api(error)),
        Ok(_) if *request.method() != Method::POST => {
            Err(Refusal::Api(ApiError::MethodNotAllowed(Method::POST)))
        }
        Ok(app) => match app.credential(&key) {
            Some(credential) => {
                let tenant = state.node.tenants.of(&app.id);
                let wanted = Asking { state, app: &app, credential, tenant: &tenant, kind, peer };
                Ok(wanted.answer(&page, request).await)
            }
            None => Err(Refusal::Api(ApiError::UnknownKey(key.clone().into_owned()))),
        },
    };
    let mut answer = answered.unwrap_or_else(|refusal| {
        let shown = if app_id.is_some() { shortened(&key, 100) } else { unknown_key(&key) };
        limited!(
            Line::NotAuthorized,
            target: "fanfare::authorization",
            Level::INFO,
            app = app_id.as_ref().map(AppId::as_str),
            key = &*shown,
            status = refusal.status().as_u16(), reason = refusal.reason(), "not authorized"
        );
        refusal.into_answer()
    });
    page.put_headers(answer.headers_mut());
    // Permissions change: a signature must not be cached.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The app with a key.
async fn find(state: &State, key: &str) -> Result<Arc<App>, ApiError> {
    match state.node.apps.by_key(key).await {
        Ok(Some(app)) => Ok(app),
        Ok(None) => Err(ApiError::UnknownKey(key.to_owned())),
        Err(error) => {
            tracing::debug!(target: "fanfare::apps", %error, "app not looked up");
            Err(ApiError::AppsUnavailable)
        }
    }
}

/// Whether the app's application decides such requests.
fn is_asked(app: &App, kind: AuthorizationKind) -> bool {
    let settings = &app.authorization;
    let url = match kind {
        AuthorizationKind::Channel => &settings.url,
        AuthorizationKind::User => &settings.user_url,
    };
    app.enabled && url.is_some()
}

impl Asking<'_> {
    async fn answer(&self, page: &Page, request: Request<RequestBody>) -> Answer {
        let mut asked_for = None;
        let result = self.sign(page, request, &mut asked_for).await;
        let (channel, socket) = asked_for.as_ref().map(AskedFor::names).unwrap_or_default();
        let channel =
            if self.kind == AuthorizationKind::User { "(sign-in)" } else { &*shortened(channel, 200) };
        let (app, socket) = (self.app.id.as_str(), &*shortened(socket, 40));
        match result {
            Ok(json) => {
                self.tenant.authorizations.count(AuthorizationOutcome::Allowed);
                tracing::debug!(target: "fanfare::authorization", app, channel, socket, "signed");
                answer::json(StatusCode::OK, json)
            }
            Err(refusal) => {
                self.tenant.authorizations.count(refusal.outcome());
                limited!(
                    Line::NotAuthorized,
                    target: "fanfare::authorization",
                    Level::INFO,
                    app, channel, socket,
                    status = refusal.status().as_u16(), reason = refusal.to_string(), "not authorized"
                );
                refusal.into_answer()
            }
        }
    }

    /// The answer's JSON for the client; notes the requested names as soon as these are known.
    async fn sign(
        &self,
        page: &Page,
        request: Request<RequestBody>,
        noted: &mut Option<AskedFor>,
    ) -> Result<Bytes, Refusal> {
        if !self.app.enabled {
            return Err(Refusal::AppDisabled);
        }
        let settings = &self.app.authorization;
        let (url, setting) = match self.kind {
            AuthorizationKind::Channel => (&settings.url, "authorization.url"),
            AuthorizationKind::User => (&settings.user_url, "authorization.user_url"),
        };
        let url = url.as_deref().ok_or(Refusal::NotConfigured(setting))?;
        page.check()?;
        let headers = request.headers().clone();
        let asked_for =
            noted.insert(asked_for::receive(request, self.state.node.config.timeouts.handshake()).await?);
        let socket = asked_for.socket()?;
        let channel = match self.kind {
            AuthorizationKind::Channel => {
                let prefix = self.state.node.config.redis_feed.prefix_of(self.app);
                Some(asked_for.channel(&self.app.limits, prefix)?)
            }
            AuthorizationKind::User => None,
        };
        let subject = channel.as_ref().map_or(Subject::User, Subject::Channel);
        let question = AuthorizationRequest { url, subject, socket, headers: self.shown(&headers) };
        let signed = match (self.ask(&question).await?, subject) {
            (Yes::Signed(json), _) => return Ok(json),
            (Yes::Unsigned(data), Subject::Channel(channel)) => {
                channel_answer(self.credential, socket, channel.as_str(), data.as_deref())
            }
            (Yes::Unsigned(data), Subject::User) => {
                user_answer(self.credential, socket, data.as_deref().unwrap_or_default())
            }
        };
        Ok(signed.into())
    }

    /// Sends the request to the application when a slot is free.
    async fn ask(&self, question: &AuthorizationRequest<'_>) -> Result<Yes, Refusal> {
        let config = &self.state.node.config;
        let (limits, patience) = (&config.limits, config.timeouts.application());
        let most = Most { at_once: limits.authorizations, waiting: limits.authorizations_waiting, patience };
        let _turn = self
            .tenant
            .authorizations
            .turn(most, &self.state.node.asking)
            .await
            .map_err(|_| Refusal::Busy)?;
        let bounds = Bounds { time: patience, bytes: limits.authorization_bytes };
        let App { authorization, limits, .. } = self.app;
        let asked =
            ask(&self.state.node.outgoing.applications, question, bounds, authorization, limits).await;
        asked.map_err(|denial: Denial| Refusal::Denied(Box::new(denial)))
    }

    /// The headers of the client's request that the application gets.
    fn shown(&self, headers: &HeaderMap) -> HeaderMap {
        let client = client_address(self.state, headers, self.peer);
        passed_on(headers, &self.app.authorization.headers, client)
    }
}
