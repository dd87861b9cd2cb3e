//! The Redis of a laravel-echo-server: `databaseConfig.redis`, options of ioredis.
//!
//! A URL is made of them; a password leaves only in the URL. The prefix is [`prefix`](super::prefix)'s.

use std::path::Path;

use fanfare_redis::RedisAddress;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::api;
use super::options::{Found, Options, in_words, is_on, kind_in_words, number_of, text_of};
use super::prefix;
use super::takeover::Takeover;
use crate::fault::Origin;

const REDIS: &str = "databaseConfig.redis";

/// ioredis' default host; its default port is Redis' own.
const HOST: &str = "127.0.0.1";

/// Options that make the URL and the prefix.
const USED: [&str; 10] = [
    "host",
    "port",
    "username",
    "password",
    "keyPrefix",
    "sentinels",
    "name",
    "sentinelPassword",
    "tls",
    "path",
];

/// Options of ioredis about how it connects and what it sends.
const OF_IOREDIS: [&str; 27] = [
    "autoResendUnfulfilledCommands",
    "autoResubscribe",
    "commandTimeout",
    "connectTimeout",
    "connectionName",
    "disconnectTimeout",
    "dropBufferSupport",
    "enableAutoPipelining",
    "enableOfflineQueue",
    "enableReadyCheck",
    "enableTLSForSentinelMode",
    "family",
    "keepAlive",
    "lazyConnect",
    "maxRetriesPerRequest",
    "noDelay",
    "parser",
    "preferredSlaves",
    "readOnly",
    "reconnectOnError",
    "retryStrategy",
    "role",
    "sentinelMaxConnections",
    "sentinelRetryStrategy",
    "sentinelTLS",
    "showFriendlyErrorStack",
    "stringNumbers",
];

/// Takes over the Redis of broadcasts, and its prefix.
pub(super) fn take(options: &Options, takeover: &mut Takeover) {
    if let Some(found) = options.get("databaseConfig.publishPresence") {
        match is_on(&found.value) {
            true => takeover.unsupported(&found.said, "the lists of members are not published in Redis"),
            false => takeover.not_needed(&found.said, "off is all there is"),
        }
    }
    if !api::has_subscriber(options, "redis") {
        if let Some(found) = options.get(REDIS) {
            takeover.not_needed(&found.said, "subscribers has no redis, so that nothing is read from it");
        }
        return;
    }
    let place = options.place(REDIS);
    if let Some(found) = options.get(REDIS) {
        match &found.value {
            Value::Object(_) => {}
            // ioredis takes a URL as well.
            Value::String(url) => takeover.set(("redis_feed.url", &**url), found.place, REDIS),
            other => return takeover.wrong(found.place, "an object", kind_in_words(other)),
        }
    }
    let is_url = options.get(REDIS).is_some_and(|found| found.value.is_string());
    let of = |name: &str| options.filled(&format!("{REDIS}.{name}"));
    if let Some(found) = of("path") {
        takeover
            .unsupported(&found.said, "a socket of this machine; set redis_feed.url to redis://HOST:PORT");
    } else if !is_url && let Some((url, said)) = url(&options.path, &of, takeover) {
        takeover.set(("redis_feed.url", url), place, said);
    }
    prefix::take(options, takeover);
    others(options, takeover);
}

/// The URL of the options, and their names.
fn url(path: &Path, of: &dyn Fn(&str) -> Option<Found>, takeover: &mut Takeover) -> Option<(String, String)> {
    let mut used = Vec::new();
    let [user, password, host, port, master] = texts(of, &mut used, takeover);
    let found = of("sentinels");
    let encoded = |part: &str| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string();
    let log_in = match &password {
        Some(password) => format!("{}:{}@", encoded(&user.unwrap_or_default()), encoded(password)),
        None => String::new(),
    };
    // Beside sentinels nobody reads host and port.
    if found.is_none() && !is_place(of, takeover) {
        return None;
    }
    let tls = of("tls").filter(|found| found.value.is_object() || is_on(&found.value));
    let scheme = if tls.is_some() { "rediss" } else { "redis" };
    used.extend(tls.map(|found| found.said));
    let place = match found {
        Some(found) => {
            used.push(found.said);
            let Some(hosts) = sentinels(&found.value) else {
                takeover.wrong(
                    found.place,
                    "a list of objects with host and port",
                    kind_in_words(&found.value),
                );
                return None;
            };
            let Some(master) = master else {
                let place = Origin::Option { path: path.to_owned(), key: format!("{REDIS}.name") };
                takeover.wrong(place, "the name of the master, because sentinels are given", "nothing");
                return None;
            };
            format!("{scheme}+sentinel://{log_in}{hosts}/{master}")
        }
        None => {
            let host = bracketed(host.as_deref().unwrap_or(HOST));
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("{scheme}://{log_in}{host}{port}")
        }
    };
    let said = match used.is_empty() {
        true => "the default of laravel-echo-server".to_owned(),
        false => used.join(", "),
    };
    Some((place, said))
}

/// Whether host and port are legal; a fault is told of each that is a text or a number, in the words of the file.
fn is_place(of: &dyn Fn(&str) -> Option<Found>, takeover: &mut Takeover) -> bool {
    let before = takeover.faults.len();
    if let Some(found) = of("host")
        && let Some(host) = found.value.as_str()
        && RedisAddress::parse(&format!("redis://{}", bracketed(host))).is_err()
    {
        takeover.wrong(found.place, "the name or the IP address of a host", &in_words(&found.value));
    }
    if let Some(found) = of("port")
        && text_of(&found.value).is_some()
        && !number_of(&found.value).is_some_and(|port| (1..=65_535).contains(&port))
    {
        takeover.wrong(found.place, "a port from 1 to 65535", &in_words(&found.value));
    }
    takeover.faults.len() == before
}

/// User, password, host, port and name; those that make a part of the URL are noted as used.
fn texts(
    of: &dyn Fn(&str) -> Option<Found>,
    used: &mut Vec<String>,
    takeover: &mut Takeover,
) -> [Option<String>; 5] {
    let mut text = |name: &str| {
        let found = of(name)?;
        let text = text_of(&found.value);
        if text.is_none() {
            takeover.wrong(found.place, "a text", kind_in_words(&found.value));
        }
        Some((text?, found.said))
    };
    let [user, password, host, port, master] =
        ["username", "password", "host", "port", "name"].map(&mut text);
    let (has_password, has_sentinels) = (password.is_some(), of("sentinels").is_some());
    for (part, is_used, reason) in [
        (&user, has_password, "ioredis logs in with a password alone"),
        (&password, true, ""),
        (&host, !has_sentinels, "the Sentinels are asked where the Redis is"),
        (&port, !has_sentinels, "the Sentinels are asked where the Redis is"),
        (&master, has_sentinels, "there are no Sentinels"),
    ] {
        match part {
            Some((_, said)) if is_used => used.push(said.clone()),
            Some((_, said)) => takeover.not_needed(said, reason),
            None => {}
        }
    }
    [user, password, host, port, master].map(|part| part.map(|(text, _)| text))
}

/// The hosts of Sentinels, with commas between them.
fn sentinels(list: &Value) -> Option<String> {
    let host = |sentinel: &Value| {
        let host = bracketed(sentinel.get("host")?.as_str()?);
        let port = sentinel.get("port").and_then(number_of);
        Some(port.map_or_else(|| host.clone(), |port| format!("{host}:{port}")))
    };
    let hosts: Option<Vec<String>> = list.as_array()?.iter().map(host).collect();
    hosts.map(|hosts| hosts.join(","))
}

fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

/// The options that make no URL.
fn others(options: &Options, takeover: &mut Takeover) {
    let value = |name: &str| options.filled(&format!("{REDIS}.{name}"));
    if let Some(found) = value("sentinelPassword")
        && value("password").is_none_or(|password| password.value != found.value)
    {
        takeover.unsupported(&found.said, "Sentinels that want a password get that of their Redis");
    }
    for name in options.below(&format!("{REDIS}.tls")) {
        let remedy = match &*name {
            "ca" => "put the authority into a file, and set redis_feed.ca_file to its path",
            "rejectUnauthorized" => {
                "certificates are checked always; redis_feed.ca_file names an authority to trust"
            }
            _ => "Fanfare speaks TLS 1.2 and 1.3 with the host's name and without a certificate of its own",
        };
        takeover.unsupported(&format!("{REDIS}.tls.{name}"), remedy);
    }
    for name in options.below(REDIS).iter().filter(|name| !USED.contains(&name.as_str())) {
        let said = format!("{REDIS}.{name}");
        match &**name {
            "db" => takeover.not_needed(&said, "published messages know no database"),
            "natMap" => {
                takeover.unsupported(&said, "Sentinels must name addresses that this machine reaches")
            }
            name if OF_IOREDIS.contains(&name) => {
                takeover.not_needed(&said, "Fanfare connects, and connects again, in its own way");
            }
            _ => takeover.unknown(&said, USED.into_iter().chain(OF_IOREDIS)),
        }
    }
}
