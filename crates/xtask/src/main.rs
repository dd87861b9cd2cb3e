//! What developers run: `cargo xtask test`, every check there is, installing what it needs.
//!
//! Never part of the server, and never started by it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

mod autobahn;
mod checks;
mod packages;
mod rules;
mod step;
mod workspace;

use std::process::ExitCode;

use autobahn::Extent;
use checks::Group;

const USAGE: &str = "usage: cargo xtask test [--only tidy|rust|autobahn|node|python|php|laravel]
       cargo xtask autobahn [--reduced]
       cargo xtask interleavings
       cargo xtask rules

Installs what the tests need (with apt-get, as root on Debian or Ubuntu; elsewhere it says what is
missing), then runs them all:
  tidy      rustfmt, clippy and the rules that the code keeps (crates/xtask/tests)
  rust      cargo test --workspace, the fuzz targets' corpora, and the interleavings
  autobahn  the reduced form of the Autobahn suite below (tests/autobahn)
  node      pusher-js, Laravel Echo and the Node SDK against the built binary (tests/e2e)
  python    the Python SDK against the built binary (tests/e2e-python)
  php       PHP, as Laravel's broadcaster, against the built binary (tests/e2e-php)
  laravel   a Laravel application with Echo, and the documented proxies, before the built binary (tests/laravel)

`autobahn` runs the Autobahn suite, all of it but compression, against an echo over the code that reads and
writes every connection; `--reduced` leaves out megabytes. It needs Python 2.7, which you have to install
yourself (pyenv install 2.7.18): Debian has had no package of it since version 12.

`interleavings` tries thousands of orders of events in the hub (crates/hub/tests, `--cfg shuttle`).

`rules` prints which rules of the protocol (docs/rules.md) tests hold, and fails if one has neither a
test nor a reason in docs/protocol.md.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let groups = match words[..] {
        ["test"] => Group::ALL.to_vec(),
        ["test", "--only", name] => match Group::named(name) {
            Some(group) => vec![group],
            None => return misused(&format!("no such group of tests: {name}")),
        },
        ["autobahn"] => return ended(checks::run_autobahn(Extent::Full)),
        ["autobahn", "--reduced"] => return ended(checks::run_autobahn(Extent::Reduced)),
        ["interleavings"] => return ended(told(checks::interleavings())),
        ["rules"] => return ended(told(rules::report())),
        ["help" | "--help" | "-h"] | ["test", "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => return misused("what to do?"),
    };
    ended(checks::run(&groups))
}

fn ended(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says what went wrong; true if nothing did.
fn told(result: Result<(), String>) -> bool {
    result.inspect_err(|faults| eprintln!("{faults}")).is_ok()
}

fn misused(why: &str) -> ExitCode {
    eprintln!("{why}\n{USAGE}");
    ExitCode::from(64)
}
