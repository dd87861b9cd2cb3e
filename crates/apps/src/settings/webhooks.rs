//! The setting `webhooks` of an app: the URLs that receive events of its channels.
//!
//! Owns which webhooks are legal. Does not restrict the target of a URL: the node does that when it connects.

use fanfare_protocol::webhook::{Kind, Kinds, Webhook};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::authorization::is_http_url;
use super::fault::{MOST_CHANNEL_PREFIXES, MOST_WEBHOOKS, SettingFault, WebhookFault};

/// The settings of one webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    /// URL of the requests; required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Wanted events, by the names of [`Kind`]; required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// Several events may share one request (HOOK-002). Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<bool>,
    /// Prefixes of the wanted channels. Default: all channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_prefixes: Option<Vec<String>>,
    /// Off: nothing is sent. Default: on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Requests that were not delivered at the first attempt are kept in the database. Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durable: Option<bool>,
}

/// Whether the texts may be the prefixes of a webhook's channels.
#[must_use]
pub fn are_channel_prefixes(texts: &[&str]) -> bool {
    texts.len() <= MOST_CHANNEL_PREFIXES && texts.iter().all(|text| is_channel_prefix(text))
}

fn is_channel_prefix(text: &str) -> bool {
    (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

impl WebhookSettings {
    /// The names of a webhook's settings.
    pub const NAMES: [&'static str; 6] = ["url", "events", "batch", "channel_prefixes", "enabled", "durable"];

    fn faults(&self) -> Vec<WebhookFault> {
        let mut faults = Vec::new();
        match &self.url {
            None => faults.push(WebhookFault::NoUrl),
            Some(url) if !is_http_url(url) => faults.push(WebhookFault::Url(url.clone())),
            Some(_) => {}
        }
        let events = self.events.as_deref().unwrap_or_default();
        if events.is_empty() {
            faults.push(WebhookFault::NoEvents);
        }
        let unknown = events.iter().filter(|name| Kind::named(name).is_none());
        faults.extend(unknown.map(|name| WebhookFault::Event(name.clone())));
        let prefixes = self.channel_prefixes.as_deref().unwrap_or_default();
        if prefixes.len() > MOST_CHANNEL_PREFIXES {
            faults.push(WebhookFault::TooManyPrefixes(prefixes.len()));
        }
        let illegal = prefixes.iter().filter(|prefix| !is_channel_prefix(prefix));
        faults.extend(illegal.map(|prefix| WebhookFault::Prefix(prefix.clone())));
        faults
    }

    fn resolve(self) -> Option<Webhook> {
        let events = self.events.unwrap_or_default();
        Some(Webhook {
            url: self.url?,
            events: events.iter().filter_map(|name| Kind::named(name)).collect::<Kinds>(),
            channel_prefixes: self.channel_prefixes.unwrap_or_default(),
            batch: self.batch.unwrap_or(false),
            enabled: self.enabled.unwrap_or(true),
            durable: self.durable.unwrap_or(false),
        })
    }
}

/// Every illegal value of the list.
pub(super) fn faults(all: &[WebhookSettings]) -> Vec<SettingFault> {
    let mut faults = Vec::new();
    if all.len() > MOST_WEBHOOKS {
        faults.push(SettingFault::TooManyWebhooks(all.len()));
    }
    for (at, webhook) in all.iter().enumerate() {
        let same = all[..at].iter().position(|other| other.url.is_some() && other.url == webhook.url);
        let same = same.map(|other| WebhookFault::SameUrl(other + 1));
        let own = webhook.faults().into_iter().chain(same);
        faults.extend(own.map(|fault| SettingFault::Webhook { number: at + 1, fault }));
    }
    faults
}

/// The list with every setting resolved.
pub(super) fn resolve(all: Vec<WebhookSettings>) -> Vec<Webhook> {
    all.into_iter().filter_map(WebhookSettings::resolve).collect()
}

/// A JSON value as a list of webhooks. An item that cannot be a webhook adds a fault, and is replaced by a legal
/// item, so that the other items can be checked, too.
pub(super) fn as_far_as_legal(
    value: &Value,
    unknown: impl Fn(&str) -> String,
    faults: &mut Vec<String>,
) -> Value {
    let Value::Array(items) = value else {
        faults.push(r#"webhooks: give a list such as [{"url": "https://example.com/webhooks", "events": ["presence"]}]"#.to_owned());
        return json!([]);
    };
    let mut list = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let number = at + 1;
        let stand_in = json!({"url": format!("http://{number}.invalid/"), "events": [Kind::Presence.name()]});
        let Value::Object(fields) = item else {
            faults.push(format!("webhooks[{number}] is not an object"));
            list.push(stand_in);
            continue;
        };
        let mut kept = Map::new();
        for (name, value) in fields {
            let key = format!("webhooks[{number}].{name}");
            let fault = if WebhookSettings::NAMES.contains(&&**name) {
                fault_alone(name, value).map(|fault| format!("{key}: {fault}"))
            } else {
                Some(unknown(&key))
            };
            let legal = if fault.is_none() { Some(value) } else { stand_in.get(name) };
            kept.extend(legal.map(|legal| (name.clone(), legal.clone())));
            faults.extend(fault);
        }
        list.push(Value::Object(kept));
    }
    Value::Array(list)
}

/// The fault of a value that is not of the setting's type.
fn fault_alone(name: &str, value: &Value) -> Option<serde_json::Error> {
    serde_json::from_value::<WebhookSettings>(json!({ name: value })).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: Value) -> Vec<WebhookSettings> {
        serde_json::from_value(json).unwrap()
    }

    fn told(json: Value) -> Vec<String> {
        faults(&of(json)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_webhook_has_a_url_and_events_and_the_rest_has_defaults() {
        let all = of(json!([{"url": "https://example.com/hook?a=b", "events": ["presence", "cache_miss"]}]));
        assert_eq!(faults(&all), []);
        let [webhook] = &resolve(all)[..] else { panic!("one webhook") };
        assert_eq!(webhook.events.each().collect::<Vec<_>>(), [Kind::Presence, Kind::CacheMiss]);
        assert!(webhook.enabled && !webhook.batch && !webhook.durable && webhook.channel_prefixes.is_empty());
    }

    #[test]
    fn every_fault_is_told_with_the_number_of_its_webhook() {
        let found = told(json!([
            {"url": "http://a/", "events": ["presence"]},
            {"url": "http://a/", "events": []},
            {"events": ["channel_occupied"], "channel_prefixes": ["", "shop-"]},
            {"url": "http://user:pass@a/", "events": ["presence"], "channel_prefixes": vec!["a"; 21]},
        ]));
        let all = "channel_existence (channel_occupied, channel_vacated), presence (member_added, member_removed), \
                   client_events, cache_miss, subscription_count, users (user_online, user_offline)";
        assert_eq!(
            found,
            [
                &*format!("webhooks[2] has no events; name some of {all}"),
                "webhooks[2].url is that of webhooks[1] already; put their events together",
                "webhooks[3] has no url",
                &format!("webhooks[3].events holds \"channel_occupied\"; there are {all}"),
                "webhooks[3].channel_prefixes holds \"\"; give 1 to 200 characters without control characters",
                "webhooks[4].url holds \"http://user:pass@a/\"; give a URL such as \
                 https://example.com/webhooks, without a user or password in it",
                "webhooks[4].channel_prefixes holds 21; there may be 20",
            ]
        );
    }

    #[test]
    fn an_app_has_ten_webhooks_at_most() {
        let webhook = |number| json!({"url": format!("http://a/{number}"), "events": ["presence"]});
        assert_eq!(told((0..10).map(webhook).collect()), [""; 0]);
        assert_eq!(told((0..11).map(webhook).collect()), ["webhooks holds 11; there may be 10"]);
    }
}
