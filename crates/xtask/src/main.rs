//! What developers run: `cargo xtask test`, every check there is, installing what it needs.
//!
//! Never part of the server, and never started by it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

mod checks;
mod packages;
mod rules;
mod step;
mod workspace;

use std::process::ExitCode;

use checks::Group;

const USAGE: &str = "usage: cargo xtask test [--only tidy|rust|node|python|php]
       cargo xtask rules

Installs what the tests need (with apt-get, as root on Debian or Ubuntu; elsewhere it says what is
missing), then runs them all:
  tidy    rustfmt, clippy and the rules that the code keeps (crates/xtask/tests)
  rust    cargo test --workspace, and the corpora of the fuzz targets (fuzz/)
  node    pusher-js, Laravel Echo and the Node SDK against the built binary (tests/e2e)
  python  the Python SDK against the built binary (tests/e2e-python)
  php     PHP, as Laravel's broadcaster, against the built binary (tests/e2e-php)

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
        ["rules"] => {
            return match rules::report() {
                Ok(()) => ExitCode::SUCCESS,
                Err(faults) => {
                    eprintln!("{faults}");
                    ExitCode::FAILURE
                }
            };
        }
        ["help" | "--help" | "-h"] | ["test", "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => return misused("what to do?"),
    };
    if checks::run(&groups) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn misused(why: &str) -> ExitCode {
    eprintln!("{why}\n{USAGE}");
    ExitCode::from(64)
}
