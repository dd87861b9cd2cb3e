//! Which clients may connect: the checks of WS-060 in their order, the same for every transport.
//!
//! Answers no client: each transport tells a refusal in its own way, and its clients can read that (WS-005).

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use fanfare_apps::AppsError;
use fanfare_hub::Transport;
use fanfare_node::refusals::{NotedRefusal, RefusalKind};
use fanfare_node::{Node, Seats};
use fanfare_protocol::app::App;
use fanfare_protocol::close::{CloseReason, shortened};
use fanfare_protocol::ids::AppId;
use fanfare_protocol::version::Version;
use hyper::header::{HeaderMap, ORIGIN};
use percent_encoding::percent_decode_str;
use tracing::Level;

use crate::clients::connection::Newcomer;
use crate::clients::http_session::away::Away;
use crate::http::forwarded::{came_over_tls, client_address};
use crate::http::received::Peer;
use crate::log::limited::{Line, limited};
use crate::log::unknown_key;
use crate::state::State;

/// Longest logged part of a key, in bytes.
const MOST_REPEATED: usize = 100;

/// The cause of a refusal where the key was revoked, in the table of causes.
const REVOKED_KEY: &str = "revoked_key";

/// Unknown keys of which it is looked up, within a second, whether they were revoked.
const FORMER_KEYS_A_SECOND: usize = 20;

/// A client that asks to connect.
pub struct Applicant<'a> {
    /// The transport that the client uses.
    pub transport: Transport,
    /// The path of the request, as received.
    pub path: &'a str,
    /// The app that the path names.
    pub wanted: WantedApp<'a>,
    /// The protocol version, or why the version is refused.
    pub version: Result<Version, CloseReason>,
    /// The headers of the request.
    pub headers: &'a HeaderMap,
    /// The peer of the HTTP connection.
    pub peer: Peer,
}

impl Applicant<'_> {
    /// Whether the client came over TLS, to this server or to a proxy.
    fn over_tls(&self, state: &State) -> bool {
        self.peer.over_tls || came_over_tls(state, self.headers, self.peer.address)
    }
}

/// How a path names the app to connect to.
#[derive(Clone, Copy, Debug)]
pub enum WantedApp<'a> {
    /// By its key, as received.
    Key(&'a str),
    /// By a setting of the server (SIO-080).
    Id(&'a AppId),
    /// Not at all: the path is not one to connect at.
    Nothing,
}

/// [`WantedApp`] as looked up.
enum Decoded<'a> {
    Key(Cow<'a, str>),
    Id(&'a AppId),
    Nothing,
}

impl<'a> WantedApp<'a> {
    fn decoded(self) -> Decoded<'a> {
        match self {
            Self::Key(key) => Decoded::Key(percent_decode_str(key).decode_utf8_lossy()),
            Self::Id(id) => Decoded::Id(id),
            Self::Nothing => Decoded::Nothing,
        }
    }
}

impl Decoded<'_> {
    fn key(&self) -> Option<String> {
        match self {
            Self::Key(key) => Some(key.clone().into_owned()),
            _ => None,
        }
    }

    async fn find(&self, state: &State) -> Result<Option<Arc<App>>, AppsError> {
        match self {
            Self::Key(key) => state.node.apps.by_key(key).await,
            Self::Id(id) => state.node.apps.by_id(id.as_str()).await,
            Self::Nothing => Ok(None),
        }
    }

    /// The app that had the key, which was revoked since. Looked for a few times a second: strangers make up keys.
    async fn former_app(&self, state: &State) -> Option<Arc<App>> {
        let Self::Key(key) = self else { return None };
        if !state.former_keys.take(1, FORMER_KEYS_A_SECOND, state.node.nanoseconds()) {
            return None;
        }
        state.node.apps.had_key(key).await
    }
}

/// A client that may not connect.
pub struct Refusal {
    /// Why.
    pub reason: CloseReason,
    transport: Transport,
    client: IpAddr,
    /// The key that the client sent, at a path to connect at.
    key: Option<String>,
    /// The app of the key.
    app: Option<AppId>,
    /// The app had the key, which was revoked since.
    is_revoked: bool,
}

impl Refusal {
    /// Makes the refusal known to operators, and logs it.
    pub fn note(&self, node: &Node) {
        let Self { reason, transport, client, key, app, is_revoked } = self;
        let key = key.as_deref().map(|key| match app {
            Some(_) => shortened(key, MOST_REPEATED),
            None => unknown_key(key),
        });
        let told = match reason {
            CloseReason::UnknownKey(key) => {
                CloseReason::UnknownKey(unknown_key(key).into_owned()).to_string()
            }
            other => other.to_string(),
        };
        let (kind, code) = (RefusalKind::Handshake, reason.code());
        let cause = if *is_revoked { REVOKED_KEY } else { reason.label() };
        let refusal = NotedRefusal { address: Some(*client), ..NotedRefusal::new(kind, code, cause, &told) };
        node.note_refusal(app.as_ref(), &refusal);
        limited!(
            Line::ConnectionRefused,
            target: "fanfare::connection",
            Level::INFO,
            app = app.as_ref().map(AppId::as_str),
            key = key.as_deref(),
            code = reason.code(),
            reason = reason.label(),
            told,
            transport = transport.label(),
            %client,
            "connection refused"
        );
    }
}

/// Admits a client, or says why not. The app is looked up before the client is answered (WS-034).
///
/// # Errors
/// A check of WS-060 has failed.
pub async fn admit(state: &Arc<State>, applicant: Applicant<'_>) -> Result<Newcomer, Refusal> {
    let wanted = applicant.wanted.decoded();
    let (transport, client) =
        (applicant.transport, client_address(state, applicant.headers, applicant.peer.address));
    let refused = |app: Option<&App>, reason| Refusal {
        reason,
        transport,
        client,
        key: wanted.key(),
        app: app.map(|app| app.id.clone()),
        is_revoked: false,
    };
    let not_found = |path: &str| match &wanted {
        Decoded::Key(key) => CloseReason::UnknownKey(key.clone().into_owned()),
        _ => CloseReason::PathNotFound(path.to_owned()),
    };
    if matches!(wanted, Decoded::Nothing) {
        return Err(refused(None, not_found(applicant.path)));
    }
    let version = applicant.version.clone().map_err(|reason| refused(None, reason))?;
    let app = match wanted.find(state).await {
        Ok(Some(app)) => app,
        Ok(None) => {
            let former = wanted.former_app(state).await;
            let is_revoked = former.is_some();
            let refusal = refused(former.as_deref(), not_found(applicant.path));
            return Err(Refusal { is_revoked, ..refusal });
        }
        Err(error) => {
            tracing::debug!(target: "fanfare::apps", %error, "app not looked up");
            return Err(refused(None, CloseReason::AppUnknownForNow));
        }
    };
    let refused = |reason| refused(Some(&app), reason);
    check_app(state, &app, &applicant).map_err(refused)?;
    if state.node.drain.has_begun() {
        return Err(refused(CloseReason::ShuttingDown));
    }
    let hub = state.node.hubs.open(&app);
    // A change between the look-up and here did not reach a hub that did not exist.
    if let Ok(Some(now)) = wanted.find(state).await {
        hub.set_app(&now);
    }
    // An unauthorized connection does not count in the quota (WS-062).
    let place = if app.authorized_connections {
        None
    } else {
        let limit = app.max_connections.unwrap_or_default();
        Some(hub.take_slot().ok_or_else(|| refused(CloseReason::OverQuota { limit }))?)
    };
    let mut seat = Seats::take(&state.node).ok_or_else(|| refused(CloseReason::OverCapacity))?;
    if let Decoded::Key(key) = &wanted {
        seat.set_key(state.node.tenants.of(&app.id).keys.connected(key));
    }
    let over_tls = applicant.over_tls(state);
    Ok(Newcomer { hub, version, transport, client, over_tls, place, seat })
}

/// As [`admit`], for a client that keeps no connection: one address may have so many such sessions (FALLBACK-027, SIO-036).
///
/// # Errors
/// A check of WS-060 has failed, or too many sessions of the address have no request that waits.
pub async fn admit_without_connection(
    state: &Arc<State>,
    applicant: Applicant<'_>,
) -> Result<(Newcomer, Away), Refusal> {
    let client = client_address(state, applicant.headers, applicant.peer.address);
    let away = match applicant.transport {
        Transport::XhrStreaming => state.away.enter_stream(client),
        _ => state.away.enter(client),
    };
    let Some(away) = away else {
        let key = applicant.wanted.decoded().key();
        let (transport, reason) = (applicant.transport, CloseReason::TooManyAway);
        return Err(Refusal { reason, transport, client, key, app: None, is_revoked: false });
    };
    Ok((admit(state, applicant).await?, away))
}

/// The app's conditions for every connection.
fn check_app(state: &State, app: &App, applicant: &Applicant<'_>) -> Result<(), CloseReason> {
    if !app.enabled {
        return Err(CloseReason::AppDisabled);
    }
    if app.force_tls && !applicant.over_tls(state) {
        return Err(CloseReason::TlsRequired);
    }
    match applicant.headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()) {
        Some(origin) if !app.allows_origin(origin) => Err(CloseReason::OriginRefused(origin.to_owned())),
        _ => Ok(()),
    }
}
