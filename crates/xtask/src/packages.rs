//! The programs that tests need beside Rust: whether they are there, and getting them.

use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::log::Log;
use crate::step::{command, output_of};
use crate::workspace::root;

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

/// What copies a database in use.
pub const SQLITE: Requirement = Requirement {
    what: "SQLite's program (sqlite3)",
    is_there: || output_of("sqlite3", &["--version"]).is_some(),
    debian: &["sqlite3"],
};

/// The Redis server and its client, which the tests of the feed start for themselves.
pub const REDIS: Requirement = Requirement {
    what: "Redis 7's programs (redis-server, redis-cli)",
    is_there: || {
        ["redis-server", "redis-cli"].iter().all(|program| output_of(program, &["--version"]).is_some())
    },
    debian: &["redis-server", "redis-tools"],
};

/// What checks the metrics, and the rules for alerts.
pub const PROMTOOL: Requirement = Requirement {
    what: "Prometheus' promtool",
    is_there: || output_of("promtool", &["--version"]).is_some(),
    debian: &["prometheus"],
};

/// The certificate authority that tests of ACME start for themselves.
pub const PEBBLE: Requirement = Requirement {
    what: "Let's Encrypt's pebble (pebble, pebble-challtestsrv)",
    is_there: || {
        ["pebble", "pebble-challtestsrv"].iter().all(|program| output_of(program, &["-h"]).is_some())
    },
    debian: &["pebble"],
};

/// Another server that nodes may share, in place of Redis.
pub const VALKEY: Requirement = Requirement {
    what: "Valkey 7.2 or newer (valkey-server, valkey-cli)",
    is_there: || {
        ["valkey-server", "valkey-cli"].iter().all(|program| output_of(program, &["--version"]).is_some())
    },
    debian: &["valkey-server", "valkey-tools"],
};

/// Node and npm.
pub const NODE: Requirement =
    Requirement { what: "Node 18 or newer, and npm", is_there: node_is_there, debian: &["nodejs", "npm"] };

/// What makes the certificates of the tests with Node and proxies, as their users would.
pub const OPENSSL: Requirement = Requirement {
    what: "OpenSSL 3 or newer (openssl), and curl",
    is_there: || {
        output_of("openssl", &["version"]).is_some_and(|text| !text.starts_with("OpenSSL 1"))
            && output_of("curl", &["--version"]).is_some()
    },
    debian: &["openssl", "curl"],
};

/// Python with what makes virtual environments, as new as the Autobahn suite wants it.
pub const PYTHON: Requirement = Requirement {
    what: "Python 3.10 or newer with venv",
    is_there: || {
        let question = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
        output_of("python3", &["-c", question]).is_some()
    },
    debian: &["python3", "python3-venv"],
};

/// What builds the image, and enters its file system; as root, for mounts.
pub const BUILDAH: Requirement = Requirement {
    what: "buildah, binutils, util-linux and apt (buildah, strip, unshare, apt-get), as root",
    is_there: || {
        let programs = [("buildah", "--version"), ("strip", "--version"), ("unshare", "--version")];
        programs.iter().all(|(program, option)| output_of(program, &[option]).is_some())
            && output_of("id", &["-u"]).is_some_and(|user| user.trim() == "0")
    },
    debian: &["buildah", "binutils"],
};

/// What checks the unit; no service of it is started. `kill` is the program of the unit's reload.
pub const SYSTEMD: Requirement = Requirement {
    what: "systemd 252 or newer (systemd-analyze), and kill",
    is_there: || {
        output_of("systemd-analyze", &["--version"]).is_some() && output_of("kill", &["--version"]).is_some()
    },
    debian: &["systemd", "procps"],
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

/// The browser in which stock clients run.
pub const CHROMIUM: Requirement = Requirement {
    what: "Chromium (chromium)",
    is_there: || output_of("chromium", &["--version"]).is_some(),
    debian: &["chromium"],
};

/// The proxies whose documented snippets are under test.
pub const NGINX: Requirement = Requirement {
    what: "nginx",
    is_there: || output_of("nginx", &["-v"]).is_some(),
    debian: &["nginx-light"],
};

/// See [`NGINX`].
pub const CADDY: Requirement = Requirement {
    what: "Caddy",
    is_there: || output_of("caddy", &["version"]).is_some(),
    debian: &["caddy"],
};

/// See [`NGINX`].
pub const HAPROXY: Requirement = Requirement {
    what: "HAProxy",
    is_there: || output_of("haproxy", &["-v"]).is_some(),
    debian: &["haproxy"],
};

/// See [`NGINX`]; the package has the program without the service.
pub const APACHE: Requirement = Requirement {
    what: "Apache 2 (apache2)",
    is_there: || output_of("apache2", &["-v"]).is_some(),
    debian: &["apache2-bin"],
};

/// What checks Debian packages, and makes the root that they are installed into.
pub const DEBIAN_TOOLS: Requirement = Requirement {
    what: "the programs that check Debian packages (dpkg, lintian, debootstrap)",
    is_there: || {
        ["dpkg", "lintian", "debootstrap"].iter().all(|one| output_of(one, &["--version"]).is_some())
    },
    debian: &["dpkg-dev", "lintian", "debootstrap"],
};

/// What looks into a binary, and takes its symbols away.
pub const BINUTILS: Requirement = Requirement {
    what: "GNU's binutils (readelf, strip)",
    is_there: || ["readelf", "strip"].iter().all(|one| output_of(one, &["--version"]).is_some()),
    debian: &["binutils"],
};

/// What checks packages for RPM, and installs them.
pub const RPM_TOOLS: Requirement = Requirement {
    what: "the programs that check packages for RPM (rpm, rpmlint)",
    is_there: || ["rpm", "rpmlint"].iter().all(|one| output_of(one, &["--version"]).is_some()),
    debian: &["rpm", "rpmlint"],
};

/// Sees to it that everything is there, by installing it where that can be done and `may_install`.
///
/// # Errors
/// In words: what is missing, and what to install.
pub fn provide(log: &Log, requirements: &[Requirement], may_install: bool) -> Result<(), String> {
    let missing = missing_of(requirements);
    let packages: Vec<&str> = missing.iter().flat_map(|one| one.debian).copied().collect();
    if may_install && !packages.is_empty() && can_install() {
        let mut install = command("sh", &["crates/xtask/src/packages/install.sh"], root());
        log.execute(install.args(packages))?;
    }
    match &missing_of(requirements)[..] {
        [] => Ok(()),
        still => Err(complaint(still)),
    }
}

/// The requirements that this machine lacks, each once.
pub fn missing_of(requirements: &[Requirement]) -> Vec<Requirement> {
    let mut missing: Vec<Requirement> = Vec::new();
    for &one in requirements {
        if !missing.iter().any(|other| other.what == one.what) && !(one.is_there)() {
            missing.push(one);
        }
    }
    missing
}

fn complaint(missing: &[Requirement]) -> String {
    let lines: Vec<String> = missing
        .iter()
        .map(|one| format!("{} (on Debian: apt-get install {})", one.what, one.debian.join(" ")))
        .collect();
    format!("missing:\n  {}", lines.join("\n  "))
}

fn can_install() -> bool {
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let is_debian = system.lines().any(|line| {
        line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")).is_some_and(|ids| ids.contains("debian"))
    });
    is_debian && output_of("id", &["-u"]).as_deref() == Some("0")
}

fn node_is_there() -> bool {
    let major = output_of("node", &["--version"])
        .and_then(|version| version.strip_prefix('v')?.split('.').next()?.parse::<u32>().ok());
    major.is_some_and(|major| major >= OLDEST_NODE) && output_of("npm", &["--version"]).is_some()
}

fn postgres_is_there() -> bool {
    let in_path = env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|one| has_initdb(&one)));
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    in_path || debian.map(|version| version.path().join("bin")).any(|one: PathBuf| has_initdb(&one))
}

fn has_initdb(directory: &Path) -> bool {
    directory.join("initdb").exists() && directory.join("postgres").exists()
}
