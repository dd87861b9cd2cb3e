//! The HTTP API of a laravel-echo-server: `clients`, `subscribers`, `apiOriginAllow` and `headers`.

use serde_json::Value;

use super::options::{Found, Options, in_words, is_on, kind_in_words, text_of};
use super::takeover::Takeover;
use crate::given::{Given, GivenEntry};

/// Takes over the clients of the API, and the origin of pages that use it.
pub(super) fn take(options: &Options, takeover: &mut Takeover) {
    if let Some(found) = options.get("subscribers").filter(|found| !found.value.is_object()) {
        takeover.wrong(found.place, "an object with http and redis", &in_words(&found.value));
    }
    for name in options.below("subscribers") {
        let said = format!("subscribers.{name}");
        match &*name {
            "redis" => takeover.not_needed(&said, "Redis is read where databaseConfig.redis is taken over"),
            "http" => takeover.not_needed(&said, "the HTTP API is open to the clients that are taken over"),
            _ => takeover.unknown(&said, ["redis", "http"].into_iter()),
        }
    }
    clients(options, takeover);
    origin(options, takeover);
    if let Some(found) = options.get("headers")
        && found.value.as_object().is_none_or(|headers| !headers.is_empty())
    {
        takeover.unsupported(&found.said, "a proxy in front can set them");
    }
}

/// Whether a source of events is on: all are, unless the file names some.
pub(super) fn has_subscriber(options: &Options, name: &str) -> bool {
    let of_object = |found: Found| found.value.get(name).is_some_and(is_on) || !found.value.is_object();
    options.get("subscribers").is_none_or(of_object)
}

fn clients(options: &Options, takeover: &mut Takeover) {
    let Some(found) = options.get("clients") else { return };
    let Value::Array(clients) = &found.value else {
        return takeover.wrong(
            found.place,
            "a list of objects with appId and key",
            kind_in_words(&found.value),
        );
    };
    if clients.is_empty() {
        return takeover.not_needed("clients", "empty: the HTTP API of laravel-echo-server is off");
    }
    if !has_subscriber(options, "http") {
        let reason = "subscribers has no http, so that its HTTP API is off, the queries too";
        return takeover.unsupported("clients", reason);
    }
    for (at, client) in clients.iter().enumerate() {
        let name = format!("clients[{at}]");
        let place = options.place(&name);
        let Value::Object(object) = client else {
            takeover.wrong(place, "an object with appId and key", kind_in_words(client));
            continue;
        };
        let mut settings = Vec::new();
        for (option, key) in [("appId", "app_id"), ("key", "key")] {
            // `client:add 12` stores a number.
            let text = object.get(option).and_then(text_of);
            let given =
                |text: String| Given { place: place.clone(), key: key.to_owned(), value: text.into() };
            settings.extend(text.map(given));
        }
        for option in object.keys().filter(|option| !matches!(option.as_str(), "appId" | "key")) {
            takeover.unknown(&format!("{name}.{option}"), ["appId", "key"].into_iter());
        }
        let app_id = object.get("appId").and_then(text_of).unwrap_or_default();
        takeover.taken.push(format!("socketio.clients: {app_id:?} ({name})"));
        takeover.clients.push(GivenEntry { place, name, settings });
    }
}

/// The origin whose pages may use the API.
fn origin(options: &Options, takeover: &mut Takeover) {
    const OPTION: &str = "apiOriginAllow";
    let Some(found) = options.get(OPTION) else { return };
    if !found.value.get("allowCors").is_some_and(is_on) {
        return takeover.not_needed(OPTION, "off, as it is here");
    }
    let key = format!("{OPTION}.allowOrigin");
    let Some(origin) = options.filled(&key) else {
        return takeover.unsupported(OPTION, "allowOrigin is empty, so that no page may use the HTTP API");
    };
    match origin.value.as_str() {
        Some(text) => {
            takeover.set(("socketio.api_origin", text.trim_end_matches('/')), origin.place, origin.said);
        }
        None => takeover.wrong(origin.place, "an origin", kind_in_words(&origin.value)),
    }
    for name in options.below(OPTION) {
        let said = format!("{OPTION}.{name}");
        match &*name {
            "allowCors" | "allowOrigin" => {}
            "allowMethods" => takeover.not_needed(&said, "GET and POST are allowed"),
            "allowHeaders" => takeover.not_needed(&said, "the headers that a page asks for are allowed"),
            _ => takeover
                .unknown(&said, ["allowCors", "allowOrigin", "allowMethods", "allowHeaders"].into_iter()),
        }
    }
}
