//! The programs that tests need beside Rust: whether they are there, and getting them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::step::{execute, output_of};

/// The oldest Node that the clients under test still run on.
const OLDEST_NODE: u32 = 18;

/// A program, how to see that it is there, and where it comes from.
#[derive(Clone, Copy)]
pub struct Requirement {
    /// What is missing, in words.
    pub what: &'static str,
    is_there: fn() -> bool,
    debian: &'static [&'static str],
}

/// The database server that the tests of `crates/apps` start for themselves.
pub const POSTGRES: Requirement = Requirement {
    what: "PostgreSQL's server programs (initdb, postgres)",
    is_there: postgres_is_there,
    debian: &["postgresql"],
};

/// The Redis server and its client, which the tests of the feed start for themselves.
pub const REDIS: Requirement = Requirement {
    what: "Redis 7's programs (redis-server, redis-cli)",
    is_there: || {
        ["redis-server", "redis-cli"].iter().all(|program| output_of(program, &["--version"]).is_some())
    },
    debian: &["redis-server", "redis-tools"],
};

/// Node and npm.
pub const NODE: Requirement =
    Requirement { what: "Node 18 or newer, and npm", is_there: node_is_there, debian: &["nodejs", "npm"] };

/// What makes the certificates of the tests with Node, as its users would.
pub const OPENSSL: Requirement = Requirement {
    what: "OpenSSL 3 or newer (openssl), and curl",
    is_there: || {
        output_of("openssl", &["version"]).is_some_and(|text| !text.starts_with("OpenSSL 1"))
            && output_of("curl", &["--version"]).is_some()
    },
    debian: &["openssl", "curl"],
};

/// Python 3 with what makes virtual environments.
pub const PYTHON: Requirement = Requirement {
    what: "Python 3 with venv",
    is_there: || output_of("python3", &["-c", "import venv, ensurepip"]).is_some(),
    debian: &["python3", "python3-venv"],
};

/// Python 2.7, which the Autobahn suite is written in; Debian has no package of it any more.
pub const PYTHON2: Requirement = Requirement {
    what: "Python 2.7 with pip, in PATH as python2.7 or by pyenv (pyenv install 2.7.18)",
    is_there: || python2().is_some(),
    debian: &[],
};

/// PHP for the command line with cURL.
pub const PHP: Requirement = Requirement {
    what: "PHP 8.1 or newer for the command line, with its curl extension",
    is_there: || {
        let question = "exit(PHP_VERSION_ID >= 80100 && extension_loaded('curl') ? 0 : 1);";
        output_of("php", &["-r", question]).is_some()
    },
    debian: &["php-cli", "php-curl"],
};

/// The Laravel framework with what the application of the tests uses of it: cURL, SQLite, both Redis clients.
pub const LARAVEL: Requirement = Requirement {
    what: "PHP 8.1 or newer with curl, sqlite3 and redis, and in its include path the Laravel framework and Predis",
    is_there: || {
        let question = "exit(PHP_VERSION_ID >= 80100 && extension_loaded('curl') \
                        && extension_loaded('pdo_sqlite') && extension_loaded('redis') \
                        && stream_resolve_include_path('Illuminate/autoload.php') \
                        && stream_resolve_include_path('Predis/autoload.php') ? 0 : 1);";
        output_of("php", &["-r", question]).is_some()
    },
    debian: &["php-cli", "php-curl", "php-sqlite3", "php-redis", "php-predis", "php-laravel-framework"],
};

/// The proxies whose documented snippets are under test, and what makes a certificate for them.
pub const PROXIES: Requirement = Requirement {
    what: "nginx, Caddy, Apache 2 and openssl",
    is_there: || {
        let asked = [("nginx", "-v"), ("caddy", "version"), ("apache2", "-v"), ("openssl", "version")];
        asked.iter().all(|&(program, question)| output_of(program, &[question]).is_some())
    },
    debian: &["nginx-light", "caddy", "apache2-bin", "openssl"],
};

/// Sees to it that everything is there, by installing it where that can be done.
///
/// # Errors
/// In words: what is missing, and what to install.
pub fn provide(requirements: &[Requirement]) -> Result<(), String> {
    let missing = missing_of(requirements);
    if missing.is_empty() {
        return Ok(());
    }
    if can_install() {
        let packages: Vec<&str> = missing.iter().flat_map(|one| one.debian).copied().collect();
        if !packages.is_empty() {
            execute(&mut apt_get(&["update"]))?;
            execute(apt_get(&["install", "--yes", "--no-install-recommends"]).args(packages))?;
        }
    }
    match &missing_of(requirements)[..] {
        [] => Ok(()),
        still => Err(complaint(still)),
    }
}

fn missing_of(requirements: &[Requirement]) -> Vec<Requirement> {
    requirements.iter().filter(|one| !(one.is_there)()).copied().collect()
}

fn complaint(missing: &[Requirement]) -> String {
    let lines: Vec<String> = missing
        .iter()
        .map(|one| match one.debian {
            [] => one.what.to_owned(),
            packages => format!("{} (on Debian: apt-get install {})", one.what, packages.join(" ")),
        })
        .collect();
    format!("please install {}", lines.join(", and "))
}

fn can_install() -> bool {
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let is_debian = system.lines().any(|line| {
        line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")).is_some_and(|ids| ids.contains("debian"))
    });
    is_debian && output_of("id", &["-u"]).as_deref() == Some("0")
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet").args(arguments);
    command
}

fn node_is_there() -> bool {
    let major = output_of("node", &["--version"])
        .and_then(|version| version.strip_prefix('v')?.split('.').next()?.parse::<u32>().ok());
    major.is_some_and(|major| major >= OLDEST_NODE) && output_of("npm", &["--version"]).is_some()
}

/// A Python 2.7 with pip. pyenv's own commands in PATH may name a version that is not switched on, so those
/// that it has installed are asked themselves.
pub fn python2() -> Option<PathBuf> {
    let pyenv = env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".pyenv")))
        .and_then(|root| fs::read_dir(root.join("versions")).ok());
    let installed = pyenv.into_iter().flatten().flatten().map(|version| version.path().join("bin/python2.7"));
    let question = "import pip, sys; sys.exit(sys.version_info[:2] != (2, 7))";
    std::iter::once(PathBuf::from("python2.7"))
        .chain(installed)
        .find(|python| output_of(&python.to_string_lossy(), &["-c", question]).is_some())
}

fn postgres_is_there() -> bool {
    let in_path = env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|one| has_initdb(&one)));
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    in_path || debian.map(|version| version.path().join("bin")).any(|one: PathBuf| has_initdb(&one))
}

fn has_initdb(directory: &Path) -> bool {
    directory.join("initdb").exists() && directory.join("postgres").exists()
}
