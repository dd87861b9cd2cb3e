//! Every key, with its legal values.
//!
//! The single list: a key that is missing here is unknown. A test compares the list with
//! `config/default.toml`.

use fanfare_apps::{LIMIT_RANGES, SettingValue, TimeUnit, named_settings, nearest, unset_app};

use super::fault::Hint;

/// The values that a key may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    Count {
        least: usize,
        most: usize,
    },
    /// A time; a bare number is in the unit, and so are the bounds.
    Time {
        unit: TimeUnit,
        least: usize,
        most: usize,
    },
    Switch,
    Address,
    AddressOrNone,
    /// The path of a Unix-domain socket, or nothing.
    SocketPath,
    /// The permissions of a file, in octal.
    Permissions,
    Networks,
    HostNames,
    MailAddresses,
    Prefix,
    Choice(&'static [&'static str]),
    Filter,
    Directory,
    File,
    Database,
    AppId,
    AppKey,
    AppSecret,
    Origins,
    WebUrl,
    WebOrigins,
    Headers,
    Rule,
    HookUrl,
    HookEvents,
    ChannelPrefixes,
    RedisUrl,
    RedisUrls,
    FeedPrefix,
    /// An app's id, or nothing.
    AppChoice,
    PowerOfTwo {
        most: usize,
    },
    BusPrefix,
    NodeName,
    /// The name of a client of laravel-echo-server's HTTP API.
    ClientName,
    /// The key of such a client, a secret.
    ClientKey,
    /// The origin of a page, `*` for every origin, or nothing.
    OriginOrAll,
    /// The URL of a collector of OpenTelemetry, or nothing.
    CollectorUrl,
    /// The name of a service, as collectors show it.
    ServiceName,
}

const fn count(least: usize, most: usize) -> ValueKind {
    ValueKind::Count { least, most }
}

const fn seconds(least: usize, most: usize) -> ValueKind {
    ValueKind::Time { unit: TimeUnit::Seconds, least, most }
}

const fn milliseconds(least: usize, most: usize) -> ValueKind {
    ValueKind::Time { unit: TimeUnit::Milliseconds, least, most }
}

/// Longest of all times, in seconds: one day.
const DAY: usize = 86_400;

/// The keys of the node, section by section.
const NODE: &[(&str, ValueKind)] = &[
    ("listen.addr", ValueKind::Address),
    ("listen.unix_path", ValueKind::SocketPath),
    ("listen.unix_mode", ValueKind::Permissions),
    ("listen.admin_addr", ValueKind::Address),
    ("listen.overlap", ValueKind::Switch),
    ("listen.admin_hosts", ValueKind::HostNames),
    ("listen.path_prefix", ValueKind::Prefix),
    ("listen.trusted_proxies", ValueKind::Networks),
    ("listen.proxy_protocol", ValueKind::Switch),
    ("listen.version_required", ValueKind::Switch),
    ("listen.fallback", ValueKind::Switch),
    ("tls.addr", ValueKind::AddressOrNone),
    ("tls.cert_file", ValueKind::File),
    ("tls.key_file", ValueKind::File),
    ("tls.acme.domains", ValueKind::HostNames),
    ("tls.acme.contact", ValueKind::MailAddresses),
    ("tls.acme.terms_agreed", ValueKind::Switch),
    ("tls.acme.directory", ValueKind::WebUrl),
    ("tls.acme.directory_ca_file", ValueKind::File),
    ("tls.acme.challenge", ValueKind::Choice(&["auto", "http-01", "tls-alpn-01"])),
    ("tls.acme.http_addr", ValueKind::Address),
    ("tls.acme.eab_key_id", ValueKind::NodeName),
    ("tls.acme.eab_key_file", ValueKind::File),
    ("tls.acme.retry", seconds(1, DAY)),
    ("limits.connections", count(0, 100_000_000)),
    ("limits.http_connections", count(0, 100_000_000)),
    ("limits.http_connections_per_address", count(0, 100_000_000)),
    ("limits.message_bytes", count(1025, 67_108_864)),
    ("limits.outbox_bytes", count(1024, 1_073_741_824)),
    ("limits.outboxes_bytes", count(0, 1 << 50)),
    ("limits.channels_per_connection", count(1, 1_000_000)),
    ("limits.subscriptions_per_second", count(1, 1_000_000)),
    ("limits.request_bytes", count(1025, 1_073_741_824)),
    ("limits.authorizations", count(1, 10_000)),
    ("limits.authorizations_waiting", count(0, 100_000)),
    ("limits.authorizations_node", count(0, 1_000_000)),
    ("limits.authorization_bytes", count(1024, 16_777_216)),
    ("timeouts.handshake", seconds(1, 3600)),
    ("timeouts.keep_alive", seconds(1, DAY)),
    ("timeouts.http_write", seconds(1, DAY)),
    ("timeouts.activity", seconds(1, DAY)),
    ("timeouts.pong", seconds(1, DAY)),
    ("timeouts.drain", seconds(0, DAY)),
    ("timeouts.authorize", seconds(1, DAY)),
    ("timeouts.clock_skew", seconds(1, DAY)),
    ("timeouts.application", seconds(1, 60)),
    ("authorization.ca_file", ValueKind::File),
    ("apps.database", ValueKind::Database),
    ("apps.cache_seconds", seconds(0, DAY)),
    ("apps.data_dir", ValueKind::Directory),
    ("apps.allow_private", ValueKind::Switch),
    ("apps.master_key_file", ValueKind::File),
    ("resume.bytes", count(0, 1 << 50)),
    ("resume.records", count(0, 100_000_000)),
    ("idempotency.app_bytes", count(0, 1 << 50)),
    ("idempotency.bytes", count(0, 1 << 50)),
    ("console.enabled", ValueKind::Switch),
    ("console.hosts", ValueKind::HostNames),
    ("console.plain_http", ValueKind::Switch),
    ("console.session_seconds", seconds(60, 30 * DAY)),
    ("console.idle_seconds", seconds(60, 30 * DAY)),
    ("console.audit_days", count(1, 3650)),
    ("console.history_bytes", count(0, 1 << 30)),
    ("redis_feed.url", ValueKind::RedisUrl),
    ("redis_feed.prefix", ValueKind::FeedPrefix),
    ("redis_feed.app", ValueKind::AppChoice),
    ("redis_feed.ca_file", ValueKind::File),
    ("socketio.enabled", ValueKind::Switch),
    ("socketio.app", ValueKind::AppChoice),
    ("socketio.ping_interval", seconds(1, 3600)),
    ("socketio.ping_timeout", seconds(1, 3600)),
    ("socketio.api_origin", ValueKind::OriginOrAll),
    ("bus.urls", ValueKind::RedisUrls),
    ("bus.prefix", ValueKind::BusPrefix),
    ("bus.partitions", ValueKind::PowerOfTwo { most: 256 }),
    ("bus.lease", seconds(2, 60)),
    ("bus.settling", seconds(3, 300)),
    ("bus.ca_file", ValueKind::File),
    ("bus.node_name", ValueKind::NodeName),
    ("webhooks.delay", milliseconds(0, 60_000)),
    ("webhooks.batch", milliseconds(0, 10_000)),
    ("webhooks.timeout", milliseconds(1, 60_000)),
    ("webhooks.retry", milliseconds(1, 60_000)),
    ("webhooks.give_up", milliseconds(1, 300_000)),
    ("webhooks.queue", count(1, 1_000_000)),
    ("webhooks.requests", count(1, 10_000)),
    ("webhooks.durable_age", milliseconds(1000, 604_800_000)),
    ("webhooks.durable_url_requests", count(1, 1_000_000)),
    ("webhooks.durable_url_bytes", count(1024, 1 << 40)),
    ("webhooks.durable_app_requests", count(1, 1_000_000)),
    ("webhooks.durable_app_bytes", count(1024, 1 << 40)),
    ("webhooks.durable_requests", count(1, 1_000_000)),
    ("webhooks.durable_bytes", count(1024, 1 << 40)),
    ("webhooks.ca_file", ValueKind::File),
    ("metrics.apps", count(0, 1_000_000)),
    ("telemetry.otlp_endpoint", ValueKind::CollectorUrl),
    ("telemetry.otlp_headers_file", ValueKind::File),
    ("telemetry.service_name", ValueKind::ServiceName),
    ("telemetry.sampled_per_thousand", count(0, 1000)),
    ("telemetry.ca_file", ValueKind::File),
    ("watchdog.stall", seconds(0, DAY)),
    ("log.format", ValueKind::Choice(&["text", "json"])),
    ("log.filter", ValueKind::Filter),
];

/// What names an app and signs for it.
const CREDENTIALS: &[(&str, ValueKind)] =
    &[("id", ValueKind::AppId), ("key", ValueKind::AppKey), ("secret", ValueKind::AppSecret)];

/// The keys of one app in sections, without its limits.
const APP_SECTIONS: &[(&str, ValueKind)] = &[
    ("authorization.url", ValueKind::WebUrl),
    ("authorization.user_url", ValueKind::WebUrl),
    ("authorization.origins", ValueKind::WebOrigins),
    ("authorization.headers", ValueKind::Headers),
    ("authorization.must_equal", ValueKind::Rule),
    ("redis_feed.url", ValueKind::RedisUrl),
    ("redis_feed.prefix", ValueKind::FeedPrefix),
    ("webhooks.url", ValueKind::HookUrl),
    ("webhooks.events", ValueKind::HookEvents),
    ("webhooks.batch", ValueKind::Switch),
    ("webhooks.channel_prefixes", ValueKind::ChannelPrefixes),
    ("webhooks.enabled", ValueKind::Switch),
    ("webhooks.durable", ValueKind::Switch),
];

/// The keys of a client of laravel-echo-server's HTTP API.
const CLIENT: &[(&str, ValueKind)] = &[("app_id", ValueKind::ClientName), ("key", ValueKind::ClientKey)];

/// The keys of a further certificate.
const CERTIFICATE: &[(&str, ValueKind)] = &[("cert_file", ValueKind::File), ("key_file", ValueKind::File)];

/// The sections of a file.
const SECTIONS: [&str; 18] = [
    "listen",
    "tls",
    "tls.acme",
    "limits",
    "timeouts",
    "authorization",
    "apps",
    "resume",
    "console",
    "idempotency",
    "redis_feed",
    "socketio",
    "bus",
    "webhooks",
    "metrics",
    "telemetry",
    "watchdog",
    "log",
];

/// All keys; keys of an app come without the app's name, such as `limits.batch` or `secret`; so do those of a client of
/// laravel-echo-server's HTTP API, and of a certificate.
pub(super) struct Keys {
    pub node: Vec<(String, ValueKind)>,
    pub app: Vec<(String, ValueKind)>,
    pub client: Vec<(String, ValueKind)>,
    pub certificate: Vec<(String, ValueKind)>,
}

impl Keys {
    pub fn all() -> Self {
        let limits = LIMIT_RANGES.iter().map(|(name, range)| {
            let kind = if name.ends_with("_seconds") { seconds } else { count };
            (format!("limits.{name}"), kind(*range.start(), *range.end()))
        });
        let own = |keys: &[(&str, ValueKind)]| {
            keys.iter().map(|(key, kind)| ((*key).to_owned(), *kind)).collect::<Vec<_>>()
        };
        let (mut node, mut app): (Vec<_>, Vec<_>) = (own(NODE), own(CREDENTIALS));
        app.extend(
            named_settings(&unset_app()).map(|(name, value)| (name.to_owned(), kind_of_setting(&value))),
        );
        app.extend(own(APP_SECTIONS));
        // Printed beside the other limits.
        let behind = node.iter().rposition(|(key, _)| key.starts_with("limits.")).map_or(0, |at| at + 1);
        node.splice(behind..behind, limits.clone());
        app.extend(limits);
        Self { node, app, client: own(CLIENT), certificate: own(CERTIFICATE) }
    }

    pub fn is_section(name: &str) -> bool {
        SECTIONS.contains(&name)
    }

    /// Whether an app has settings in a section of this name.
    pub fn is_app_section(&self, name: &str) -> bool {
        self.app.iter().any(|(key, _)| parts(key).0 == name)
    }

    pub fn nearest_section(name: &str) -> Hint {
        nearest(name, SECTIONS.into_iter()).map_or(Hint::Reference, |near| Hint::Nearest(format!("[{near}]")))
    }

    /// The nearest key of the node to an unknown one.
    pub fn nearest_of_node(&self, key: &str) -> Hint {
        hint(nearest_key(key, &self.node))
    }

    /// The nearest key of an app to an unknown one.
    pub fn nearest_of_app(&self, key: &str) -> Hint {
        hint(nearest_key(key, &self.app))
    }

    /// The nearest key of a client to an unknown one.
    pub fn nearest_of_client(&self, key: &str) -> Hint {
        hint(nearest_key(key, &self.client))
    }

    /// The nearest key of a further certificate to an unknown one.
    pub fn nearest_of_certificate(&self, key: &str) -> Hint {
        hint(nearest_key(key, &self.certificate))
    }

    /// The nearest variable to an unknown key.
    pub fn nearest_variable(&self, key: &str) -> Hint {
        hint(nearest_key(key, &self.node).map(variable))
    }
}

const fn kind_of_setting(value: &SettingValue<'_>) -> ValueKind {
    match value {
        SettingValue::Switch(_) => ValueKind::Switch,
        SettingValue::Quota { legal, .. } => count(*legal.start(), *legal.end()),
        SettingValue::Seconds { legal, .. } => seconds(*legal.start(), *legal.end()),
        SettingValue::Origins(_) => ValueKind::Origins,
    }
}

/// The kind of a key in one of the lists.
pub(super) fn kind_of(keys: &[(String, ValueKind)], key: &str) -> Option<ValueKind> {
    keys.iter().find(|(known, _)| known == key).map(|(_, kind)| *kind)
}

/// The largest value of a number of the node.
pub(super) fn most_of_node(key: &str) -> Option<usize> {
    NODE.iter().find(|(known, _)| *known == key).and_then(|(_, kind)| match kind {
        ValueKind::Count { most, .. } => Some(*most),
        _ => None,
    })
}

/// The variable that sets a key.
pub(super) fn variable(key: String) -> String {
    format!("FANFARE__{}", key.replace('.', "__").to_uppercase())
}

fn hint(name: Option<String>) -> Hint {
    name.map_or(Hint::Reference, Hint::Nearest)
}

/// A key of the same name in another section, else the key with the most similar spelling.
fn nearest_key(key: &str, keys: &[(String, ValueKind)]) -> Option<String> {
    let (section, name) = parts(key);
    let known = || keys.iter().map(|(known, _)| known.as_str());
    let moved = known().find(|known| parts(known).1 == name);
    // Within a section the section's own letters do not count as similarity.
    let beside = || {
        let names = known().map(parts).filter(|(of, _)| *of == section).map(|(_, name)| name);
        nearest(name, names).map(|name| joined(section, name))
    };
    moved.map(str::to_owned).or_else(beside).or_else(|| {
        let elsewhere = known().filter(|known| parts(known).0 != section);
        nearest(key, elsewhere).map(str::to_owned)
    })
}

/// The section of a key, if it is in one, and its name.
fn parts(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

fn joined(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}
