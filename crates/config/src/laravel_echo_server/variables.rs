//! The variables of a laravel-echo-server: real ones, and those of the `.env` beside its file.
//!
//! A real variable goes before the `.env`, and an empty one counts as unset.

use std::collections::BTreeMap;
use std::path::Path;

use fanfare_laravel::dotenv::DotEnv;

use crate::fault::{Cause, Fault, Origin};

const PREFIX: &str = "LARAVEL_ECHO_SERVER_";

/// The end of each variable's name, and the option.
const VARIABLES: [(&str, &str); 12] = [
    ("AUTH_HOST", "authHost"),
    ("DEBUG", "devMode"),
    ("HOST", "host"),
    ("PORT", "port"),
    ("REDIS_HOST", "databaseConfig.redis.host"),
    ("REDIS_PORT", "databaseConfig.redis.port"),
    ("REDIS_PASSWORD", "databaseConfig.redis.password"),
    ("PROTO", "protocol"),
    ("SSL_CERT", "sslCertPath"),
    ("SSL_KEY", "sslKeyPath"),
    ("SSL_CHAIN", "sslCertChainPath"),
    ("SSL_PASS", "sslPassphrase"),
];

/// The variables that are set, by option. Not `Debug`: one is a password.
#[derive(Default)]
pub(super) struct Variables {
    set: BTreeMap<&'static str, (String, Origin, String)>,
    /// Variables of that beginning that laravel-echo-server does not know.
    pub unknown: Vec<String>,
}

impl Variables {
    /// The value of an option, the place and the name of its variable.
    pub fn get(&self, option: &str) -> Option<&(String, Origin, String)> {
        self.set.get(option)
    }

    fn put(&mut self, name: &str, value: String, place: Origin) {
        let Some(rest) = name.strip_prefix(PREFIX) else { return };
        match VARIABLES.into_iter().find(|(end, _)| *end == rest) {
            Some(_) if value.is_empty() => {}
            Some((_, option)) => {
                self.set.insert(option, (value, place, name.to_owned()));
            }
            None => self.unknown.push(name.to_owned()),
        }
    }
}

/// Reads the variables; a `.env` that holds some of them and cannot be read becomes a fault.
pub(super) fn read(file: &Path, environment: &[(String, String)], faults: &mut Vec<Fault>) -> Variables {
    let outside = |name: &str| {
        let found = environment.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.clone())
    };
    let path = file.with_file_name(".env");
    let mut variables = Variables::default();
    // A .env that is not there, or not a text, names no variable.
    let text = crate::bounded_file::text(&path).unwrap_or_default();
    match DotEnv::parse(&text, outside) {
        Ok(read) => {
            for entry in read.entries() {
                let (path, name) = (path.clone(), entry.name.clone());
                let place = Origin::DotEnv { path, line: entry.line, name };
                variables.put(&entry.name, entry.value.clone().unwrap_or_default(), place);
            }
        }
        Err(fault) if text.contains(PREFIX) => {
            let place = Origin::File { path, line: fault.line, column: None };
            faults.push(Fault { place, cause: Cause::NotADotEnv(fault.to_string()) });
        }
        // The application's own file, which says nothing to laravel-echo-server.
        Err(_) => {}
    }
    for (name, value) in environment {
        let value = match value.split_once("${").and_then(|(_, rest)| rest.split_once('}')) {
            Some((other, _)) => outside(other).unwrap_or_default(),
            None => value.clone(),
        };
        variables.put(name, value, Origin::Variable(name.clone()));
    }
    variables
}
