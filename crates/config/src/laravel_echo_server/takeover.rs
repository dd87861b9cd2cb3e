//! What is taken over, and the words about what is not.
//!
//! Knows no meaning of an option, except of those that mean nothing to Fanfare.

use std::path::Path;

use fanfare_apps::nearest;
use toml::Value;

use super::options::{Found, Options};
use crate::fault::{Cause, Fault, Origin};
use crate::given::{Given, GivenEntry};

/// Options that Fanfare needs nothing of, with the reason.
const NOT_NEEDED: [(&str, &str); 4] = [
    ("database", "who is on a presence channel follows from the connections alone"),
    ("databaseConfig.sqlite", "who is on a presence channel follows from the connections alone"),
    ("secureOptions", "only TLS 1.2 and 1.3 are spoken"),
    ("dev", "devMode says so"),
];

/// The options at the top of the file.
const KNOWN: [&str; 19] = [
    "apiOriginAllow",
    "authEndpoint",
    "authHost",
    "clients",
    "database",
    "databaseConfig",
    "dev",
    "devMode",
    "headers",
    "host",
    "port",
    "protocol",
    "secureOptions",
    "socketio",
    "sslCertChainPath",
    "sslCertPath",
    "sslKeyPath",
    "sslPassphrase",
    "subscribers",
];

/// A setting that is taken over.
pub(super) struct Taken {
    pub given: Given,
    /// The option or variable, for the operator.
    pub said: String,
}

/// Everything that an option or variable has led to.
#[derive(Default)]
pub(super) struct Takeover {
    /// Settings of the node.
    pub settings: Vec<Taken>,
    /// Settings of the app that Socket.IO is for.
    pub app: Vec<Taken>,
    /// Clients of the HTTP API.
    pub clients: Vec<GivenEntry>,
    /// What is taken over besides [`Self::settings`], in words.
    pub taken: Vec<String>,
    /// The settings of the app that count, each with its option.
    pub of_app: Vec<(String, String)>,
    /// Whether the secret of the app is random.
    pub has_random_secret: bool,
    /// What changes nothing for anybody.
    pub not_needed: Vec<String>,
    /// What is otherwise than before, as it should be.
    pub different: Vec<String>,
    /// What is not taken over and may be missed, and what is most likely not wanted.
    pub warnings: Vec<String>,
    /// Warnings that hold only while no other source overrides the setting.
    doubts: Vec<(&'static str, String)>,
    pub faults: Vec<Fault>,
}

impl Takeover {
    /// Socket.IO is what laravel-echo-server speaks.
    pub fn switch_on(&mut self, path: &Path) {
        let place = Origin::File { path: path.to_owned(), line: 0, column: None };
        self.set(("socketio.enabled", true), place, "laravel-echo-server speaks it");
    }

    /// Takes over a setting of the node.
    pub fn set(&mut self, (key, value): (&str, impl Into<Value>), place: Origin, said: impl Into<String>) {
        let given = Given { place, key: key.to_owned(), value: value.into() };
        self.settings.push(Taken { given, said: said.into() });
    }

    /// Takes over a setting of the app.
    pub fn set_app(
        &mut self,
        (key, value): (&str, impl Into<Value>),
        place: Origin,
        said: impl Into<String>,
    ) {
        let given = Given { place, key: key.to_owned(), value: value.into() };
        self.app.push(Taken { given, said: said.into() });
    }

    /// An option means nothing to Fanfare, and nobody misses its effect.
    pub fn not_needed(&mut self, said: &str, reason: &str) {
        self.not_needed.push(format!("{said}: not needed: {reason}"));
    }

    /// An option has no equal, and somebody may miss its effect.
    pub fn unsupported(&mut self, said: &str, reason: &str) {
        self.warnings.push(format!("{said}: not supported: {reason}"));
    }

    /// Warns of a setting, unless another source overrides that.
    pub fn warn_if_used(&mut self, setting: &'static str, warning: String) {
        self.doubts.push((setting, warning));
    }

    /// Turns doubts into warnings; `is_used` tells whether a setting is that of the file.
    pub fn settle_doubts(&mut self, is_used: impl Fn(&str) -> bool) {
        let doubts = std::mem::take(&mut self.doubts);
        self.warnings
            .extend(doubts.into_iter().filter(|(setting, _)| is_used(setting)).map(|(_, text)| text));
    }

    /// A value has the wrong type, or no meaning.
    pub fn wrong(&mut self, place: Origin, expected: &str, found: &str) {
        let cause = Cause::WrongOption { expected: expected.to_owned(), found: found.to_owned() };
        self.faults.push(Fault { place, cause });
    }

    /// Names the options that mean nothing to Fanfare, and those that nobody knows.
    pub fn name_the_rest(&mut self, options: &Options) {
        for (key, reason) in NOT_NEEDED {
            if let Some(Found { said, .. }) = options.get(key) {
                self.not_needed(&said, reason);
            }
        }
        for key in options.root.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
            self.unknown(key, KNOWN.into_iter());
        }
        let ours = ["redis", "sqlite", "publishPresence"];
        for key in options.below("databaseConfig").iter().filter(|key| !ours.contains(&key.as_str())) {
            self.unknown(&format!("databaseConfig.{key}"), ours.into_iter());
        }
        for name in &options.variables.unknown {
            self.warnings.push(format!("{name}: unknown: laravel-echo-server has no such variable"));
        }
    }

    /// An option that laravel-echo-server does not have either.
    pub fn unknown<'k>(&mut self, said: &str, known: impl Iterator<Item = &'k str>) {
        let name = said.rsplit('.').next().unwrap_or(said);
        let hint = nearest(name, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        self.warnings.push(format!("{said}: unknown: laravel-echo-server has no such option{hint}"));
    }
}
