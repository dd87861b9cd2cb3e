//! The messages to an operator, sentence by sentence.

mod apps;
mod authorization;
mod bus;
mod environment;
mod file;
mod laravel;
mod laravel_echo_server;
mod rules;
mod shown;
mod socketio;
mod webhooks;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Config, Flags, Sources};

/// Lines of TOML for an app without faults.
const APP_3: &str = "[[apps.list]]\nid = \"3\"\nkey = \"key-3\"\nsecret = \"hush-3\"\n";

/// The inputs of a server's start.
#[derive(Default)]
struct Setup {
    directory: Option<TempDir>,
    sources: Sources,
}

impl Setup {
    /// With this configuration file.
    fn file(toml: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fanfare.toml");
        fs::write(&path, toml).unwrap();
        let sources = Sources { file: Some(path), ..Sources::default() };
        Self { directory: Some(directory), sources }
    }

    fn env(mut self, variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.sources.environment.extend(variables);
        self
    }

    fn flags(mut self, flags: Flags) -> Self {
        self.sources.flags = flags;
        self
    }

    #[track_caller]
    fn load(&self) -> Config {
        Config::load(&self.sources).unwrap_or_else(|faults| panic!("{faults:#?}"))
    }

    /// The faults as printed, without the file's directory.
    #[track_caller]
    fn faults(&self) -> Vec<String> {
        let directory = self.directory.as_ref().map_or_else(PathBuf::new, |dir| dir.path().join(""));
        let faults = Config::load(&self.sources).expect_err("a fault");
        let printed = faults.iter().map(ToString::to_string);
        printed.map(|fault| fault.replace(&*directory.to_string_lossy(), "")).collect()
    }

    #[track_caller]
    fn expect_faults(&self, expected: &[&str]) {
        assert_eq!(self.faults(), expected);
    }
}

/// With these variables and no file.
fn env(variables: &[(&str, &str)]) -> Setup {
    Setup::default().env(variables)
}
