//! `[[apps.list.webhooks]]`: the webhooks of an app in the file, each a table with a line of its own.
//!
//! Checks the list as a whole; the value of each key is checked as for any other key.

use fanfare_apps::{MOST_WEBHOOKS, WebhookFault};

use toml::Value;

use super::effective::Effective;
use super::fault::{Cause, Fault, Origin};
use super::given::{Given, GivenApp};

/// The beginning of webhooks' keys.
const NAME: &str = "webhooks";

/// The key of a webhook's setting, such as `webhooks[2].url`; `number` counts from 1.
pub(super) fn key(number: usize, setting: &str) -> String {
    format!("{NAME}[{number}].{setting}")
}

/// Whether a key of an app is the list of its webhooks.
pub(super) fn is_list(key: &str) -> bool {
    key == NAME
}

/// A key in the form of the list of keys, such as `webhooks.url`, and the number of the webhook.
pub(super) fn without_number(key: &str) -> Option<(String, usize)> {
    let (number, setting) = key.strip_prefix(NAME)?.strip_prefix('[')?.split_once("].")?;
    Some((format!("{NAME}.{setting}"), number.parse().ok()?))
}

/// Reports webhooks whose requests are to be kept in a database that there is none of.
pub(super) fn check_durable(apps: &[GivenApp], effective: &Effective, faults: &mut Vec<Fault>) {
    let database = "apps.database";
    if !effective.text(database).is_empty() || effective.is_faulty(database) {
        return;
    }
    for app in apps {
        let is_durable = |given: &&Given| {
            let name = without_number(&given.key).map(|(listed, _)| listed);
            name.as_deref() == Some("webhooks.durable") && given.value == Value::Boolean(true)
        };
        faults.extend(app.settings.iter().filter(is_durable).map(|given| Fault {
            place: given.place.clone(),
            cause: Cause::NowhereToKeep { key: format!("{}.{}", app.name, given.key) },
        }));
    }
}

/// Reports missing settings and too many webhooks; `places` are the places of the webhooks.
pub(super) fn check(app: &str, places: &[Origin], settings: &[Given], faults: &mut Vec<Fault>) {
    let mut fault = |place: &Origin, text: String| {
        let cause = Cause::Webhook { text: format!("{app}.{text}") };
        faults.push(Fault { place: place.clone(), cause });
    };
    if let Some(place) = places.get(MOST_WEBHOOKS) {
        fault(place, format!("{NAME} holds {}; there may be {MOST_WEBHOOKS}", places.len()));
    }
    let value = |number: usize, setting: &str| {
        settings.iter().find(|given| given.key == key(number, setting)).map(|given| &given.value)
    };
    for (at, place) in places.iter().enumerate() {
        let number = at + 1;
        let url = value(number, "url");
        let same = (1..number).find(|other| url.is_some() && value(*other, "url") == url);
        let found = [
            url.is_none().then_some(WebhookFault::NoUrl),
            value(number, "events").is_none().then_some(WebhookFault::NoEvents),
            same.map(WebhookFault::SameUrl),
        ];
        for one in found.into_iter().flatten() {
            fault(place, format!("{NAME}[{number}]{one}"));
        }
    }
}
