//! The configuration: where settings come from, and what they must be.
//!
//! Defaults, then a Laravel application's `.env`, the file, the environment, the command line; the later
//! wins. Reads everything it is given before it says no: all faults are told at once. Shows no secret.

mod apps;
mod authorities;
mod database;
mod environment;
mod fault;
mod file;
mod keys;
mod laravel;
mod master_key;
mod print;
mod redis_feed;
mod rules;
mod settled;
mod timeouts;
mod tls;
mod value;
mod webhook_list;
mod webhooks;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;

use fanfare_apps::{Database, MasterKeys};
use fanfare_outgoing::Reach;
use fanfare_protocol::app::{App, Limits as AppLimits};
use ipnet::IpNet;
use serde::Deserialize;

pub use self::authorities::Authorities;
pub use self::fault::{Cause, Fault, Place};
pub use self::laravel::Laravel;
pub use self::redis_feed::{NoFeed, RedisFeed};
pub use self::timeouts::Timeouts;
pub use self::tls::Tls;
pub use self::webhooks::Webhooks;

use self::apps::{FixedApp, GivenApp};
use self::keys::Keys;
use self::settled::{Given, Settled};

/// Where settings are read from.
#[derive(Default)]
pub struct Sources {
    /// A TOML file.
    pub file: Option<PathBuf>,
    /// A Laravel project's directory, or its `.env`.
    pub laravel: Option<PathBuf>,
    /// Names and values; those that mean nothing to Fanfare are ignored.
    pub environment: Vec<(String, String)>,
    /// What the command line says.
    pub flags: Flags,
    /// Whether the files of `[tls]` are looked into, which commands that serve nobody have no need of.
    pub certificate: bool,
    /// Whether variables may name an app in part, for commands whose options may say the rest.
    pub apps_in_part: bool,
}

/// The settings that the command line has options for.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--tls-listen`.
    pub tls_listen: Option<SocketAddr>,
    /// `--admin-listen`.
    pub admin_listen: Option<SocketAddr>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
}

/// Every setting, checked.
#[derive(Debug)]
pub struct Config {
    /// `[listen]`.
    pub listen: Listen,
    /// `[limits]` of the node; those of apps are in [`Config::default_limits`].
    pub limits: Limits,
    /// `[timeouts]`.
    pub timeouts: Timeouts,
    /// Whose certificates are believed.
    pub authorities: Authorities,
    /// `[apps]` but for the apps themselves.
    pub apps: Apps,
    /// `[redis_feed]`.
    pub redis_feed: RedisFeed,
    /// `[webhooks]`.
    pub webhooks: Webhooks,
    /// `[log]`.
    pub log: Log,
    /// What a Laravel application's `.env` has said.
    pub laravel: Option<Laravel>,
    default_limits: AppLimits,
    fixed: Vec<FixedApp>,
    database: Option<Database>,
    master_keys: MasterKeys,
    settled: Settled,
}

/// `[listen]`: addresses and what is expected of whoever comes.
#[derive(Clone, Debug, Deserialize)]
pub struct Listen {
    /// Where clients and back ends connect.
    pub addr: SocketAddr,
    /// Where metrics and health are answered.
    pub admin_addr: SocketAddr,
    /// Names that the second may be asked by, besides localhost and addresses.
    pub admin_hosts: Vec<String>,
    /// In front of every public path; empty, or begins with a slash and ends without one (WS-003).
    pub path_prefix: String,
    /// Who is believed on the clients behind it: `X-Forwarded-For`, `X-Forwarded-Proto` and the like (WS-063).
    pub trusted_proxies: Vec<IpNet>,
    /// Refuse clients that name no protocol version.
    pub version_required: bool,
    /// `[tls]`: another listener, if there is one.
    #[serde(skip)]
    pub tls: Option<Tls>,
}

/// `[limits]` of the whole node.
#[derive(Clone, Debug, Deserialize)]
pub struct Limits {
    /// Most WebSockets; 0 means as many as file descriptors allow.
    pub connections: usize,
    /// Most HTTP connections of the public listeners; 0 means a share of the file descriptors.
    pub http_connections: usize,
    /// Most of those from one client address; 0 means a quarter.
    pub http_connections_per_address: usize,
    /// Largest message from a client, in bytes.
    pub message_bytes: usize,
    /// Most bytes that wait for one client.
    pub outbox_bytes: usize,
    /// Most bytes that wait for all clients together, incomplete messages of theirs included; 0 means a quarter of
    /// the memory there is.
    pub outboxes_bytes: usize,
    /// Most subscriptions of one connection.
    pub channels_per_connection: usize,
    /// Most subscriptions that one connection may ask for in each second.
    pub subscriptions_per_second: usize,
    /// Largest HTTP body, in bytes.
    pub request_bytes: usize,
    /// Most questions to one app's application at once.
    pub authorizations: usize,
    /// Most that wait for such a question to be over.
    pub authorizations_waiting: usize,
    /// Most questions to the applications of all apps together, asked and waiting; 0: as descriptors allow.
    pub authorizations_node: usize,
    /// Largest answer of an application, in bytes.
    pub authorization_bytes: usize,
}

/// `[apps]`: how apps are kept.
#[derive(Clone, Debug, Deserialize)]
pub struct Apps {
    /// How long an app read from the database is used before it is read again.
    pub cache_seconds: u64,
    /// Where files are kept.
    pub data_dir: PathBuf,
    /// Whether what apps name may be at addresses that are not public.
    pub allow_private: bool,
}

impl Apps {
    /// Where webhooks, applications and Redis servers of apps may be.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        if self.allow_private { Reach::Anywhere } else { Reach::PublicOnly }
    }
}

/// `[log]`.
#[derive(Clone, Debug, Deserialize)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines there are, in the syntax of `tracing`'s filters.
    pub filter: String,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What all sources say together: settings by key, and apps.
#[derive(Default)]
struct Said {
    settings: Vec<Given>,
    apps: Vec<GivenApp>,
}

impl Config {
    /// Reads and checks all settings.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the sources.
    pub fn load(sources: &Sources) -> Result<Self, Vec<Fault>> {
        let keys = Keys::all();
        let mut faults = Vec::new();
        let mut said = Said::default();
        if let Some(path) = &sources.file {
            file::read(path, &keys, &mut said, &mut faults);
        }
        let mut settled = Settled::of_defaults();
        let project = sources.laravel.as_deref();
        let project = project.and_then(|path| laravel::open(path, &sources.environment, &mut faults));
        if let Some(project) = &project {
            let given = laravel::settings(project, &settled.text("listen.addr"), &mut faults);
            settled.put_all(given, &keys, &mut faults);
        }
        settled.put_all(std::mem::take(&mut said.settings), &keys, &mut faults);
        let port_of = settled.text("listen.addr");
        // With a Laravel project that variable is the application's own.
        let is_ours = |name: &str| project.is_none() || name != "DATABASE_URL";
        let ours: Vec<_> = sources.environment.iter().filter(|(name, _)| is_ours(name)).cloned().collect();
        environment::read(&ours, port_of, &keys, &mut said, &mut faults);
        environment::read_apps(&sources.environment, project.as_ref(), &mut said, &mut faults);
        if sources.apps_in_part {
            faults.retain(|fault| !matches!(fault.cause, Cause::VariableMissing { .. }));
        }
        said.settings.extend(sources.flags.given(&mut faults));
        settled.put_all(said.settings, &keys, &mut faults);
        let default_limits = settled.app_limits();
        let fixed = apps::resolve(said.apps, &default_limits, &keys, &mut faults);
        rules::check(&settled, &default_limits, &fixed, &mut faults);
        let redis_feed = redis_feed::read(&settled, &fixed, &mut faults);
        let authorities = Authorities::read(&settled, &mut faults);
        let variable = sources.environment.iter().find(|(name, _)| name == master_key::VARIABLE);
        let variable = variable.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty());
        let master_keys = master_key::read(variable, &settled, &mut faults);
        let tls = tls::read(&settled, sources.certificate, &mut faults);
        faults.sort_by_key(|fault| fault.place.order());
        if faults.is_empty() {
            let config = Self::from_settled(settled, default_limits, fixed, redis_feed, authorities);
            // What is shown of the settings is masked by now.
            let laravel =
                project.as_ref().map(|project| Laravel::new(project, &config.settled, &config.fixed));
            Ok(Self { master_keys, laravel, listen: Listen { tls, ..config.listen }, ..config })
        } else {
            Err(faults)
        }
    }

    fn from_settled(
        mut settled: Settled,
        default_limits: AppLimits,
        fixed: Vec<FixedApp>,
        redis_feed: RedisFeed,
        authorities: Authorities,
    ) -> Self {
        let apps: Apps = settled.section("apps");
        let database = match (&*settled.text("apps.database"), fixed.is_empty()) {
            ("", false) => None,
            ("", true) => Some("sqlite".to_owned()),
            (named, _) => Some(named.to_owned()),
        };
        let database = database.map(|text| {
            Database::parse(&text, &apps.data_dir).expect("the name of the database was checked")
        });
        if !settled.text("apps.database").is_empty() {
            settled.mask("apps.database", database.as_ref().map_or_else(String::new, ToString::to_string));
        }
        if let Some(address) = &redis_feed.address {
            settled.mask("redis_feed.url", address.to_string());
        }
        Self {
            redis_feed,
            authorities,
            listen: settled.section("listen"),
            limits: settled.section("limits"),
            timeouts: settled.section("timeouts"),
            webhooks: settled.section("webhooks"),
            log: settled.section("log"),
            apps,
            default_limits,
            fixed,
            database,
            master_keys: MasterKeys::default(),
            laravel: None,
            settled,
        }
    }

    /// The apps of the file and the environment, every setting resolved.
    #[must_use]
    pub fn fixed_apps(&self) -> Vec<App> {
        self.fixed.iter().map(|fixed| fixed.app.clone()).collect()
    }

    /// Every setting as it holds, in TOML, with secrets masked and where it comes from.
    #[must_use]
    pub fn effective(&self) -> String {
        print::effective(self)
    }
}

impl Default for Config {
    /// What holds if nothing is said: `config/default.toml`.
    fn default() -> Self {
        Self::load(&Sources::default()).expect("a test loads the defaults")
    }
}

impl Flags {
    fn given(&self, faults: &mut Vec<Fault>) -> Vec<Given> {
        let given = |flag, key: &str, text: String| Given {
            place: Place::Flag(flag),
            key: key.to_owned(),
            value: text.into(),
        };
        let mut all = Vec::new();
        all.extend(self.listen.map(|addr| given("--listen", "listen.addr", addr.to_string())));
        all.extend(self.tls_listen.map(|addr| given("--tls-listen", "tls.addr", addr.to_string())));
        all.extend(
            self.admin_listen.map(|addr| given("--admin-listen", "listen.admin_addr", addr.to_string())),
        );
        if let Some(path) = &self.data_dir {
            match path.to_str() {
                Some(text) => all.push(given("--data-dir", "apps.data_dir", text.to_owned())),
                None => faults.push(Fault { place: Place::Flag("--data-dir"), cause: Cause::NotUtf8 }),
            }
        }
        all
    }
}
