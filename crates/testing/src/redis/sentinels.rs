//! A master with replicas that three Sentinels watch.

use super::Redis;
use crate::until;

/// The servers; stopped and removed when dropped.
pub struct Guarded {
    /// The first is the master at first.
    pub servers: Vec<Redis>,
    /// Two of them must agree that the master is down.
    pub sentinels: [Redis; 3],
}

impl Guarded {
    /// Starts a master with so many replicas, and waits until every Sentinel knows all of the others.
    pub fn start(replicas: usize) -> Self {
        Self::with(replicas, "")
    }

    /// The same with additional lines in the configuration file of each server.
    pub fn with(replicas: usize, settings: &str) -> Self {
        let master = Redis::with(settings);
        let port = master.port;
        let replica =
            || Redis::with(&format!("replicaof 127.0.0.1 {port}\nrepl-diskless-sync-delay 0\n{settings}"));
        let servers: Vec<Redis> = std::iter::once(master).chain((0..replicas).map(|_| replica())).collect();
        let sentinels = [0; 3].map(|_| Redis::sentinel_of(port, 2));
        let guarded = Self { servers, sentinels };
        let known = format!("slaves={replicas},sentinels=3");
        for sentinel in &guarded.sentinels {
            until("the Sentinels know everybody", || {
                let about = sentinel.says(&["INFO", "sentinel"]);
                (about.contains("status=ok") && about.contains(&known)).then_some(())
            });
        }
        for replica in guarded.servers.iter().skip(1) {
            until("a replica follows its master", || {
                replica.says(&["INFO", "replication"]).contains("master_link_status:up").then_some(())
            });
        }
        guarded
    }

    /// The address of the Sentinels.
    pub fn url(&self) -> String {
        let hosts: Vec<String> =
            self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/main", hosts.join(","))
    }

    /// The place in `servers` of the master that most Sentinels name.
    pub fn master(&self) -> usize {
        let named = |sentinel: &Redis| sentinel.says(&["SENTINEL", "get-master-addr-by-name", "main"]);
        let named: Vec<String> = self.sentinels.iter().map(named).collect();
        let votes = |port: u16| named.iter().filter(|name| name.ends_with(&port.to_string())).count();
        (0..self.servers.len()).max_by_key(|at| votes(self.servers[*at].port)).unwrap()
    }

    /// Waits until the Sentinels name another master than this one, and the new one says so itself.
    pub fn moved_from(&self, old: usize) -> usize {
        until("another master", || {
            let new = self.master();
            (new != old && self.servers[new].is_a("master")).then_some(new)
        })
    }
}
