//! `cargo xtask upgrade`: docs/upgrading.md, walked from an older version to this one and back, with SQLite and with Postgres.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checks::{self, cargo};
use crate::log::Log;
use crate::packages::{self, POSTGRES, PYTHON, SQLITE};
use crate::python::Environment;
use crate::step::{Steps, command};
use crate::workspace::{made, root, target};

/// Where the older version comes from.
#[derive(Clone, Copy)]
pub enum Older<'a> {
    /// A binary that is there already.
    Binary(&'a str),
    /// A commit or tag of this repository.
    Revision(&'a str),
}

/// Walks the page; with `store` also writes the older version's database into `tests/packaging/before`. True if all is well.
///
/// # Errors
/// In words: why the log cannot be written.
pub fn run(older: Older<'_>, store: bool) -> Result<bool, String> {
    let mut steps = Steps::begin("upgrade")?;
    let environment = Environment::of("tests/packaging", "packaging-venv");
    let binary = match older {
        Older::Binary(file) => root().join(file),
        Older::Revision(_) => place().join("target/debug/fanfare"),
    };
    let is_ready = steps.run("what the walk needs", |log| {
        packages::provide(log, &[PYTHON, POSTGRES, SQLITE], true)?;
        environment.fill(log)
    }) && steps.run("the binary of this version", |log| cargo(log, checks::BINARY))
        && match older {
            Older::Binary(_) => true,
            Older::Revision(revision) => {
                steps.run("the binary of the older version", |log| build(log, revision))
            }
        };
    if is_ready {
        steps.run("docs/upgrading.md, there and back", |log| {
            let arguments = ["-m", "unittest", "--verbose", "walk_upgrade"];
            let mut walk = command(&environment.program("python"), &arguments, environment.tests.clone());
            walk.env("FANFARE_OLDER", &binary).env("FANFARE_BIN", target().join("debug/fanfare"));
            if store {
                walk.env("FANFARE_STORE", environment.tests.join("before"));
            }
            log.execute(&mut walk)
        });
    }
    Ok(steps.summarize())
}

/// Where an older version is built, so that the next walk builds only what differs.
fn place() -> PathBuf {
    target().join("older")
}

/// Builds the server of a commit.
fn build(log: &Log, revision: &str) -> Result<(), String> {
    let source = place().join("source");
    made(&source)?;
    // The files of the commit alone: a work tree would stay in the list of the repository's.
    let unpack = format!("git archive {revision:?} | tar -x -C {:?}", source.display().to_string());
    log.execute(&mut command("sh", &["-ec", &unpack], root()))?;
    log.execute(&mut cargo_in(&source))
}

fn cargo_in(source: &Path) -> Command {
    let arguments = ["build", "--locked", "--package", "fanfare-server", "--bin", "fanfare"];
    let mut build = checks::cargo_command(&arguments);
    build.current_dir(source).env("CARGO_TARGET_DIR", place().join("target"));
    build
}
