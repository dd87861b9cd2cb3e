//! What developers run: `cargo xtask test`, every check there is, installing what it needs.
//!
//! Never part of the server, and never started by it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

mod autobahn;
mod checks;
mod cluster;
mod log;
mod once;
mod packages;
mod pairs;
mod python;
mod release;
mod rules;
mod soak;
mod step;
mod tools;
mod unit;
mod upgrade;
mod workspace;

use std::process::ExitCode;

use checks::Group;
use log::Log;
use upgrade::Older;

const USAGE: &str = "usage: cargo xtask test [--only tidy|rust|valkey|autobahn|node|browser|python|php|packaging|laravel] [--no-install]
       cargo xtask autobahn
       cargo xtask interleavings
       cargo xtask otlp
       cargo xtask cluster [--minutes N] [--seed S] [--nodes 3] [--redis KIND] [--faults LIST]
       cargo xtask soak [--minutes 30] [--seed S] [--picture FILE.svg]
       cargo xtask rules
       cargo xtask upgrade (--from REVISION | --binary FILE) [--store]
       cargo xtask dist
       cargo xtask packages [--binary FILE]
       cargo xtask release (--key FILE | --trial) [--binary FILE]

`test` runs all tests, or one group of them; prints a line for each step, and puts all output into a file:
  tidy      rustfmt, clippy, also of the feature otlp, and the rules that the code keeps (crates/xtask/tests)
  rust      cargo test --workspace, the fuzz targets' corpora, and the interleavings
  valkey    the links between nodes, through a Valkey in place of Redis (crates/bus/tests/link)
  autobahn  the Autobahn suite for WebSockets, all but compression, against an echo over the code that reads
            and writes every connection (tests/autobahn)
  node      pusher-js, Laravel Echo and the Node SDK against the built binary (tests/e2e)
  browser   pusher-js and Laravel Echo in Chromium against the built binary (tests/browser)
  python    the Python SDK against the built binary (tests/e2e-python)
  php       PHP, as Laravel's broadcaster, against the built binary (tests/e2e-php)
  packaging the image, built without a base image, the manifests of Kubernetes, a database of an older version (tests/packaging)
  laravel   a Laravel application with Echo, and the documented proxies, before the built binary (tests/laravel)

Before them `test` installs the Debian packages that the tests need and this machine lacks, if it is root on
Debian or Ubuntu. Services of these packages are neither started nor enabled. With --no-install, for others
than root and on other systems `test` says what is missing, and runs only the groups that have all they need.

`autobahn` is `test --only autobahn`.

`interleavings` tries thousands of orders of events in the hub (crates/hub/tests, `--cfg shuttle`), and has it make mistakes on
purpose (hub::resume::mistakes), each of which must be found.

`otlp` builds what the feature `otlp` adds, runs clippy on it, and its tests, against a collector over HTTP. `test` runs that clippy alone.

`cluster` runs several nodes under load, breaks what a cluster must survive, and checks what clients, back ends and
queries are told (crates/soak; `cargo xtask cluster --help` lists all options). Where it may, it runs in a network of its
own, so that a firewall can be among the faults.

`soak` is `cluster` for a release build, with the apps in a Postgres: Postgres, Redis and nodes are killed and stopped at random, memory
and descriptors are sampled, and what was promised is checked at the end; the picture is a curve of it (docs/performance.md).

`rules` prints which rules of the protocol (docs/rules.md) tests hold, and fails if one has neither a
test nor a reason in docs/protocol.md.

`upgrade` walks docs/upgrading.md from an older version, which is built from REVISION or given, to this one and back, with SQLite and with
Postgres. --store writes the older version's database into tests/packaging/before, which `test` has the server open.

`dist` builds the portable binaries, looks at their size and at the C library that they need, starts them, and puts them into archives
in target/packages, with the lists of components and licences, and the sums. `packages` does the same with these or with FILE, makes
packages for Debian and RPM, and installs, upgrades and removes them in a root of their own (as root on Debian or Ubuntu, which get what
is missing). `release` does all of this, signs the sums with the key of minisign in FILE, and verifies both; --trial signs with a key
made at the moment (docs/releasing.md).";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words[..] {
        ["help" | "--help" | "-h"] | ["test", "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(true)
        }
        ["test", ref options @ ..] => match asked_for(options) {
            Ok((groups, may_install)) => checks::run(&groups, may_install),
            Err(why) => return misused(&why),
        },
        ["autobahn"] => checks::run(&[Group::Autobahn], true),
        ["cluster", ref options @ ..] => cluster::run(options),
        ["soak", ref options @ ..] => soak::run(options),
        ["interleavings"] => checks::interleavings(&Log::Terminal).map(|()| true),
        ["otlp"] => checks::otlp(),
        ["dist"] => release::dist(),
        ["packages"] => release::packages(None),
        ["packages", "--binary", binary] => release::packages(Some(binary)),
        ["release", "--trial"] => release::release(None, None),
        ["release", "--trial", "--binary", binary] => release::release(None, Some(binary)),
        ["release", "--key", key] => release::release(Some(key), None),
        ["release", "--key", key, "--binary", binary] => release::release(Some(key), Some(binary)),
        ["upgrade", "--from", revision] => upgrade::run(Older::Revision(revision), false),
        ["upgrade", "--from", revision, "--store"] => upgrade::run(Older::Revision(revision), true),
        ["upgrade", "--binary", binary] => upgrade::run(Older::Binary(binary), false),
        ["upgrade", "--binary", binary, "--store"] => upgrade::run(Older::Binary(binary), true),
        ["rules"] => rules::report(&Log::Terminal).map(|()| true),
        _ => return misused("what to do?"),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Which groups, and whether what they need may be installed.
fn asked_for(options: &[&str]) -> Result<(Vec<Group>, bool), String> {
    let (mut groups, mut may_install) = (Group::ALL.to_vec(), true);
    let mut rest = options.iter();
    while let Some(&option) = rest.next() {
        match option {
            "--no-install" => may_install = false,
            "--only" => {
                let name = rest.next().copied().unwrap_or_default();
                groups = vec![Group::named(name).ok_or(format!("no such group of tests: {name}"))?];
            }
            _ => return Err(format!("no such option: {option}")),
        }
    }
    Ok((groups, may_install))
}

fn misused(why: &str) -> ExitCode {
    eprintln!("{why}\n{USAGE}");
    ExitCode::from(64)
}
