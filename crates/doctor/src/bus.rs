//! A Redis between nodes: whether it can be used as one, and whether its data is of these nodes.
//!
//! Changes nothing there: what is published goes to a topic without subscribers, and no script is run.

use fanfare_bus::partition::Layout;
use fanfare_outgoing::Trust;
use fanfare_redis::{Host, Questions, RedisAddress, RedisError, Reply, Topology, masters_in};

use super::hop::{Complaint, Finding, complain, repeated};

/// A Redis of `bus.urls`.
#[derive(Clone)]
pub struct AskedBus {
    /// The Redis.
    pub address: RedisAddress,
    /// The trusted certificate authorities.
    pub trust: Trust,
    /// The configured prefix.
    pub prefix: String,
    /// The configured number of partitions.
    pub partitions: u16,
    /// The place in `bus.urls`, from 0.
    pub place: usize,
}

/// What a user of Redis must be allowed; the same line is in docs/cluster.md.
const RIGHTS: &str = "+@all -@admin -@dangerous +info +cluster|nodes +cluster|slots +cluster|shards";

/// The setting that names a private authority.
const AUTHORITY: &str = "bus.ca_file";

/// A digest that no script has.
const NO_SCRIPT: &str = "0000000000000000000000000000000000000000";

/// Smallest bound of a subscriber's buffer in Redis that is not remarked on, in bytes.
const LEAST_BUFFER: u64 = 64 * 1024 * 1024;

/// Policies that delete no key of a node: of these keys only kept events carry an expiry.
const POLICIES: [&str; 2] = ["noeviction", "volatile-ttl"];

/// Looks at a Redis; beside the finding, what is neither good nor bad.
pub(super) async fn look(asked: &AskedBus) -> (Finding, Vec<String>) {
    let mut remarks = Vec::new();
    let finding = match Questions::open(&asked.address, &asked.trust, AUTHORITY).await {
        Ok(questions) => Look { asked, questions }.all(&mut remarks).await,
        Err(error) => Err(of_error(&error, asked.address.tls())),
    };
    (finding, remarks)
}

/// What differs from one master of a Cluster to another.
async fn look_at_master(asked: &AskedBus, host: Host) -> Result<(), Complaint> {
    let opened = Questions::at(host, &asked.address, &asked.trust, AUTHORITY).await;
    let questions = opened.map_err(|error| of_error(&error, asked.address.tls()))?;
    let mut look = Look { asked, questions };
    look.server().await?;
    look.policy().await?;
    look.rights().await
}

struct Look<'a> {
    asked: &'a AskedBus,
    questions: Questions,
}

impl Look<'_> {
    async fn all(&mut self, remarks: &mut Vec<String>) -> Finding {
        let version = self.server().await?;
        let policy = self.policy().await?;
        self.rights().await?;
        let layout = self.layout().await?;
        remarks.extend(self.buffers().await);
        let others = self.other_masters().await?;
        let host = self.questions.host();
        Ok(format!(
            "{host}{others}: {version}, {policy}, {layout}; scripts, PUBLISH and SUBSCRIBE are allowed"
        ))
    }

    async fn ask(&mut self, parts: &[&str]) -> Result<Reply, Complaint> {
        let tls = self.asked.address.tls();
        self.questions.ask(parts).await.map_err(|error| of_error(&error, tls))
    }

    /// Looks at the other masters of a Cluster, and says how many.
    async fn other_masters(&mut self) -> Finding {
        if !matches!(self.asked.address.topology(), Topology::Cluster(_)) {
            return Ok(String::new());
        }
        let list = match self.ask(&["CLUSTER", "NODES"]).await? {
            Reply::Text(list) => list,
            answer => return Err(self.refused("CLUSTER NODES", &answer)),
        };
        let own = self.questions.host().clone();
        let mut count = 0;
        for master in masters_in(&list, &own).into_iter().filter(|master| *master != own) {
            look_at_master(self.asked, master).await?;
            count += 1;
        }
        Ok(format!(" and {count} other masters"))
    }

    /// Version and role.
    async fn server(&mut self) -> Finding {
        let info = match self.ask(&["INFO"]).await? {
            Reply::Text(info) => info,
            answer => return Err(self.refused("INFO", &answer)),
        };
        let host = self.questions.host();
        let is_cluster = matches!(self.asked.address.topology(), Topology::Cluster(_));
        match (field(&info, "cluster_enabled") == Some("1"), is_cluster) {
            (true, false) => {
                return complain(
                    format!("{host} is a node of a Cluster, and bus.urls names it as a single Redis"),
                    format!("Write redis+cluster://{host}; some of the Cluster's hosts are enough."),
                );
            }
            (false, true) => {
                return complain(
                    format!("{host} is no node of a Cluster"),
                    format!("Write redis://{host}, or start Redis with cluster-enabled yes."),
                );
            }
            _ => {}
        }
        if !is_cluster && field(&info, "role") == Some("slave") {
            return complain(
                format!("{host} is a replica, which refuses writes"),
                "Name its master, or the Sentinels that know the master: redis+sentinel://HOST,HOST/MASTER.",
            );
        }
        let valkey = field(&info, "valkey_version");
        let (name, version, least) = match valkey {
            Some(version) => ("Valkey", version, (7, 2)),
            None => ("Redis", field(&info, "redis_version").unwrap_or_default(), (7, 0)),
        };
        if number(version).is_none_or(|number| number < least) {
            let (major, minor) = least;
            return complain(
                format!("{host} is {name} {}, which is too old", repeated(version, 20)),
                format!(
                    "Use {name} {major}.{minor} or later: nodes need its scripts and sharded publishing."
                ),
            );
        }
        Ok(format!("{name} {}", repeated(version, 20)))
    }

    /// Whether Redis would delete what nodes keep there.
    async fn policy(&mut self) -> Finding {
        let info = match self.ask(&["INFO", "memory"]).await? {
            Reply::Text(info) => info,
            answer => return Err(self.refused("INFO memory", &answer)),
        };
        let policy = field(&info, "maxmemory_policy").unwrap_or("noeviction").to_owned();
        // Without a bound nothing is ever deleted.
        if POLICIES.contains(&&*policy) || field(&info, "maxmemory") == Some("0") {
            return Ok(policy);
        }
        complain(
            format!("{}: maxmemory-policy is {}", self.questions.host(), repeated(&policy, 40)),
            "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf: with this policy a full Redis would \
             delete who is connected.",
        )
    }

    /// Whether the user may do what nodes do.
    async fn rights(&mut self) -> Result<(), Complaint> {
        let (key, topic) = {
            let layout = Layout::new(&self.asked.prefix, self.asked.partitions);
            (layout.key(0, "live"), layout.key(0, "doctor"))
        };
        let is_cluster = matches!(self.asked.address.topology(), Topology::Cluster(_));
        let (publish, subscribe) =
            if is_cluster { ("SPUBLISH", "SSUBSCRIBE") } else { ("PUBLISH", "SUBSCRIBE") };
        let questions: [&[&str]; 4] = [
            &["EVALSHA", NO_SCRIPT, "1", &key],
            &["SCRIPT", "EXISTS", NO_SCRIPT],
            &[publish, &topic, ""],
            // The last one: a subscriber may ask nothing else.
            &[subscribe, &topic],
        ];
        for question in questions {
            let answer = match question[0] == subscribe {
                // The connection is needed afterwards.
                true => self.on_another(question).await?,
                false => self.ask(question).await?,
            };
            // A script that is not there, and a slot of another node, are refused only after the rights were checked.
            if let Reply::Refused(text) = &answer
                && !["NOSCRIPT", "MOVED", "ASK"].iter().any(|code| text.starts_with(code))
            {
                return Err(self.refused(&question[..2].join(" "), &answer));
            }
        }
        Ok(())
    }

    async fn on_another(&self, question: &[&str]) -> Result<Reply, Complaint> {
        let host = self.questions.host().clone();
        let tls = self.asked.address.tls();
        let opened = Questions::at(host, &self.asked.address, &self.asked.trust, AUTHORITY).await;
        let mut another = opened.map_err(|error| of_error(&error, tls))?;
        another.ask(question).await.map_err(|error| of_error(&error, tls))
    }

    /// Whether the data is of nodes that agree with this configuration.
    async fn layout(&mut self) -> Finding {
        let layout = Layout::new(&self.asked.prefix, self.asked.partitions);
        let (key, own) = (layout.layout_key(), layout.layout_value(self.asked.place));
        let mut answer = self.ask(&["GET", &key]).await?;
        if let Reply::Refused(text) = &answer
            && let Some(owner) = moved(text)
        {
            let tls = self.asked.address.tls();
            let opened = Questions::at(owner, &self.asked.address, &self.asked.trust, AUTHORITY).await;
            let mut another = opened.map_err(|error| of_error(&error, tls))?;
            answer = another.ask(&["GET", &key]).await.map_err(|error| of_error(&error, tls))?;
        }
        match answer {
            Reply::Nothing => Ok("no node was here yet".to_owned()),
            Reply::Text(found) if found == own => Ok(format!("layout {own}")),
            Reply::Text(found) => complain(
                format!(
                    "the key {key} is {}, and this configuration makes {own}: layout and partitions differ",
                    repeated(&found, 40)
                ),
                "Give all nodes the same bus.partitions, bus.urls in the same order, and a release with the same layout, or this cluster a bus.prefix of \
                 its own. Such a node stays out of the cluster.",
            ),
            answer => Err(self.refused(&format!("GET {key}"), &answer)),
        }
    }

    /// How much Redis keeps for a node that reads slowly. Most users may not ask for this, and need not.
    async fn buffers(&mut self) -> Option<String> {
        let Ok(Reply::List(parts)) = self.ask(&["CONFIG", "GET", "client-output-buffer-limit"]).await else {
            return None;
        };
        let limits = parts.get(1)?;
        let (_, pubsub) = limits.split_once("pubsub ")?;
        let hard: u64 = pubsub.split(' ').next()?.parse().ok()?;
        (hard != 0 && hard < LEAST_BUFFER).then(|| {
            format!(
                "client-output-buffer-limit pubsub is {} MiB: a node that reads slowly for a moment is cut off; \
                 `256mb 64mb 60` is better",
                hard / 1024 / 1024
            )
        })
    }

    /// A refusal, with the rights that are needed if rights are missing.
    fn refused(&self, what: &str, answer: &Reply) -> Complaint {
        let host = self.questions.host();
        let prefix = &self.asked.prefix;
        match answer {
            Reply::Refused(text) if text.starts_with("NOPERM") => Complaint {
                what: format!("{host}: the user of the URL may not {what}"),
                mend: format!(
                    "ACL SETUSER NAME on >PASSWORD resetkeys resetchannels ~{prefix}* &{prefix}* {RIGHTS}"
                ),
            },
            Reply::Refused(text) => of_error(&RedisError::refused(text), self.asked.address.tls()),
            _ => of_error(&RedisError::NotRedis, self.asked.address.tls()),
        }
    }
}

/// The node that has the key, from `MOVED SLOT HOST:PORT`.
fn moved(text: &str) -> Option<Host> {
    let place = text.strip_prefix("MOVED ")?.split(' ').nth(1)?;
    let (name, port) = place.rsplit_once(':')?;
    Some(Host { name: name.into(), port: port.parse().ok()? })
}

/// A field of INFO.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Major and minor of a version.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    parts.next().flatten().zip(parts.next().flatten())
}

/// A complaint; `tls` is whether the URL asks for TLS.
fn of_error(error: &RedisError, tls: bool) -> Complaint {
    let mend = match error {
        RedisError::Refused(text) if text.starts_with("NOAUTH") => {
            "This Redis wants a password: redis://USER:PASSWORD@HOST:PORT in bus.urls."
        }
        RedisError::LogIn { .. } => {
            "This server knows no such user, or the user has another password. Try them: redis-cli --user USER --askpass PING. \
             ACL SETUSER is of one server until its next start: each master and replica needs the user in redis.conf or \
             its aclfile (CONFIG REWRITE, ACL SAVE)."
        }
        RedisError::Unreachable { cause, .. } if tls && cause.contains("TLS") => {
            "This port seems to speak no TLS: write redis:// in bus.urls instead of rediss://, or name Redis's tls-port."
        }
        RedisError::Lost(_) | RedisError::Closed if !tls => {
            "If this port wants TLS, write rediss:// in bus.urls instead of redis://; else see the log of Redis."
        }
        RedisError::Elsewhere(text) if text.starts_with("CLUSTERDOWN") => {
            "Bring back the missing masters, or give them replicas. With cluster-require-full-coverage no the other \
             masters go on."
        }
        RedisError::Unreachable { .. } => {
            "Start Redis, or see to bus.urls. In Docker 127.0.0.1 is the container itself; Redis's own `bind` and \
             `protected-mode` keep other machines out."
        }
        RedisError::Tls { .. } => {
            "Use redis:// where Redis has no TLS, rediss:// where it has; bus.ca_file names a private authority."
        }
        RedisError::NotRedis => "Another program listens there: see to bus.urls.",
        RedisError::NoMaster(_) => "Compare the name of the master with `sentinel monitor` of the Sentinels.",
        _ => "See the log of Redis.",
    };
    Complaint { what: error.to_string(), mend: mend.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_fields_are_read() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n";
        assert_eq!(field(info, "redis_version").and_then(number), Some((7, 0)));
        assert_eq!(field(info, "valkey_version"), None);
        assert!(number("6.2.7").unwrap() < (7, 0) && number("10.0").unwrap() > (7, 2));
        assert_eq!(number("unstable"), None);
    }

    #[test]
    fn the_owner_of_a_slot_is_read() {
        let owner = moved("MOVED 3999 127.0.0.1:6381").unwrap();
        assert_eq!(owner.to_string(), "127.0.0.1:6381");
        assert_eq!(moved("ERR no"), None);
    }
}
