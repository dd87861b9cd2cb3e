//! The sources of settings: the caller's findings on the command line and in the environment.
//!
//! Reads nothing itself.

use std::path::PathBuf;

use super::fault::{Cause, Fault, Origin};
use super::given::Given;

/// Names the configuration file where the command line does not.
pub(super) const CONFIG: &str = "FANFARE_CONFIG";

/// Names a file with a package's defaults, such as those of the Docker image.
pub(super) const DEFAULTS: &str = "FANFARE_DEFAULTS";

/// Names the file of a laravel-echo-server where the command line does not.
pub(super) const LARAVEL_ECHO_SERVER: &str = "FANFARE_LARAVEL_ECHO_SERVER";

/// The sources of settings.
#[derive(Default)]
pub struct Sources {
    /// A TOML file; `None`: the file that the variable `FANFARE_CONFIG` names.
    pub file: Option<PathBuf>,
    /// A Laravel project's directory, or its `.env`.
    pub laravel: Option<PathBuf>,
    /// The `laravel-echo-server.json` of a server that Fanfare replaces, or its directory; `None`: the one that the
    /// variable `FANFARE_LARAVEL_ECHO_SERVER` names.
    pub laravel_echo_server: Option<PathBuf>,
    /// Names and values; unknown variables are ignored.
    pub environment: Vec<(String, String)>,
    /// The options of the command line.
    pub flags: Flags,
    /// Whether the files of `[tls]` are read; commands that serve nobody skip them.
    pub certificate: bool,
    /// Whether variables may name an app in part, for commands whose options may complete the app.
    pub apps_in_part: bool,
}

/// The settings that the command line has options for.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--listen`.
    pub listen: Option<String>,
    /// `--tls-listen`.
    pub tls_listen: Option<String>,
    /// `--admin-listen`.
    pub admin_listen: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
}

impl Sources {
    /// The configuration file.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        self.file.clone().or_else(|| self.named_by(CONFIG))
    }

    /// The file of a laravel-echo-server. The variable means nothing to a command that is told of a Laravel project.
    pub(super) fn laravel_echo_server(&self) -> Option<PathBuf> {
        let by_variable = || self.laravel.is_none().then(|| self.named_by(LARAVEL_ECHO_SERVER)).flatten();
        self.laravel_echo_server.clone().or_else(by_variable)
    }

    /// The file of defaults, which every other source overrides.
    pub(super) fn defaults(&self) -> Option<PathBuf> {
        self.named_by(DEFAULTS)
    }

    /// An empty variable counts as unset.
    fn named_by(&self, variable: &str) -> Option<PathBuf> {
        let (_, value) = self.environment.iter().find(|(name, _)| name == variable)?;
        (!value.is_empty()).then(|| value.into())
    }
}

impl Flags {
    pub(super) fn given(&self, faults: &mut Vec<Fault>) -> Vec<Given> {
        let given = |flag, key: &str, text: String| Given {
            place: Origin::Flag(flag),
            key: key.to_owned(),
            value: text.into(),
        };
        let mut all = Vec::new();
        let addresses = [
            ("--listen", "listen.addr", &self.listen),
            ("--tls-listen", "tls.addr", &self.tls_listen),
            ("--admin-listen", "listen.admin_addr", &self.admin_listen),
        ];
        for (flag, key, text) in addresses {
            all.extend(text.clone().map(|text| given(flag, key, text)));
        }
        if let Some(path) = &self.data_dir {
            match path.to_str() {
                Some(text) => all.push(given("--data-dir", "apps.data_dir", text.to_owned())),
                None => faults.push(Fault { place: Origin::Flag("--data-dir"), cause: Cause::NotUtf8 }),
            }
        }
        all
    }
}
