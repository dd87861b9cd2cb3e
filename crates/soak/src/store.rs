//! The Redis of a run: one, several, with Sentinels, or a Cluster. Blocks; called from threads that may wait.

use fanfare_testing::redis::{Cluster, Guarded, Redis};

use crate::arguments::Kind;
use crate::process::PREFIX;

/// Settings of every server: kept on disk like a real one, and `DEBUG SLEEP` allowed.
const SETTINGS: &str = "appendonly yes\nappendfsync everysec\nenable-debug-command local\n\
                        client-output-buffer-limit pubsub 256mb 64mb 60\n";

/// The servers.
pub(crate) enum Store {
    None,
    /// Independent of each other.
    Single(Vec<Redis>),
    Sentinel(Box<Guarded>),
    Cluster(Cluster),
}

impl Store {
    pub(crate) fn start(kind: Kind) -> Self {
        let single = |count: usize| Self::Single((0..count).map(|_| Redis::with(SETTINGS)).collect());
        match kind {
            Kind::None => Self::None,
            Kind::Standalone => single(1),
            Kind::Several => single(2),
            Kind::Sentinel => Self::Sentinel(Box::new(Guarded::with(2, SETTINGS))),
            Kind::Cluster => Self::Cluster(Cluster::start(1)),
        }
    }

    /// The ports that a node connects to straight: a cable may lead there.
    pub(crate) fn ports(&self) -> Vec<u16> {
        match self {
            Self::Single(all) => all.iter().map(|redis| redis.port).collect(),
            _ => Vec::new(),
        }
    }

    /// The URLs of the bus; `ports` are the near ends of the node's cables.
    pub(crate) fn urls(&self, ports: &[u16]) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::Single(_) => ports.iter().map(|port| format!("redis://127.0.0.1:{port}")).collect(),
            Self::Sentinel(guarded) => vec![guarded.url()],
            Self::Cluster(cluster) => vec![cluster.url()],
        }
    }

    /// Every server that may run, masters and replicas.
    pub(crate) fn servers(&mut self) -> Vec<&mut Redis> {
        match self {
            Self::None => Vec::new(),
            Self::Single(all) => all.iter_mut().collect(),
            Self::Sentinel(guarded) => guarded.servers.iter_mut().collect(),
            Self::Cluster(cluster) => cluster.nodes.iter_mut().collect(),
        }
    }

    /// A master; `choice` picks one of several.
    pub(crate) fn master(&mut self, choice: usize) -> Option<&mut Redis> {
        let at = match self {
            Self::Sentinel(guarded) => guarded.master(),
            _ => {
                let masters = self.masters();
                *masters.get(choice % masters.len().max(1))?
            }
        };
        self.servers().into_iter().nth(at)
    }

    /// The places of all masters among the servers.
    pub(crate) fn masters(&mut self) -> Vec<usize> {
        let servers = self.servers();
        servers.iter().enumerate().filter(|(_, redis)| redis.is_a("master")).map(|(at, _)| at).collect()
    }

    /// Memory in use by all masters, in bytes.
    pub(crate) fn memory(&mut self) -> u64 {
        let used = |redis: &Redis| -> Option<u64> {
            let about = redis.says(&["INFO", "memory"]);
            about.lines().find_map(|line| line.strip_prefix("used_memory:"))?.trim().parse().ok()
        };
        let masters = self.masters();
        let servers = self.servers();
        masters.iter().filter_map(|at| used(servers[*at])).sum()
    }

    /// Memory in use by all masters, in bytes, and their clients.
    pub(crate) fn sample(&mut self) -> Option<(u64, u64)> {
        let masters = self.masters();
        let servers = self.servers();
        let clients = |redis: &Redis| redis.clients("normal") + redis.clients("pubsub");
        // The question is a client as well.
        let clients: usize = masters.iter().map(|at| clients(servers[*at]).saturating_sub(1)).sum();
        (!masters.is_empty()).then(|| (self.memory(), clients as u64))
    }

    /// The keys of the run that do not expire by themselves, without prefix, layout and hash tag.
    pub(crate) fn keys(&mut self) -> Vec<String> {
        let masters = self.masters();
        let servers = self.servers();
        let mut all = Vec::new();
        for at in masters {
            let redis = &servers[at];
            let found = redis.says(&["--scan", "--pattern", &format!("{PREFIX}*")]);
            for key in found.lines().filter(|key| !key.is_empty()) {
                let expires = redis.says(&["PTTL", key]) != "-1";
                let name = key.split_once("}:").map_or(key, |(_, name)| name);
                let name = name.strip_prefix(PREFIX).unwrap_or(name);
                if !expires {
                    all.push(name.to_owned());
                }
            }
        }
        all.sort();
        all
    }
}
