//! Lines to paste for an app's clients and back ends: `GET /v1/apps/{id}/connect` (CON-053).
//!
//! Made of the same blocks as those of the first run. The secret is for the scope `secrets`, and to look leaves an entry in the audit
//! log. Never claims the name of a proxy in front of the operators' listener as that of clients: they come another way.

use fanfare_apps::{AuditAction, OperationError};
use fanfare_config::ServerUrl;
use fanfare_protocol::app::App;
use serde_json::{Value, json};

use super::asked::{Asked, ok};
use super::events;
use super::problem::Problem;
use super::way_in::{WayIn, is_host};
use crate::http::Answer;
use crate::http::given::Given;
use crate::laravel_lines::LaravelDriver;
use crate::paste_lines::{OverTls, PasteBlocks, SOME_PROXY, Ways};
use crate::state::{PublicAddresses, State};

/// The ports of a proxy, with TLS and without.
const HTTPS: u16 = 443;
const HTTP: u16 = 80;

/// In place of a secret.
const MASKED: &str = "(hidden)";

/// In place of lines for a back end where the server has a path prefix.
const NO_PREFIX: &str =
    "// Pusher's SDK for Node has no path prefix (listen.path_prefix): take a language whose SDK has one.\n";

/// Where clients and back ends find the server, as far as the request says so.
struct Place {
    host: Option<String>,
    port: Option<u16>,
    tls: Option<bool>,
}

/// The lines.
///
/// # Errors
/// There is no such app or no such key of the app, the query has faults, or a look at the secret cannot be noted.
pub(super) async fn lines(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut given = Given::of(&asked.query, &["key", "host", "port", "tls", "secrets"]);
    let switch = [("true", true), ("false", false)];
    let place = Place {
        host: given
            .parsed("host", "a host name or an address", |text| is_host(text).then(|| text.to_owned())),
        port: given
            .parsed("port", "a port from 1 to 65535", |text| text.parse().ok().filter(|port| *port > 0)),
        tls: given.of_these("tls", &switch),
    };
    let shows_secret = given.of_these("secrets", &switch).unwrap_or_default();
    let key = given.text("key");
    given.end()?;
    let app = events::app(state, asked).await?;
    let keys: Vec<&str> = app.credentials.iter().map(|credential| credential.key.as_str()).collect();
    let app = &with_key_alone(&app, key)?;
    let key = app.credentials.first().map(|credential| credential.key.as_str());
    if shows_secret {
        let entry = asked.entry(app.id.as_str(), AuditAction::SecretShow).with_keys(key.into_iter());
        asked.note_first(&state.node.apps, &entry).await?;
    }
    let (ways, fill_in) = place.ways(state, app, &asked.way_in);
    let mut value = texts(state, app, &ways, shows_secret);
    let ServerUrl { tls, host, port } = &ways.browser;
    value["key"] = key.into();
    value["keys"] = keys.into();
    value["place"] = json!({ "host": host, "port": port, "tls": tls });
    value["fill_in"] = fill_in.into();
    Ok(ok(&value))
}

/// The app with this key alone, or else with the first.
///
/// # Errors
/// The key is not one of the app's valid keys.
fn with_key_alone(app: &App, key: Option<&str>) -> Result<App, Problem> {
    let credential = match key {
        Some(key) => Some(app.credential(key).ok_or_else(|| {
            let (app, key) = (app.id.as_str().to_owned(), key.to_owned());
            Problem::Operation(OperationError::NoSuchKey { app, key })
        })?),
        None => app.credentials.first(),
    };
    Ok(App { credentials: credential.cloned().into_iter().collect(), ..app.clone() })
}

/// The texts to paste.
fn texts(state: &State, app: &App, ways: &Ways, shows_secret: bool) -> Value {
    let config = state.node.config_kept();
    let listen = &config.listen;
    let secret = app.credentials.first().map_or("", |credential| credential.secret.expose());
    let blocks = PasteBlocks {
        app,
        path_prefix: &listen.path_prefix,
        fallback: listen.fallback,
        secret: if shows_secret { secret } else { MASKED },
    };
    let back_end =
        if listen.path_prefix.is_empty() { blocks.back_end(&ways.back_end) } else { NO_PREFIX.to_owned() };
    json!({
        "laravel": blocks.laravel(ways, LaravelDriver::Pusher),
        "reverb": blocks.laravel(ways, LaravelDriver::Reverb),
        "pusher_js": blocks.pusher_js(ways),
        "echo": blocks.echo(ways),
        "backend": back_end,
    })
}

impl Place {
    /// The addresses: where the request names no other, the ports of the listeners, under the name by which the operator
    /// has reached the server. Loopback is the name of nothing, a proxy's name is not that of clients: then the name in the
    /// certificate, or else the listener's address, or a placeholder. With the names of what has a placeholder.
    fn ways(&self, state: &State, app: &App, way_in: &WayIn) -> (Ways, Vec<&'static str>) {
        let PublicAddresses { plain, over_tls } = state.addresses();
        let is_named = over_tls.as_ref().is_some_and(|listener| listener.host.is_some());
        let reached = match way_in {
            WayIn::Near => None,
            WayIn::By(host) => Some(host.as_str()),
            WayIn::Proxied if is_named => None,
            WayIn::Proxied => return self.behind_a_proxy(),
        };
        let host = self.host.as_deref().or(reached);
        if let Self { host: None, port: None, tls: None } = self {
            let mut ways = Ways::to(app, plain, over_tls.as_ref());
            if let Some(host) = host {
                host.clone_into(&mut ways.back_end.host);
                if !ways.needs_proxy {
                    host.clone_into(&mut ways.browser.host);
                }
            }
            let fill_in = if ways.needs_proxy { vec!["host", "port"] } else { Vec::new() };
            return (ways, fill_in);
        }
        let tls = self.tls.unwrap_or(over_tls.is_some() || app.force_tls);
        let own = if tls { over_tls.as_ref().map(OverTls::url) } else { Some(ServerUrl::near(plain)) };
        let port = self.port.unwrap_or_else(|| own.as_ref().map_or(HTTPS, |own| own.port));
        let near = || own.map_or_else(|| ServerUrl::near(plain).host, |own| own.host);
        let way = ServerUrl { tls, host: host.map_or_else(near, str::to_owned), port };
        (Ways::through(way), Vec::new())
    }

    /// The address of a proxy that the server does not know, with placeholders for what is not given.
    fn behind_a_proxy(&self) -> (Ways, Vec<&'static str>) {
        let tls = self.tls.unwrap_or(true);
        let host = self.host.clone().unwrap_or_else(|| SOME_PROXY.to_owned());
        let port = self.port.unwrap_or(if tls { HTTPS } else { HTTP });
        let names = [("host", self.host.is_none()), ("port", self.port.is_none())];
        let unknown = names.into_iter().filter(|(_, is_unknown)| *is_unknown).map(|(name, _)| name);
        (Ways::through(ServerUrl { tls, host, port }), unknown.collect())
    }
}
