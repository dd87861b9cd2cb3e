//! Which settings a running server takes over at a reload, and which need a restart: every key of the node, once.
//!
//! Settings of apps, and the limits of apps that set none, are always taken over.

use super::keys::Keys;

/// When a changed setting takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakesEffect {
    /// At a reload.
    Reload,
    /// At a reload of a node that stands alone; with several nodes, which must agree, at a restart.
    ReloadAlone,
    /// At a reload of a server that has a TLS listener, and keeps it; else at a restart.
    ReloadOverTls,
    /// At a restart.
    Restart,
}

use TakesEffect::{Reload, ReloadAlone, ReloadOverTls, Restart};

/// The keys of the node, without the limits of apps. A test compares the list with all keys.
const LIST: &[(&str, TakesEffect)] = &[
    ("listen.addr", Restart),
    ("listen.unix_path", Restart),
    ("listen.unix_mode", Restart),
    ("listen.admin_addr", Restart),
    ("listen.overlap", Restart),
    ("listen.admin_hosts", Reload),
    ("listen.path_prefix", Reload),
    ("listen.trusted_proxies", Reload),
    ("listen.proxy_protocol", Reload),
    ("listen.version_required", Reload),
    ("listen.fallback", Reload),
    ("tls.addr", Restart),
    ("tls.cert_file", ReloadOverTls),
    ("tls.key_file", ReloadOverTls),
    ("tls.acme.domains", Restart),
    ("tls.acme.contact", Restart),
    ("tls.acme.terms_agreed", Restart),
    ("tls.acme.directory", Restart),
    ("tls.acme.directory_ca_file", Restart),
    ("tls.acme.challenge", Restart),
    ("tls.acme.http_addr", Restart),
    ("tls.acme.eab_key_id", Restart),
    ("tls.acme.eab_key_file", Restart),
    ("tls.acme.retry", Restart),
    ("limits.connections", Restart),
    ("limits.http_connections", Restart),
    ("limits.http_connections_per_address", Restart),
    ("limits.message_bytes", Reload),
    ("limits.outbox_bytes", Reload),
    ("limits.outboxes_bytes", Reload),
    ("limits.channels_per_connection", Reload),
    ("limits.subscriptions_per_second", Reload),
    ("limits.request_bytes", Reload),
    ("limits.authorizations", Reload),
    ("limits.authorizations_waiting", Reload),
    ("limits.authorizations_node", Restart),
    ("limits.authorization_bytes", Reload),
    ("timeouts.handshake", Reload),
    ("timeouts.keep_alive", Reload),
    ("timeouts.http_write", Reload),
    ("timeouts.activity", Reload),
    ("timeouts.pong", Reload),
    ("timeouts.drain", Reload),
    ("timeouts.authorize", Reload),
    ("timeouts.clock_skew", Reload),
    ("timeouts.application", Reload),
    ("authorization.ca_file", Restart),
    ("apps.database", Restart),
    ("apps.cache_seconds", Restart),
    ("apps.data_dir", Restart),
    ("apps.allow_private", Restart),
    ("apps.master_key_file", Restart),
    ("resume.bytes", Restart),
    ("resume.records", Restart),
    ("idempotency.app_bytes", Restart),
    ("idempotency.bytes", Restart),
    ("console.enabled", Reload),
    ("console.hosts", Reload),
    ("console.plain_http", Reload),
    ("console.session_seconds", Reload),
    ("console.idle_seconds", Reload),
    ("console.audit_days", Reload),
    ("console.history_bytes", Restart),
    ("redis_feed.url", Reload),
    ("redis_feed.prefix", Reload),
    ("redis_feed.app", Reload),
    ("redis_feed.ca_file", Restart),
    ("socketio.enabled", Reload),
    ("socketio.app", Reload),
    ("socketio.ping_interval", Reload),
    ("socketio.ping_timeout", Reload),
    ("socketio.api_origin", Reload),
    ("bus.urls", Restart),
    ("bus.prefix", Restart),
    ("bus.partitions", Restart),
    ("bus.lease", Restart),
    ("bus.settling", Restart),
    ("bus.ca_file", Restart),
    ("bus.node_name", Restart),
    ("webhooks.delay", ReloadAlone),
    ("webhooks.batch", ReloadAlone),
    ("webhooks.timeout", Reload),
    ("webhooks.retry", Reload),
    ("webhooks.give_up", Reload),
    ("webhooks.queue", Reload),
    ("webhooks.requests", Restart),
    ("webhooks.durable_age", Reload),
    ("webhooks.durable_url_requests", Reload),
    ("webhooks.durable_url_bytes", Reload),
    ("webhooks.durable_app_requests", Reload),
    ("webhooks.durable_app_bytes", Reload),
    ("webhooks.durable_requests", Reload),
    ("webhooks.durable_bytes", Reload),
    ("webhooks.ca_file", Restart),
    ("metrics.apps", Restart),
    ("telemetry.otlp_endpoint", Restart),
    ("telemetry.otlp_headers_file", Restart),
    ("telemetry.service_name", Restart),
    ("telemetry.sampled_per_thousand", Restart),
    ("telemetry.ca_file", Restart),
    ("watchdog.stall", Restart),
    ("log.format", Restart),
    ("log.filter", Reload),
];

impl TakesEffect {
    /// When a change of this key of the node takes effect; `None` for an unknown key.
    #[must_use]
    pub fn of(key: &str) -> Option<Self> {
        let listed = LIST.iter().find(|(known, _)| *known == key).map(|(_, when)| *when);
        listed.or_else(|| is_limit_of_apps(key).then_some(Reload))
    }

    /// Whether a reload takes over a change, on a node that stands alone or does not, with a TLS listener that stays or without.
    #[must_use]
    pub const fn is_at_reload(self, is_alone: bool, keeps_tls: bool) -> bool {
        match self {
            Self::Reload => true,
            Self::ReloadAlone => is_alone,
            Self::ReloadOverTls => keeps_tls,
            Self::Restart => false,
        }
    }

    /// The table of all keys for the documentation: a section a row, what a reload takes over, and what needs a restart.
    #[must_use]
    pub fn table() -> String {
        let mut text =
            String::from("| section | taken over at a reload | needs a restart |\n|---|---|---|\n");
        let keys = Keys::all().node;
        let mut sections: Vec<&str> =
            keys.iter().filter_map(|(key, _)| Some(key.split_once('.')?.0)).collect();
        sections.dedup();
        for section in sections {
            let mut cells = [Vec::new(), Vec::new()];
            for (key, _) in &keys {
                let Some(name) = key.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) else {
                    continue;
                };
                match Self::of(key) {
                    Some(Reload | ReloadOverTls) => cells[0].push(format!("`{name}`")),
                    Some(ReloadAlone) => cells[0].push(format!("`{name}` (with `[bus]` a restart)")),
                    Some(Restart) => cells[1].push(format!("`{name}`")),
                    None => {}
                }
            }
            match section {
                "tls" => cells[0].push("`[[tls.certificates]]`".to_owned()),
                "apps" => cells[0].push("`[[apps.list]]`".to_owned()),
                "socketio" => cells[0].push("`[[socketio.clients]]`".to_owned()),
                _ => {}
            }
            let [reload, restart] = cells.map(|names| names.join(", "));
            text.push_str(&format!("| `[{section}]` | {reload} | {restart} |\n"));
        }
        text
    }
}

/// Whether the key is the default of a limit of apps.
fn is_limit_of_apps(key: &str) -> bool {
    let name = key.strip_prefix("limits.");
    name.is_some_and(|name| fanfare_apps::LIMIT_RANGES.iter().any(|(limit, _)| *limit == name))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_key_says_once_whether_it_is_taken_over_at_a_reload() {
        let unsaid: Vec<String> = Keys::all()
            .node
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| TakesEffect::of(key).is_none())
            .collect();
        assert_eq!(unsaid, [""; 0], "each needs a row in this file");
        let keys = Keys::all().node;
        for (key, _) in LIST {
            assert!(keys.iter().any(|(known, _)| known == key), "{key} is no key");
            assert_eq!(LIST.iter().filter(|(other, _)| other == key).count(), 1, "{key} is there twice");
            assert!(!is_limit_of_apps(key), "{key} is a limit of apps");
        }
    }

    #[test]
    fn the_documentation_has_the_table_of_all_keys() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        let page = fs::read_to_string(page).unwrap();
        let table = TakesEffect::table();
        assert!(page.contains(&table), "docs/configuration.md needs this table:\n{table}");
    }
}
