//! The address of a Redis, as an operator writes it: one server, Sentinels, or a Cluster; with or without TLS.
//!
//! Only parses; `connection` connects. Never shows a password, nor repeats a text that may hold a password.

use std::fmt;

use fanfare_outgoing::Reach;
use percent_encoding::percent_decode_str;

/// The default port of Redis.
const REDIS_PORT: u16 = 6379;

/// The default port of a Sentinel.
const SENTINEL_PORT: u16 = 26379;

/// Longest text, in bytes.
const LONGEST: usize = 2048;

/// Shown in place of user name and password.
const MASK: &str = "***";

/// A Redis to connect to. Two equal addresses are one Redis, reached with the same rights.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RedisAddress {
    tls: bool,
    log_in: Option<LogIn>,
    topology: Topology,
    reach: Reach,
}

/// User and password. Not `Debug`: the password is a secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LogIn {
    user: Option<Box<str>>,
    password: Box<str>,
}

/// The topology at the address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topology {
    /// A single Redis.
    Single(Host),
    /// Sentinels, which know the address of the master.
    Sentinels {
        /// The Sentinels.
        hosts: Vec<Host>,
        /// The name of the master that they watch.
        master: Box<str>,
    },
    /// Some nodes of the Cluster.
    Cluster(Vec<Host>),
}

/// A host name or address with its port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// Without brackets.
    pub name: Box<str>,
    /// From 1.
    pub port: u16,
}

/// A text that is no address of a Redis; never repeated, because the text may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    /// The scheme is unknown.
    #[error(
        "not the URL of a Redis; use redis://USER:PASSWORD@HOST:PORT, rediss:// for TLS, \
         redis+sentinel://HOST,HOST/MASTER or redis+cluster://HOST,HOST"
    )]
    Scheme,
    /// User and password cannot be read.
    #[error(
        "user and password of the Redis URL cannot be read; write USER:PASSWORD@ or :PASSWORD@, \
         and special characters as %XX"
    )]
    LogIn,
    /// The text is the form in which addresses are shown.
    #[error("the Redis URL has its password masked; leave it out to keep the one that is stored")]
    Masked,
    /// A host cannot be read.
    #[error("a host of the Redis URL cannot be read; write HOST or HOST:PORT, and [ADDRESS]:PORT with IPv6")]
    Host,
    /// The text has several hosts, but is neither Sentinel nor Cluster.
    #[error("the Redis URL has several hosts; use redis+sentinel:// or redis+cluster:// for such")]
    SeveralHosts,
    /// The text names no master.
    #[error("the Redis URL names no master; write redis+sentinel://HOST,HOST/MASTER")]
    NoMaster,
    /// The path behind the hosts is no number of a database.
    #[error("behind the hosts of the Redis URL nothing but the number of a database may stand")]
    Path,
    /// The text is longer than any address.
    #[error("the Redis URL is longer than 2048 bytes")]
    TooLong,
}

impl RedisAddress {
    /// Parses a URL. The number of a database is accepted and ignored: broadcasts know no databases.
    ///
    /// # Errors
    /// The fault of the text.
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(NotAnAddress::TooLong);
        }
        let (scheme, rest) = text.split_once("://").ok_or(NotAnAddress::Scheme)?;
        let (tls, kind) = match scheme.split_once('+').unwrap_or((scheme, "")) {
            ("redis", kind) => (false, kind),
            ("rediss", kind) => (true, kind),
            _ => return Err(NotAnAddress::Scheme),
        };
        // A password may hold `@`; hosts never do.
        let (log_in, rest) = match rest.rsplit_once('@') {
            Some((log_in, rest)) => (Some(LogIn::parse(log_in)?), rest),
            None => (None, rest),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let topology = match kind {
            "" => single(hosts, path)?,
            "cluster" => cluster(hosts, path)?,
            "sentinel" => sentinels(hosts, path)?,
            _ => return Err(NotAnAddress::Scheme),
        };
        Ok(Self { tls, log_in, topology, reach: Reach::Anywhere })
    }

    /// The same address, restricted to `reach` for every host, also for hosts that Sentinels or a Cluster name.
    #[must_use]
    pub fn within(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// Whether connections use TLS.
    #[must_use]
    pub const fn tls(&self) -> bool {
        self.tls
    }

    /// User and password; `None` if the Redis wants none.
    #[must_use]
    pub const fn log_in(&self) -> Option<&LogIn> {
        self.log_in.as_ref()
    }

    /// A single Redis, Sentinels or a Cluster.
    #[must_use]
    pub const fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Which addresses the Redis may have.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        self.reach
    }

    /// The hosts of the address.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        match &self.topology {
            Topology::Single(host) => std::slice::from_ref(host),
            Topology::Sentinels { hosts, .. } | Topology::Cluster(hosts) => hosts,
        }
    }
}

impl LogIn {
    /// The user; `None` is Redis' user `default`.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password, a secret: for the log-in alone.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    fn parse(text: &str) -> Result<Self, NotAnAddress> {
        if text.split(':').any(|part| part == MASK) {
            return Err(NotAnAddress::Masked);
        }
        let decoded = |part| match percent_decode_str(part).decode_utf8() {
            Ok(text) => Ok(Box::from(text)),
            Err(_) => Err(NotAnAddress::LogIn),
        };
        let (user, password) = text.split_once(':').ok_or(NotAnAddress::LogIn)?;
        let (user, password): (Box<str>, Box<str>) = (decoded(user)?, decoded(password)?);
        if password.is_empty() {
            return Err(NotAnAddress::LogIn);
        }
        Ok(Self { user: Some(user).filter(|user| !user.is_empty()), password })
    }
}

fn single(hosts: &str, path: &str) -> Result<Topology, NotAnAddress> {
    let mut hosts = parse_hosts(hosts, REDIS_PORT)?;
    check_database(path)?;
    match (hosts.pop(), hosts.is_empty()) {
        (Some(host), true) => Ok(Topology::Single(host)),
        _ => Err(NotAnAddress::SeveralHosts),
    }
}

fn cluster(hosts: &str, path: &str) -> Result<Topology, NotAnAddress> {
    let hosts = parse_hosts(hosts, REDIS_PORT)?;
    check_database(path)?;
    Ok(Topology::Cluster(hosts))
}

fn sentinels(hosts: &str, path: &str) -> Result<Topology, NotAnAddress> {
    let hosts = parse_hosts(hosts, SENTINEL_PORT)?;
    let (master, database) = path.split_once('/').unwrap_or((path, ""));
    check_database(database)?;
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    match master {
        "" => Err(NotAnAddress::NoMaster),
        master if master.bytes().all(is_legal) => {
            Ok(Topology::Sentinels { hosts, master: Box::from(master) })
        }
        _ => Err(NotAnAddress::Path),
    }
}

fn check_database(path: &str) -> Result<(), NotAnAddress> {
    if path.bytes().all(|b| b.is_ascii_digit()) { Ok(()) } else { Err(NotAnAddress::Path) }
}

fn parse_hosts(text: &str, port: u16) -> Result<Vec<Host>, NotAnAddress> {
    text.split(',').map(|host| Host::parse(host, port)).collect()
}

impl Host {
    /// Parses `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`.
    fn parse(text: &str, usual_port: u16) -> Result<Self, NotAnAddress> {
        let (name, port, is_address) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(NotAnAddress::Host)?;
                (address, port, true)
            }
            None => {
                let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
                (name, port, false)
            }
        };
        let is_legal = |b: u8| match is_address {
            true => b.is_ascii_hexdigit() || matches!(b, b':' | b'.'),
            false => b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'),
        };
        let port = match port {
            "" => Some(usual_port),
            port => port.strip_prefix(':').and_then(|port| port.parse().ok()).filter(|port| *port > 0),
        };
        match port {
            Some(port) if (1..=253).contains(&name.len()) && name.bytes().all(is_legal) => {
                Ok(Self { name: Box::from(name), port })
            }
            _ => Err(NotAnAddress::Host),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.contains(':') {
            true => write!(f, "[{}]:{}", self.name, self.port),
            false => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

/// The printable form: user and password are masked.
impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "rediss" } else { "redis" })?;
        f.write_str(match self.topology {
            Topology::Single(_) => "://",
            Topology::Sentinels { .. } => "+sentinel://",
            Topology::Cluster(_) => "+cluster://",
        })?;
        if self.log_in.is_some() {
            write!(f, "{MASK}@")?;
        }
        for (at, host) in self.hosts().iter().enumerate() {
            write!(f, "{}{host}", if at == 0 { "" } else { "," })?;
        }
        match &self.topology {
            Topology::Sentinels { master, .. } => write!(f, "/{master}"),
            Topology::Single(_) | Topology::Cluster(_) => Ok(()),
        }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_in(address: &RedisAddress) -> Option<(Option<&str>, &str)> {
        address.log_in().map(|log_in| (log_in.user(), log_in.password()))
    }

    #[test]
    fn each_form_is_read_and_shown_without_user_and_password() {
        for (text, shown) in [
            ("redis://db.example", "redis://db.example:6379"),
            (" redis://127.0.0.1:6380/3 ", "redis://127.0.0.1:6380"),
            ("rediss://[::1]:6380", "rediss://[::1]:6380"),
            ("redis://[fe80::1]", "redis://[fe80::1]:6379"),
            ("redis://:hush@db", "redis://***@db:6379"),
            ("rediss://fanfare:hush@db:1/0", "rediss://***@db:1"),
            ("redis+sentinel://a,b:1/main", "redis+sentinel://a:26379,b:1/main"),
            ("rediss+sentinel://u:hush@a/main/2", "rediss+sentinel://***@a:26379/main"),
            ("redis+cluster://a:7000,b:7001", "redis+cluster://a:7000,b:7001"),
            ("rediss+cluster://:hush@a", "rediss+cluster://***@a:6379"),
        ] {
            let address = RedisAddress::parse(text).expect(text);
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), format!("Address({shown})"));
        }
    }

    #[test]
    fn user_and_password_may_hold_any_character() {
        for (text, expected) in [
            ("redis://h", None),
            ("redis://:p@h", Some((None, "p"))),
            ("redis://u:p@h", Some((Some("u"), "p"))),
            ("redis://u%3A:p%40%2F%C3%BC@h", Some((Some("u:"), "p@/ü"))),
            ("redis://u:p:p@p/p?p#p@h", Some((Some("u"), "p:p@p/p?p#p"))),
        ] {
            assert_eq!(log_in(&RedisAddress::parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn the_same_redis_with_the_same_rights_is_one_address_whatever_the_database() {
        let parse = |text| RedisAddress::parse(text).unwrap();
        assert_eq!(parse("redis://u:p@h"), parse("redis://u:p@h:6379/5"));
        assert_ne!(parse("redis://u:p@h"), parse("redis://u:q@h"));
        assert_ne!(parse("redis://u:p@h"), parse("rediss://u:p@h"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        use NotAnAddress::{Host, LogIn, Masked, NoMaster, Path, Scheme, SeveralHosts, TooLong};
        let long = format!("redis://:{}@h", "hush".repeat(600));
        for (text, fault) in [
            ("", Scheme),
            ("hush", Scheme),
            ("127.0.0.1:6379", Scheme),
            ("hush://h", Scheme),
            ("REDIS://h", Scheme),
            ("redis+hush://h", Scheme),
            ("redis+sentinel+cluster://h/m", Scheme),
            ("redis://hush@h", LogIn),
            ("redis://hush:@h", LogIn),
            ("redis://:%FF@h", LogIn),
            ("redis://***@h", Masked),
            ("redis://u:***@h", Masked),
            ("redis://", Host),
            ("redis://:hush", Host),
            ("redis://u:hush", Host),
            ("redis://h:0", Host),
            ("redis://h:65536", Host),
            ("redis://h:", Host),
            ("redis://::1", Host),
            ("redis://[::1", Host),
            ("redis://[::1]hush", Host),
            ("redis://h?password=hush", Host),
            ("redis+cluster://a,,b", Host),
            ("redis://a,b", SeveralHosts),
            ("redis+sentinel://a,b", NoMaster),
            ("redis+sentinel://a/", NoMaster),
            ("redis+sentinel://a/m?hush=1", Path),
            ("redis://h/hush", Path),
            ("redis+cluster://h/0?password=hush", Path),
            (&long, TooLong),
        ] {
            let found = RedisAddress::parse(text).expect_err(text);
            assert_eq!(found, fault, "{text}");
            assert!(!format!("{found} {found:?}").contains("hush"), "{text}");
        }
    }
}
