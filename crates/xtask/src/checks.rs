//! Which checks there are, and in which order they run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::autobahn::{self, Extent};
use crate::packages::{
    self, LARAVEL, NODE, OPENSSL, PHP, POSTGRES, PROXIES, PYTHON, PYTHON2, REDIS, Requirement,
};
use crate::rules;
use crate::step::{Steps, command, execute};
use crate::workspace::{root, target};

/// A workspace of its own, which the root's commands leave out.
const FUZZ: &str = "fuzz/Cargo.toml";

/// A part of the tests that can be run alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Form and rules of the code.
    Tidy,
    /// `cargo test`, of the fuzz targets' workspace too.
    Rust,
    /// Conformance to RFC 6455.
    Autobahn,
    /// Stock JavaScript clients.
    Node,
    /// The Python SDK.
    Python,
    /// PHP as Laravel uses it.
    Php,
    /// A Laravel application, and proxies in front.
    Laravel,
}

impl Group {
    /// All, cheapest first.
    pub const ALL: [Self; 7] =
        [Self::Tidy, Self::Rust, Self::Autobahn, Self::Node, Self::Python, Self::Php, Self::Laravel];

    /// The group with this name on the command line.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "tidy" => Self::Tidy,
            "rust" => Self::Rust,
            "autobahn" => Self::Autobahn,
            "node" => Self::Node,
            "python" => Self::Python,
            "php" => Self::Php,
            "laravel" => Self::Laravel,
            _ => return None,
        })
    }

    const fn requirements(self) -> &'static [Requirement] {
        match self {
            Self::Tidy => &[],
            Self::Rust => &[POSTGRES, REDIS],
            Self::Autobahn => &[PYTHON2],
            Self::Node => &[NODE, OPENSSL],
            Self::Python => &[PYTHON],
            Self::Php => &[PHP],
            Self::Laravel => &[NODE, LARAVEL, REDIS, PROXIES],
        }
    }

    const fn needs_binary(self) -> bool {
        matches!(self, Self::Node | Self::Python | Self::Php | Self::Laravel)
    }
}

/// Runs the groups, one after the other, failures or not; true if all is well.
pub fn run(groups: &[Group]) -> bool {
    let mut steps = Steps::default();
    let requirements: Vec<Requirement> =
        groups.iter().flat_map(|group| group.requirements()).copied().collect();
    steps.run("what the tests need", || packages::provide(&requirements));
    for &group in groups.iter().filter(|group| !group.needs_binary()) {
        match group {
            Group::Tidy => tidy(&mut steps, !groups.contains(&Group::Rust)),
            Group::Autobahn => autobahn::run(&mut steps, Extent::Reduced, || cargo(building(groups, ECHO))),
            _ => rust(&mut steps),
        }
    }
    let mut clients = groups.iter().filter(|group| group.needs_binary()).peekable();
    if clients.peek().is_some() && steps.run("the binary", || cargo(building(groups, BINARY))) {
        for &group in clients {
            match group {
                Group::Node => node(&mut steps),
                Group::Python => python(&mut steps),
                Group::Laravel => laravel(&mut steps),
                _ => php(&mut steps),
            }
        }
    }
    steps.summarize()
}

/// Runs the Autobahn suite alone; true if all is well.
pub fn run_autobahn(extent: Extent) -> bool {
    let mut steps = Steps::default();
    if steps.run("what the suite needs", || packages::provide(Group::Autobahn.requirements())) {
        autobahn::run(&mut steps, extent, || match extent {
            Extent::Full => cargo(&[ECHO, &["--release"]].concat()),
            Extent::Reduced => cargo(ECHO),
        });
    }
    steps.summarize()
}

/// What builds the development binary: it checks more than a release does.
const BINARY: &[&str] = &["build", "--package", "fanfare-server", "--bin", "fanfare"];

/// What builds the echo that the Autobahn suite is run against.
const ECHO: &[&str] = &["build", "--package", "fanfare-server", "--example", "echo"];

/// How to have something built with the least new work: `alone` if nothing else has been built.
fn building(groups: &[Group], alone: &'static [&'static str]) -> &'static [&'static str] {
    if groups.contains(&Group::Rust) {
        // The tests have built it, with the features that all crates and tests together ask for.
        &["test", "--workspace", "--no-run", "--quiet"]
    } else {
        alone
    }
}

fn tidy(steps: &mut Steps, with_rules: bool) {
    steps.run("rustfmt", || cargo(&["fmt", "--all", "--", "--check"]));
    let lints = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    steps.run("clippy", || cargo(&lints));
    steps.run("rustfmt of the fuzz targets", || cargo(&["fmt", "--manifest-path", FUZZ, "--", "--check"]));
    steps.run("clippy of the fuzz targets", || {
        cargo(&["clippy", "--manifest-path", FUZZ, "--all-targets", "--", "-D", "warnings"])
    });
    steps.run("the rules of the protocol have tests", rules::report);
    if with_rules {
        steps.run("the rules of the code", || cargo(&["test", "--package", "xtask"]));
    }
}

fn rust(steps: &mut Steps) {
    steps.run("cargo test", || cargo(&["test", "--workspace", "--no-fail-fast"]));
    steps.run("the corpora of the fuzz targets", || cargo(&["test", "--manifest-path", FUZZ]));
    steps.run("interleavings of the hub", interleavings);
}

/// The hub's tests that try many orders of events, built with locks that a scheduler holds in its hand.
pub fn interleavings() -> Result<(), String> {
    let tests = ["--package", "fanfare-hub", "--test", "waking", "--test", "any_script"];
    let mut cargo = cargo_command(&[&["test", "--profile", "interleavings"][..], &tests].concat());
    // A place of its own, so that neither build makes the other start anew.
    cargo.env("CARGO_TARGET_DIR", target().join("shuttle")).env("RUSTFLAGS", "--cfg shuttle");
    execute(&mut cargo)
}

fn node(steps: &mut Steps) {
    node_tests(steps, "Node: pusher-js, Laravel Echo, Node SDK", "tests/e2e");
}

fn laravel(steps: &mut Steps) {
    node_tests(steps, "Laravel: an application, Echo, and proxies in front", "tests/laravel");
}

/// The tests of Node in `folder`, with the packages that all of them share.
fn node_tests(steps: &mut Steps, name: &str, folder: &str) {
    let packages = root().join("tests/e2e");
    let installed = steps.run("npm packages", || {
        once_for(&packages.join("package-lock.json"), &packages.join("node_modules"), || {
            execute(&mut command("npm", &["ci"], packages.clone()))
        })
    });
    if installed {
        let arguments = ["--test", "--test-reporter=spec"];
        steps.run(name, || execute(&mut with_binary(command("node", &arguments, root().join(folder)))));
    }
}

fn python(steps: &mut Steps) {
    let directory = root().join("tests/e2e-python");
    let environment = target().join("e2e-venv");
    let python = environment.join("bin/python").to_string_lossy().into_owned();
    let place = environment.to_string_lossy().into_owned();
    let installed = steps.run("Python packages", || {
        once_for(&directory.join("requirements.txt"), &environment, || {
            execute(&mut command("python3", &["-m", "venv", "--clear", &place], directory.clone()))?;
            let arguments = ["-m", "pip", "install", "--quiet", "--requirement", "requirements.txt"];
            execute(&mut command(&python, &arguments, directory.clone()))
        })
    });
    if installed {
        let arguments = ["-m", "unittest", "--verbose"];
        steps.run("Python: SDK", || {
            execute(&mut with_binary(command(&python, &arguments, directory.clone())))
        });
    }
}

fn php(steps: &mut Steps) {
    steps.run("PHP: as Laravel's broadcaster speaks", || {
        execute(&mut with_binary(command("php", &["broadcast.php"], root().join("tests/e2e-php"))))
    });
}

fn cargo(arguments: &[&str]) -> Result<(), String> {
    execute(&mut cargo_command(arguments))
}

fn cargo_command(arguments: &[&str]) -> Command {
    let mut cargo = command("cargo", arguments, root());
    // For the workspace of the fuzz targets too, which has most of its dependencies in common with the root's.
    cargo.env("CARGO_TARGET_DIR", target());
    // These describe this program. Build scripts that look at them would run again, and half the tree with them.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

fn with_binary(mut command: Command) -> Command {
    command.env("FANFARE_BIN", target().join("debug/fanfare"));
    command
}

/// Runs `install` unless it ran well for these very `pins` before, and `place` is still there.
pub fn once_for(
    pins: &Path,
    place: &Path,
    install: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let wanted = fs::read(pins).map_err(|error| format!("{}: {error}", pins.display()))?;
    let done: PathBuf = place.join(".installed-for");
    if fs::read(&done).is_ok_and(|found| found == wanted) {
        println!("as {} wants it already", pins.display());
        return Ok(());
    }
    install()?;
    fs::write(&done, wanted).map_err(|error| format!("{}: {error}", done.display()))
}
