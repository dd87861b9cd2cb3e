//! Lines to paste for an app's clients and back ends: `GET /v1/apps/{id}/connect` (CON-053).
//!
//! Made of the same blocks as those of the first run. The secret is for the scope `secrets`, and to look leaves an entry in the audit
//! log.

use std::net::IpAddr;

use fanfare_apps::AuditAction;
use fanfare_config::ServerUrl;
use fanfare_protocol::app::App;
use hyper::header::{HOST, HeaderMap};
use serde_json::json;

use super::asked::{Asked, ok};
use super::events;
use super::host;
use super::problem::Problem;
use crate::http::Answer;
use crate::http::given::Given;
use crate::laravel_lines::LaravelDriver;
use crate::paste_lines::{OverTls, PasteBlocks, Ways};
use crate::state::{PublicAddresses, State};

/// The port of a proxy that does TLS.
const HTTPS: u16 = 443;

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
/// There is no such app, the query has faults, or a look at the secret cannot be noted.
pub(super) async fn lines(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut given = Given::of(&asked.query, &["host", "port", "tls", "secrets"]);
    let switch = [("true", true), ("false", false)];
    let place = Place {
        host: given
            .parsed("host", "a host name or an address", |text| is_host(text).then(|| text.to_owned())),
        port: given
            .parsed("port", "a port from 1 to 65535", |text| text.parse().ok().filter(|port| *port > 0)),
        tls: given.of_these("tls", &switch),
    };
    let shows_secret = given.of_these("secrets", &switch).unwrap_or_default();
    given.end()?;
    let app = events::app(state, asked).await?;
    if shows_secret {
        let key = app.credentials.first().map(|credential| credential.key.as_str());
        let entry = asked.entry(app.id.as_str(), AuditAction::SecretShow).with_keys(key.into_iter());
        asked.note_first(&state.node.apps, &entry).await?;
    }
    let listen = &state.node.config.listen;
    let secret = app.credentials.first().map_or("", |credential| credential.secret.expose());
    let blocks = PasteBlocks {
        app: &app,
        path_prefix: &listen.path_prefix,
        fallback: listen.fallback,
        secret: if shows_secret { secret } else { MASKED },
    };
    let ways = place.ways(state, &app, asked.reached.as_deref());
    let back_end =
        if listen.path_prefix.is_empty() { blocks.back_end(&ways.back_end) } else { NO_PREFIX.to_owned() };
    Ok(ok(&json!({
        "laravel": blocks.laravel(&ways, LaravelDriver::Pusher),
        "pusher_js": blocks.pusher_js(&ways),
        "echo": blocks.echo(&ways),
        "backend": back_end,
    })))
}

impl Place {
    /// The addresses: where the request names no other, the ports of the listeners, under the name by which the operator
    /// has reached the server. Loopback is the name of nothing: then the name in the certificate, or the listener's address.
    fn ways(&self, state: &State, app: &App, reached: Option<&str>) -> Ways {
        let PublicAddresses { plain, over_tls } = state.addresses();
        let host = self.host.as_deref().or(reached);
        if let Self { host: None, port: None, tls: None } = self {
            let mut ways = Ways::to(app, plain, over_tls.as_ref());
            if let Some(host) = host {
                host.clone_into(&mut ways.back_end.host);
                if !ways.needs_proxy {
                    host.clone_into(&mut ways.browser.host);
                }
            }
            return ways;
        }
        let tls = self.tls.unwrap_or(over_tls.is_some() || app.force_tls);
        let own = if tls { over_tls.as_ref().map(OverTls::url) } else { Some(ServerUrl::near(plain)) };
        let port = self.port.unwrap_or_else(|| own.as_ref().map_or(HTTPS, |own| own.port));
        let near = || own.map_or_else(|| ServerUrl::near(plain).host, |own| own.host);
        let way = ServerUrl { tls, host: host.map_or_else(near, str::to_owned), port };
        Ways { back_end: way.clone(), browser: way, needs_proxy: false }
    }
}

/// The host that an operator has named in the request, if other machines can reach the server by it.
pub(super) fn reached_by(headers: &HeaderMap) -> Option<String> {
    let host = host::without_port(headers.get(HOST)?.to_str().ok()?);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = match bare.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback() || address.is_unspecified(),
        Err(_) => host.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    };
    (!is_loopback && !host.is_empty() && is_host(host)).then(|| host.to_owned())
}

/// Whether the text can be nothing but a host: lines with the text are pasted into programs.
fn is_host(text: &str) -> bool {
    text.len() <= 255 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:[]".contains(&b))
}
