//! `[socketio]`: the transport for pages made for laravel-echo-server, its app, and the clients of that server's HTTP API.
//!
//! Refuses an app that does not exist, and a client without a name or key. Never shows the key of a client.

use std::time::Duration;

use fanfare_protocol::auth::Secret;
use fanfare_protocol::ids::AppId;
use serde::Deserialize;

use super::apps::FixedApp;
use super::effective::Effective;
use super::fault::{Cause, Fault, Origin};
use super::given::{Given, GivenEntry};
use super::keys::{Keys, kind_of};

const APP: &str = "socketio.app";

/// The key of the list of clients.
pub(super) const CLIENTS: &str = "socketio.clients";

/// `[socketio]`.
#[derive(Clone, Debug)]
pub struct SocketIoSection {
    /// Whether Socket.IO is spoken at all (SIO-081).
    pub enabled: bool,
    /// The app at `/socket.io/` (SIO-080); `None`: clients there are refused. For the embedded database the start sets
    /// its first app here.
    pub app: Option<AppId>,
    /// Time from a ping to the next (SIO-032).
    pub ping_interval: Duration,
    /// How long the answer to a ping may take (SIO-032).
    pub ping_timeout: Duration,
    /// The origin whose pages may use the HTTP API of [`SocketIoSection::clients`]: empty for none, `*` for all.
    pub api_origin: String,
    /// The clients of laravel-echo-server's HTTP API (SIO-082); without a client the API is off.
    pub clients: Vec<EchoClient>,
}

/// A back end that uses laravel-echo-server's HTTP API (SIO-082).
#[derive(Clone, Debug)]
pub struct EchoClient {
    /// The name in the path of its requests; not the id of an app.
    pub app_id: String,
    key: Secret,
    /// The place of the client in its source.
    pub(super) place: Origin,
}

/// The settings whose values are plain.
#[derive(Deserialize)]
struct Plain {
    enabled: bool,
    app: String,
    ping_interval: u64,
    ping_timeout: u64,
    api_origin: String,
}

impl EchoClient {
    /// What makes the client, wherever the client is written.
    pub(super) fn content(&self) -> (&str, &Secret) {
        (&self.app_id, &self.key)
    }
}

impl SocketIoSection {
    /// Whether a client is listed with this name and this key. Takes the same time for every key.
    #[must_use]
    pub fn admits(&self, app_id: &str, key: &str) -> bool {
        self.has_key(key, |client| client.app_id == app_id)
    }

    /// Whether a text is the key of a client, whatever the client's name. Takes the same time for every text.
    #[must_use]
    pub fn is_key(&self, text: &str) -> bool {
        self.has_key(text, |_| true)
    }

    fn has_key(&self, key: &str, is_asked: impl Fn(&EchoClient) -> bool) -> bool {
        const ANY: &[&[u8]] = &[b"key"];
        let signed = Secret::new(key).sign(ANY);
        let is_it = |client: &EchoClient| client.key.verify(ANY, &signed) & is_asked(client);
        self.clients.iter().fold(false, |found, client| found | is_it(client))
    }

    /// Whether the HTTP API of laravel-echo-server is open (SIO-082).
    #[must_use]
    pub fn has_api(&self) -> bool {
        self.enabled && !self.clients.is_empty()
    }
}

/// Reads the section, and checks it against the apps.
pub(super) fn read(
    effective: &Effective,
    clients: Vec<GivenEntry>,
    (fixed, keys): (&[FixedApp], &Keys),
    faults: &mut Vec<Fault>,
) -> SocketIoSection {
    let plain: Plain = effective.section("socketio");
    let only = match fixed {
        [only] => Some(only.app.id.clone()),
        _ => None,
    };
    let named = Some(&*plain.app).filter(|id| !id.is_empty()).map(AppId::from);
    if let Some(id) = &named {
        let has_database = !effective.text("apps.database").is_empty();
        let is_elsewhere = has_database || fixed.is_empty() || effective.is_faulty(APP);
        if !is_elsewhere && !fixed.iter().any(|fixed| fixed.app.id == *id) {
            let cause = Cause::NoSuchSocketIoApp(id.as_str().to_owned());
            faults.push(Fault { place: effective.get(APP).1.clone(), cause });
        }
    }
    let mut checked = Vec::new();
    for client in clients {
        let (place, name) = (client.place.clone(), client.name.clone());
        let Some(client) = check(client, keys, faults) else { continue };
        let owner = fixed.iter().find(|fixed| fixed.app.credential(client.key.expose()).is_some());
        if let Some(owner) = owner {
            let cause = Cause::PublicClientKey { client: name, app: owner.name.clone() };
            faults.push(Fault { place, cause });
        }
        checked.push(client);
    }
    SocketIoSection {
        enabled: plain.enabled,
        app: named.or(only),
        ping_interval: Duration::from_secs(plain.ping_interval),
        ping_timeout: Duration::from_secs(plain.ping_timeout),
        api_origin: plain.api_origin,
        clients: checked,
    }
}

/// Checks a client; `None` if anything is wrong.
fn check(given: GivenEntry, keys: &Keys, faults: &mut Vec<Fault>) -> Option<EchoClient> {
    let GivenEntry { place, name, settings } = given;
    let is_given = |key: &str| settings.iter().any(|given| given.key == key);
    let missing = ["app_id", "key"].into_iter().filter(|key| !is_given(key));
    faults.extend(missing.map(|key| Fault {
        place: place.clone(),
        cause: Cause::ClientIncomplete { client: name.clone(), key },
    }));
    let (mut app_id, mut secret) = (None, None);
    for Given { place, key, value } in settings {
        let shown = format!("{name}.{key}");
        let checked = match kind_of(&keys.client, &key) {
            Some(kind) => kind.check(&shown, value),
            None => Err(Cause::UnknownKey { key: shown, hint: keys.nearest_of_client(&key) }),
        };
        match checked {
            Ok(value) => {
                let slot = if key == "key" { &mut secret } else { &mut app_id };
                *slot = value.as_str().map(str::to_owned);
            }
            Err(cause) => faults.push(Fault { place, cause }),
        }
    }
    Some(EchoClient { app_id: app_id?, key: Secret::new(&secret?), place })
}
