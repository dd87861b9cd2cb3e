//! Faults of a configuration, worded for the operator.
//!
//! One line each: the place, the fault, and the remedy. Never repeats a secret, nor the URL of a database or
//! a Redis.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

use fanfare_apps::NotADatabase;
use fanfare_outgoing::TrustError;
use fanfare_redis::NotAnAddress;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The place of the faulty setting.
    pub place: Origin,
    /// The fault itself.
    pub cause: Cause,
}

/// The origin of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The built-in default.
    Default,
    /// The configuration file.
    File {
        /// The path as given.
        path: PathBuf,
        /// From 1; 0 means the whole file.
        line: usize,
        /// From 1; known only for a syntax error of TOML.
        column: Option<usize>,
    },
    /// An option in the file of a laravel-echo-server.
    Option {
        /// The path as given.
        path: PathBuf,
        /// The option, such as `databaseConfig.redis.host`.
        key: String,
    },
    /// A variable in the `.env` of a Laravel application.
    DotEnv {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The variable.
        name: String,
    },
    /// A variable of the environment.
    Variable(String),
    /// An option of the command line.
    Flag(&'static str),
}

/// The kind of fault. `key` is the full name of a setting, such as `limits.batch`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the sentences say what the fields are")]
pub enum Cause {
    #[error("cannot be read: {0}")]
    Unreadable(String),
    #[error("not valid TOML: {0}")]
    NotToml(String),
    #[error("a name that is not UTF-8 cannot be used")]
    NotUtf8,
    #[error("unknown section [{name}]; {hint}")]
    UnknownSection { name: String, hint: Hint },
    #[error("unknown key {key}; {hint}")]
    UnknownKey { key: String, hint: Hint },
    #[error("no such setting; {0}")]
    UnknownVariable(Hint),
    #[error(
        "apps cannot be listed in a variable; name one by PUSHER_APP_ID, PUSHER_APP_KEY and \
         PUSHER_APP_SECRET, or several in the configuration file"
    )]
    AppsInVariable,
    #[error(
        "clients cannot be listed in a variable; list them in the configuration file, with [[socketio.clients]] above each"
    )]
    ClientsInVariable,
    #[error("socketio.clients must be a list of clients; write [[socketio.clients]] above each")]
    NotClients,
    #[error(
        "certificates cannot be listed in a variable; set FANFARE__TLS__CERT_FILE and FANFARE__TLS__KEY_FILE for one, or list \
         them in the configuration file, with [[tls.certificates]] above each"
    )]
    CertificatesInVariable,
    #[error("tls.certificates must be a list of certificates; write [[tls.certificates]] above each")]
    NotCertificates,
    #[error("{certificate} has no {key}; every certificate needs cert_file and key_file")]
    CertificateIncomplete { certificate: String, key: &'static str },
    #[error("{client} has no {key}; every client needs app_id and key")]
    ClientIncomplete { client: String, key: &'static str },
    #[error(
        "{client}.key is the key of {app} as well, which every page of that app shows; give the client another, such as \
         `openssl rand -hex 20` prints"
    )]
    PublicClientKey { client: String, app: String },
    #[error("socketio.app: there is no app {0}")]
    NoSuchSocketIoApp(String),
    #[error("{name} must be a section; write [{name}] on a line of its own")]
    NotASection { name: String },
    #[error("apps.list must be a list of apps; write [[apps.list]] above each")]
    NotAList,
    #[error("{key} must be {expected}; found {found}")]
    Wrong { key: String, expected: String, found: String },
    #[error(
        "{key} is the secret of an example, which everybody knows; set a random one, such as `openssl rand -hex 20` \
         prints"
    )]
    Placeholder { key: String },
    #[error("{key} is a number too large to be read")]
    TooLarge { key: String },
    #[error("not valid JSON: {0}")]
    NotJson(String),
    #[error("must be {expected}; found {found}")]
    WrongOption { expected: String, found: String },
    /// A fault of a setting, in the words of the file that has the option.
    #[error("{text}")]
    OfOption { text: String },
    #[error("means nothing beside --laravel; name one of them")]
    TwoApplications,
    #[error("no random numbers: {0}")]
    NoRandom(String),
    #[error("{key}: {fault}")]
    Database { key: String, fault: NotADatabase },
    #[error(
        "{fault}; FANFARE__APPS__DATABASE overrides this variable, and means no database if set to nothing"
    )]
    DatabaseUrl { fault: NotADatabase },
    #[error("{key}: {fault}")]
    RedisUrl { key: String, fault: NotAnAddress },
    #[error("{key}, {path}: {fault}")]
    CaFile { key: String, path: String, fault: TrustError },
    #[error("{key}, {path}: {fault}")]
    HeadersFile { key: String, path: String, fault: String },
    #[error(
        "telemetry.otlp_endpoint: this program was built without traces, as packages and images are; take the setting out, or \
         build one with `cargo build --release --package fanfare-server --features otlp`"
    )]
    BuiltWithoutTraces,
    #[error("{key} is set, but there is no Redis to listen to; set {url}")]
    NoFeedUrl { key: String, url: String },
    #[error(
        "{key} is not set; write what Laravel has as database.redis.options.prefix, often laravel_database_ or \
         laravel-database-, or an empty text if there is none"
    )]
    NoFeedPrefix { key: String },
    #[error(
        "redis_feed.app is empty, and there is not exactly one app in the configuration that it could be; \
         name it, or give apps a redis_feed.prefix of their own"
    )]
    NoFeedApp,
    #[error("redis_feed.app: there is no app {0}")]
    NoSuchFeedApp(String),
    #[error("{app} has the same Redis and prefix as {other}; a broadcast can be for one app only")]
    SameFeed { app: String, other: String },
    #[error(
        "bus.urls has a Cluster beside another URL; a Cluster divides the work itself, so name it alone, with as many \
         of its hosts as you like"
    )]
    BusOfClusters,
    #[error("bus.urls names {url} twice; name each Redis once")]
    SameBus { url: String },
    #[error(
        "bus.urls names another database than 0 of {url}; leave the number out: what nodes publish goes to all databases, \
         and several clusters share a Redis with a bus.prefix each"
    )]
    BusDatabase { url: String },
    #[error(
        "apps.database is a SQLite file, which other nodes cannot read; with bus.urls use \
         postgres://USER:PASSWORD@HOST/NAME, or list the same apps in the configuration of every node"
    )]
    BusWithSqlite,
    #[error(
        "bus.urls is set, but no app and no database is named, and other nodes cannot read the SQLite file that this \
         one would keep; set apps.database to postgres://USER:PASSWORD@HOST/NAME, or list the same apps in the \
         configuration of every node"
    )]
    BusWithoutApps,
    #[error(
        "bus.settling ({settling} s) must be longer than bus.lease ({lease} s): within it, nodes that were cut off \
         come back; raise bus.settling or lower bus.lease"
    )]
    ShortSettling { settling: u64, lease: u64 },
    #[error("not a .env: {0}")]
    NotADotEnv(String),
    #[error(
        "Laravel writes the letters of this name in ASCII by a table of its own, so that the prefix of its \
         Redis channels is not known; set REDIS_PREFIX to what `php artisan tinker --execute=\"echo \
         config('database.redis.options.prefix');\"` prints"
    )]
    PrefixUnknown,
    #[error("{what}{fault}")]
    MasterKey { what: String, fault: String },
    #[error("{app} has no {key}; every app needs id, key and secret")]
    Missing { app: String, key: &'static str },
    #[error("not set, but {given}; set all three or none")]
    VariableMissing { given: String },
    #[error("{text}")]
    Webhook { text: String },
    #[error(
        "{key} is true, but there is no database to keep undelivered requests in; set apps.database, or leave \
         durable out"
    )]
    NowhereToKeep { key: String },
    #[error("{key} must be a list of webhooks; write [[apps.list.webhooks]] above each")]
    NotWebhooks { key: String },
    #[error("the {what} {value} belongs to {other} already; give each app its own")]
    Taken { what: &'static str, value: String, other: String },
    #[error("{one} and {other} want the same port; give each its own")]
    SamePort { one: String, other: String },
    #[error(
        "{given} set without {missing}; set all three, or tls.addr with [[tls.certificates]] or [tls.acme]"
    )]
    TlsIncomplete { given: String, missing: String },
    #[error(
        "tls.acme.domains is set without tls.acme.terms_agreed; read the terms of the certificate authority (of Let's Encrypt: \
         https://letsencrypt.org/repository/), and set it to true if you agree"
    )]
    AcmeTerms,
    #[error("tls.acme.domains has more than {most} names, which is more than a certificate can have")]
    ManyAcmeNames { most: usize },
    #[error("tls.acme.directory must begin with https://")]
    AcmeDirectory,
    #[error("{given} is set without {missing}; an external account needs both")]
    HalfOfEab { given: &'static str, missing: &'static str },
    #[error("{given} set without tls.addr, where to listen; set it, such as to \"0.0.0.0:443\"")]
    TlsWithoutAddress { given: String },
    #[error("{key}: {fault}")]
    Certificate { key: String, fault: String },
    #[error("{key} ({value}) must be at least {least}, {reason}; raise it or lower {others}")]
    TooSmall { key: String, value: usize, least: usize, reason: &'static str, others: String },
}

/// A suggestion for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// The nearest name that exists.
    Nearest(String),
    /// No name is near.
    Reference,
}

impl Origin {
    /// The order of faults: by source, and within the file by line.
    pub(super) fn order(&self) -> (u8, usize) {
        match self {
            Self::File { line, .. } => (0, *line),
            Self::Option { .. } => (1, 0),
            Self::DotEnv { line, .. } => (2, *line),
            Self::Variable(_) => (3, 0),
            Self::Flag(_) => (4, 0),
            Self::Default => (5, 0),
        }
    }
}

/// One line, whatever names the fault repeats: control characters are escaped.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.place {
            Origin::Default => self.cause.to_string(),
            place => format!("{place}: {}", self.cause),
        };
        text.chars().try_for_each(|character| match character.is_control() {
            true => write!(f, "{}", character.escape_default()),
            false => f.write_char(character),
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: 0, .. } => write!(f, "{}", path.display()),
            Self::File { path, line, column: None } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line, column: Some(column) } => {
                write!(f, "{}:{line}:{column}", path.display())
            }
            Self::Option { path, key } => write!(f, "{}: {key}", path.display()),
            Self::DotEnv { path, line, name } => write!(f, "{}:{line}: {name}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nearest(name) => write!(f, "did you mean {name}?"),
            Self::Reference => f.write_str("config/default.toml lists all that there are"),
        }
    }
}
