//! The options of Socket.IO and Engine.IO: `socketio`.

use std::ops::RangeInclusive;

use toml::Value as Setting;

use super::options::{Found, Options, in_words, kind_in_words, number_of, text_of};
use super::takeover::Takeover;
use crate::keys::most_of_node;

/// The path that Fanfare serves, behind `listen.path_prefix`.
const PATH: &str = "/socket.io";

/// The default of `limits.message_bytes`, and of `limits.request_bytes`: smaller options change nothing.
const MESSAGE_BYTES: usize = 32_768;
const REQUEST_BYTES: usize = 1_048_576;

/// The times that `socketio.ping_interval` and `socketio.ping_timeout` may be.
const SECONDS: RangeInclusive<u64> = 1..=3600;

/// Options that Fanfare needs nothing of, with the reason.
const NOT_NEEDED: [(&str, &str); 14] = [
    ("transports", "both are served, and each page takes those that it names"),
    ("cookie", "no cookie is set"),
    ("cookieHttpOnly", "no cookie is set"),
    ("cookiePath", "no cookie is set"),
    ("serveClient", "the client script is at /socket.io/socket.io.js"),
    ("perMessageDeflate", "messages are not compressed"),
    ("httpCompression", "a proxy in front can compress answers"),
    ("allowUpgrades", "each page upgrades if it wants to"),
    ("upgradeTimeout", "a page has ten seconds"),
    ("destroyUpgrade", "other upgrades are refused"),
    ("destroyUpgradeTimeout", "other upgrades are refused"),
    ("wsEngine", "Fanfare has one of its own"),
    ("allowEIO3", "both versions are spoken"),
    ("cors", "every origin may connect; socketio.origins restricts them"),
];

/// The options that are taken over.
const USED: [&str; 5] = ["path", "pingInterval", "pingTimeout", "maxHttpBufferSize", "origins"];

/// Takes over path, times, sizes and origins.
pub(super) fn take(options: &Options, takeover: &mut Takeover) {
    let of = |name: &str| options.filled(&format!("socketio.{name}"));
    if let Some(found) = of("path") {
        path(found, takeover);
    }
    for (name, setting) in
        [("pingInterval", "socketio.ping_interval"), ("pingTimeout", "socketio.ping_timeout")]
    {
        if let Some(found) = of(name) {
            time(found, setting, takeover);
        }
    }
    if let Some(found) = of("maxHttpBufferSize") {
        size(found, takeover);
    }
    if let Some(found) = of("origins") {
        origins(found, takeover);
    }
    for name in options.below("socketio").iter().filter(|name| !USED.contains(&name.as_str())) {
        let said = format!("socketio.{name}");
        match NOT_NEEDED.iter().find(|(known, _)| known == name) {
            Some((_, reason)) => takeover.not_needed(&said, reason),
            None => takeover.unknown(&said, USED.into_iter().chain(NOT_NEEDED.map(|(known, _)| known))),
        }
    }
}

/// A path that ends in `/socket.io` is behind a prefix; no other is served.
fn path(found: Found, takeover: &mut Takeover) {
    let Some(path) = found.value.as_str() else {
        return takeover.wrong(found.place, "a path", &in_words(&found.value));
    };
    match path.trim_end_matches('/').strip_suffix(PATH) {
        Some("") => takeover.not_needed(&found.said, "/socket.io is the default"),
        Some(prefix) => takeover.set(("listen.path_prefix", prefix), found.place, found.said),
        None => {
            let remedy = "the path must end in /socket.io; a proxy in front can rewrite it";
            takeover.unsupported(&found.said, remedy);
        }
    }
}

/// Milliseconds become whole seconds, rounded up.
fn time(found: Found, setting: &str, takeover: &mut Takeover) {
    let seconds = number_of(&found.value).map(|count| count.div_ceil(1000));
    match seconds.filter(|seconds| SECONDS.contains(seconds)).and_then(|seconds| i64::try_from(seconds).ok())
    {
        Some(seconds) => takeover.set((setting, seconds), found.place, found.said),
        None => takeover.wrong(
            found.place,
            "a number of milliseconds, at most an hour (3600000)",
            &in_words(&found.value),
        ),
    }
}

/// Values that are larger than the defaults are taken over, as far as they are legal: a size beyond means "large".
fn size(found: Found, takeover: &mut Takeover) {
    let Some(bytes) = number_of(&found.value) else {
        return takeover.wrong(found.place, "a number of bytes", &in_words(&found.value));
    };
    let given = usize::try_from(bytes).unwrap_or(usize::MAX);
    for (setting, default) in
        [("limits.request_bytes", REQUEST_BYTES), ("limits.message_bytes", MESSAGE_BYTES)]
    {
        if given <= default {
            continue;
        }
        let legal = given.min(most_of_node(setting).unwrap_or(default));
        if legal < given {
            takeover.different.push(format!("{}: {setting} is {legal}, its largest value", found.said));
        }
        let legal = i64::try_from(legal).unwrap_or(i64::MAX);
        takeover.set((setting, legal), found.place.clone(), found.said.clone());
    }
    if given <= MESSAGE_BYTES {
        takeover.not_needed(&found.said, "limits.message_bytes is larger");
    }
}

/// Hosts with ports, parted by spaces or in a list; the port does not count in Fanfare.
fn origins(found: Found, takeover: &mut Takeover) {
    let texts: Option<Vec<String>> = match &found.value {
        serde_json::Value::Array(list) => list.iter().map(text_of).collect(),
        other => text_of(other).map(|text| text.split_whitespace().map(str::to_owned).collect()),
    };
    let Some(texts) = texts else {
        return takeover.wrong(found.place, "a text or a list of texts", kind_in_words(&found.value));
    };
    let hosts: Vec<String> = texts.iter().map(|text| host_of(text)).collect();
    if hosts.is_empty() || hosts.iter().any(|host| host == "*") {
        return takeover.not_needed(&found.said, "every origin may connect");
    }
    let hosts = Setting::Array(hosts.into_iter().map(Setting::String).collect());
    takeover.set_app(("allowed_origins", hosts), found.place, found.said);
}

/// The host of an origin, without scheme, port and path.
fn host_of(origin: &str) -> String {
    let host = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or(host);
    match host.rsplit_once(':') {
        Some((name, _)) if !name.contains(':') || name.ends_with(']') => name.to_owned(),
        _ => host.to_owned(),
    }
}
