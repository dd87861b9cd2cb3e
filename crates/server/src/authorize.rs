//! `POST /app/KEY/auth` and `/app/KEY/user-auth`: requests that stock clients send before a subscription or sign-in.
//!
//! The app's own application decides; refusals that need no decision are made here. Sends requests only to the
//! URL in the app's settings, and signs only after the application's yes.

mod application;
mod asked_for;
pub(crate) mod page;
mod refusal;

use std::net::IpAddr;
use std::sync::Arc;

use fanfare_laravel::authorize::{AuthorizationRequest, Yes, passed_on};
use fanfare_node::tenants::Tenant;
use fanfare_protocol::app::App;
use fanfare_protocol::auth::{Credential, channel_answer, user_answer};
use fanfare_protocol::close::shortened;
use fanfare_protocol::ids::AppId;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use percent_encoding::percent_decode_str;
use tracing::Level;

pub(crate) use self::application::Application;
use self::asked_for::AskedFor;
use self::page::Page;
pub(crate) use self::refusal::{Asker, Refusal};

use crate::connections::RequestBody;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::forwarded::client_address;
use crate::log::limited::{Line, limited};
use crate::log::unknown_key;
use crate::state::State;

/// What a request without a user lacks, in words for the application's developer.
const NO_USER: &str = "the request has neither a cookie nor an Authorization header: pusher-js sends cookies to the page's \
                       own origin alone";

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
    app: &'a Arc<App>,
    credential: &'a Credential,
    tenant: &'a Tenant,
    kind: AuthorizationKind,
    /// The client's.
    address: IpAddr,
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
    let address = client_address(state, request.headers(), peer);
    let answered = match found {
        _ if *request.method() == Method::OPTIONS => page.preflight(request.headers()),
        Err(error) => Err(Refusal::Api(error)),
        Ok(_) if *request.method() != Method::POST => Err(Refusal::Api(ApiError::MethodNotAllowed("POST"))),
        Ok(app) => match app.credential(&key) {
            Some(credential) => {
                let tenant = state.node.tenants.of(&app.id);
                let wanted = Asking { state, app: &app, credential, tenant: &tenant, kind, address };
                Ok(wanted.answer(&page, request).await)
            }
            None => Err(Refusal::Api(ApiError::UnknownKey(key.clone().into_owned()))),
        },
    };
    let mut answer = answered.unwrap_or_else(|refusal| {
        refusal.note(&state.node, app_id.as_ref(), Asker { channel: "", socket: "", address }, None);
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

/// Whether a request has nothing by which an application usually knows a user.
pub(crate) fn lacks_user(headers: &HeaderMap) -> bool {
    !headers.contains_key(COOKIE) && !headers.contains_key(AUTHORIZATION)
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
        let missing = lacks_user(request.headers()).then_some(NO_USER);
        let result = self.sign(page, request, &mut asked_for).await;
        let (channel, socket) = asked_for.as_ref().map(AskedFor::names).unwrap_or_default();
        let channel = if self.kind == AuthorizationKind::User { "(sign-in)" } else { channel };
        let asker = Asker { channel, socket, address: self.address };
        self.application().note(asker, result.as_ref().err(), missing);
        match result {
            Ok(json) => answer::json(StatusCode::OK, json),
            Err(refusal) => refusal.into_answer(),
        }
    }

    fn application(&self) -> Application<'_> {
        Application { node: &self.state.node, app: self.app, tenant: self.tenant }
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
        let patience = self.state.node.config().timeouts.handshake();
        let Some(url) = url.as_deref() else {
            // The names are for the log.
            *noted = asked_for::receive(request, patience).await.ok();
            return Err(Refusal::NotConfigured(setting));
        };
        page.check()?;
        let headers = request.headers().clone();
        let asked_for = noted.insert(asked_for::receive(request, patience).await?);
        let socket = asked_for.socket()?;
        let channel = match self.kind {
            AuthorizationKind::Channel => {
                let channel = asked_for.channel(&self.app.limits)?;
                self.application().check(&channel)?;
                Some(channel)
            }
            AuthorizationKind::User => None,
        };
        let (url, headers) = (url.to_owned(), passed_on(&headers, &settings.headers, self.address));
        let question = AuthorizationRequest { url, channel: channel.clone(), socket, headers };
        let signed = match (self.application().ask(question, self.address).await?, channel) {
            (Yes::Signed(json), _) => return Ok(json),
            (Yes::Unsigned(data), Some(channel)) => {
                channel_answer(self.credential, socket, channel.as_str(), data.as_deref())
            }
            (Yes::Unsigned(data), None) => {
                user_answer(self.credential, socket, data.as_deref().unwrap_or_default())
            }
        };
        Ok(signed.into())
    }
}
