//! The app that a laravel-echo-server's settings are for: the one that Socket.IO serves, or one that is made for them.

use std::path::Path;

use fanfare_protocol::auth::Secret;
use toml::Value;

use super::takeover::{Taken, Takeover};
use crate::effective::Effective;
use crate::fault::{Cause, Fault, Origin};
use crate::given::{Gathered, Given, GivenApp};

/// Id and key of the app that is made. The key is public, as that of every app.
const NAME: &str = "laravel-echo-server";

/// The least length of a client's key that a secret may be made from; `client:add` makes 32 characters.
const STRONG: usize = 20;

/// Limits of the made app, because laravel-echo-server has none; the largest with which the node's own limits need no change.
const LIMITS: [(&str, i64); 6] = [
    ("limits.channels_per_event", 10_000),
    ("limits.channel_name", 200),
    ("limits.event_bytes", 131_072),
    ("limits.members", 400),
    ("limits.client_event_bytes", 30_720),
    ("limits.client_events_per_second", 50),
];

/// Gives the settings to the app; returns whether an app was made for them.
pub(super) fn settle(
    file: &Path,
    takeover: &mut Takeover,
    effective: &Effective,
    gathered: &mut Gathered,
) -> bool {
    let mut settings = std::mem::take(&mut takeover.app);
    let place = Origin::File { path: file.to_owned(), line: 0, column: None };
    let given = |key: &str, value: Value| Given { place: place.clone(), key: key.to_owned(), value };
    let is_on = given("client_events", true.into());
    settings.push(Taken { given: is_on, said: "laravel-echo-server passes on whispers".to_owned() });
    let is_made = gathered.apps.is_empty() && effective.text("apps.database").is_empty();
    if is_made {
        let credentials = [
            ("id", NAME.to_owned()),
            ("key", NAME.to_owned()),
            ("secret", secret(effective, gathered, takeover)),
        ];
        let credentials = credentials.map(|(key, text)| given(key, text.into()));
        let name = "the app of laravel-echo-server".to_owned();
        gathered.apps.push(GivenApp {
            place: place.clone(),
            name,
            webhooks: Vec::new(),
            settings: credentials.to_vec(),
        });
        takeover.taken.push(format!("app {NAME}, made because no other is named"));
        let words = || "laravel-echo-server has no such limit".to_owned();
        settings.extend(LIMITS.map(|(key, most)| Taken { given: given(key, most.into()), said: words() }));
    }
    match app_of(effective, gathered) {
        Some(app) => fill(app, settings, takeover),
        None => {
            for Taken { given, said } in settings {
                takeover.warnings.push(format!(
                    "{said}: not taken over, because other sources name the apps, and not exactly one for Socket.IO: set \
                     {} = {} there",
                    given.key, given.value
                ));
            }
        }
    }
    is_made
}

/// The app that Socket.IO is for: the one that `socketio.app` names, or the only one.
fn app_of<'a>(effective: &Effective, gathered: &'a mut Gathered) -> Option<&'a mut GivenApp> {
    let id = |app: &GivenApp| {
        let id = app.settings.iter().find(|given| given.key == "id")?;
        id.value.as_str().map(str::to_owned)
    };
    let mut ids: Vec<String> = gathered.apps.iter().filter_map(id).collect();
    ids.dedup();
    let named = effective.text("socketio.app");
    let wanted = match &ids[..] {
        [only] if named.is_empty() => only.clone(),
        _ => named,
    };
    gathered.apps.iter_mut().find(|app| id(app).as_ref() == Some(&wanted))
}

/// Adds the settings that the app leaves out.
fn fill(app: &mut GivenApp, settings: Vec<Taken>, takeover: &mut Takeover) {
    for Taken { given, said } in settings {
        let (key, value) = (&given.key, &given.value);
        match app.settings.iter().find(|own| own.key == *key) {
            None => {
                takeover.taken.push(format!("{key} of the app = {value} ({said})"));
                takeover.of_app.push((key.clone(), said));
            }
            Some(own) => {
                takeover.taken.push(format!("{said}: not used, because {key} is set by {}", own.place));
                continue;
            }
        }
        app.settings.push(given);
    }
}

/// The secret of the made app: the same at each start and on each node if it can be made from a client's key, which may
/// publish as well; else random.
fn secret(effective: &Effective, gathered: &Gathered, takeover: &mut Takeover) -> String {
    let keys = gathered.clients.iter().flat_map(|client| &client.settings);
    let mut keys = keys.filter(|given| given.key == "key").filter_map(|given| given.value.as_str());
    if let Some(strong) = keys.find(|key| key.len() >= STRONG) {
        return Secret::new(strong).sign(&[b"the secret of the app of laravel-echo-server"]);
    }
    if effective.get("bus.urls").0.as_array().is_some_and(|urls| !urls.is_empty()) {
        takeover.warnings.push(
            "the secret of the app is random, and another on every node, which keeps pages with pusher-js from private \
             channels: set PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET, the same on all nodes"
                .to_owned(),
        );
    }
    takeover.has_random_secret = true;
    takeover.different.push(
        "the secret of the app is random at each start, because clients has no key of 20 letters to make it from: no back end \
         signs for that app, nor `fanfare send`; PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET name an app that does"
            .to_owned(),
    );
    let mut bytes = [0_u8; 32];
    if let Err(error) = getrandom::fill(&mut bytes) {
        takeover.faults.push(Fault { place: Origin::Default, cause: Cause::NoRandom(error.to_string()) });
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
