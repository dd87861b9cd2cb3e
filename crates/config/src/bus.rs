//! `[bus]`: the Redis through which several nodes are one server.
//!
//! Refuses what nodes could not share: a SQLite file, and Redis servers that would not be one set. Connects to nothing.

use std::net::SocketAddr;
use std::time::Duration;

use fanfare_outgoing::Trust;
use fanfare_redis::{NotAnAddress, RedisAddress, Topology};
use serde::Deserialize;
use toml::Value;

use super::apps::FixedApp;
use super::authorities;
use super::effective::Effective;
use super::fault::{Cause, Fault};

const URLS: &str = "bus.urls";
const LEASE: &str = "bus.lease";
const SETTLING: &str = "bus.settling";

/// The beginnings of a URL: a comma before any other text belongs to the hosts of the URL in front of the comma.
const SCHEMES: [&str; 4] = ["redis://", "rediss://", "redis+", "rediss+"];

/// `[bus]`.
#[derive(Clone, Debug)]
pub struct BusSection {
    /// One Redis, or several independent ones that divide the work; empty: this node stands alone.
    pub urls: Vec<RedisAddress>,
    /// What the names of all keys and topics begin with (CL-074).
    pub prefix: String,
    /// Number of partitions, a power of two; the same on all nodes.
    pub partitions: u16,
    /// How long the other nodes wait for a node that is silent (CL-100).
    pub lease: Duration,
    /// How long webhooks of presence wait after Redis lost its data (CL-034).
    pub settling: Duration,
    /// The trusted certificate authorities.
    pub trust: Trust,
    node_name: String,
}

/// The settings whose values are plain.
#[derive(Deserialize)]
struct Plain {
    prefix: String,
    partitions: u16,
    lease: u64,
    settling: u64,
    node_name: String,
}

impl BusSection {
    /// Whether other nodes are shared with.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.urls.is_empty()
    }

    /// The name that operators see: the configured one, else host name and port of the public listener.
    #[must_use]
    pub fn node_name(&self, listen: SocketAddr) -> String {
        if self.node_name.is_empty() {
            let system = rustix::system::uname();
            format!("{}:{}", system.nodename().to_string_lossy(), listen.port())
        } else {
            self.node_name.clone()
        }
    }
}

/// The URLs in one text, separated by commas. Hosts within a URL have commas between them too.
pub(super) fn split(text: &str) -> Vec<Value> {
    let mut urls: Vec<String> = Vec::new();
    for part in text.split(',').filter(|part| !part.trim().is_empty()) {
        let begins = SCHEMES.iter().any(|scheme| part.trim_start().starts_with(scheme));
        match urls.last_mut() {
            Some(last) if !begins => {
                last.push(',');
                last.push_str(part);
            }
            _ => urls.push(part.to_owned()),
        }
    }
    urls.into_iter().map(|url| Value::String(url.trim().to_owned())).collect()
}

/// Checks that each element is the URL of a Redis, without repeating one.
pub(super) fn check_urls(urls: &[Value]) -> Result<(), Option<NotAnAddress>> {
    for url in urls {
        let url = url.as_str().ok_or(None)?;
        RedisAddress::parse(url).map_err(Some)?;
    }
    Ok(())
}

/// Reads the section, and checks it against the storage of apps.
pub(super) fn read(effective: &Effective, fixed: &[FixedApp], faults: &mut Vec<Fault>) -> BusSection {
    let listed = effective.get(URLS).0.as_array().into_iter().flatten();
    let plain: Plain = effective.section("bus");
    let bus = BusSection {
        urls: listed.filter_map(|url| RedisAddress::parse(url.as_str()?).ok()).collect(),
        prefix: plain.prefix,
        partitions: plain.partitions,
        lease: Duration::from_secs(plain.lease),
        settling: Duration::from_secs(plain.settling),
        trust: authorities::trust(effective, "bus.ca_file", faults),
        node_name: plain.node_name,
    };
    if !effective.is_faulty(URLS) {
        check_set(&bus.urls, effective, faults);
        check_apps(&bus, effective, fixed, faults);
    }
    check_times(&bus, effective, faults);
    bus
}

/// Whether a URL names a database other than 0. The URL was parsed before, so that hosts and path follow the last `@`.
fn names_database(url: &str) -> bool {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let hosts_and_path = rest.rsplit('@').next().unwrap_or_default();
    // Behind the hosts of Sentinels stands the name of the master.
    let place = if scheme.ends_with("+sentinel") { 2 } else { 1 };
    let database = hosts_and_path.split('/').nth(place).unwrap_or_default();
    database.bytes().any(|digit| digit != b'0')
}

/// A Cluster divides the work itself, and the same Redis twice would get two shares.
fn check_set(urls: &[RedisAddress], effective: &Effective, faults: &mut Vec<Fault>) {
    let place = effective.get(URLS).1;
    let mut fault = |cause| faults.push(Fault { place: place.clone(), cause });
    let listed = effective.get(URLS).0.as_array().into_iter().flatten();
    let of_database =
        listed.zip(urls).find(|(url, _)| url.as_str().is_some_and(|url| names_database(url.trim())));
    if let Some((_, url)) = of_database {
        fault(Cause::BusDatabase { url: url.to_string() });
    }
    let is_cluster = |url: &RedisAddress| matches!(url.topology(), Topology::Cluster(_));
    if urls.len() > 1 && urls.iter().any(is_cluster) {
        fault(Cause::BusOfClusters);
    }
    // Compared as shown: two users of one Redis are one Redis.
    let shown: Vec<String> = urls.iter().map(ToString::to_string).collect();
    let repeated = shown.iter().enumerate().find(|(at, url)| shown[..*at].contains(url));
    if let Some((_, url)) = repeated {
        fault(Cause::SameBus { url: url.clone() });
    }
}

/// Other nodes cannot read a file of this machine (CL-060).
fn check_apps(bus: &BusSection, effective: &Effective, fixed: &[FixedApp], faults: &mut Vec<Fault>) {
    if bus.is_alone() || effective.is_faulty("apps.database") {
        return;
    }
    let (database, place) = effective.get("apps.database");
    let database = database.as_str().unwrap_or_default();
    if database.starts_with("sqlite") {
        faults.push(Fault { place: place.clone(), cause: Cause::BusWithSqlite });
    } else if database.is_empty() && fixed.is_empty() {
        faults.push(Fault { place: effective.get(URLS).1.clone(), cause: Cause::BusWithoutApps });
    }
}

/// A node that is cut off has as long as its lease to come back, and settling must outlast that.
fn check_times(bus: &BusSection, effective: &Effective, faults: &mut Vec<Fault>) {
    if bus.settling > bus.lease || effective.is_faulty(LEASE) || effective.is_faulty(SETTLING) {
        return;
    }
    faults.push(Fault {
        place: effective.set_place(&[SETTLING, LEASE]),
        cause: Cause::ShortSettling { settling: bus.settling.as_secs(), lease: bus.lease.as_secs() },
    });
}
