//! Which checks there are, and in which order they run.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::num::NonZero;
use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::log::Log;
use crate::once::once_for;
use crate::packages::{
    self, APACHE, BUILDAH, CADDY, CHROMIUM, HAPROXY, LARAVEL, NGINX, NODE, OPENSSL, PEBBLE, PHP, POSTGRES,
    PROMTOOL, PYTHON, REDIS, Requirement, SYSTEMD, VALKEY,
};
use crate::pairs::{self, PairsRedis};
use crate::python::Environment;
use crate::step::{Steps, command};
use crate::workspace::{root, target};
use crate::{autobahn, rules, unit};

/// The program of the tests over the wire.
const WIRE: &str = "wire";

/// The program of the tests of links between nodes.
const LINK: &str = "link";

/// The feature of traces, for a run of cargo over the workspace.
const TRACES: &str = "fanfare-server/otlp";

/// Programs of tests that wait for leases, for outages to end, and for quiet, more than they compute.
const WAITING: [&str; 3] = [LINK, "cluster", "lies"];

/// A workspace of its own, which the root's commands leave out.
const FUZZ: &str = "fuzz/Cargo.toml";

/// A part of the tests that can be run alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Form and rules of the code.
    Tidy,
    /// `cargo test`, of the fuzz targets' workspace too.
    Rust,
    /// The links between nodes through a Valkey in place of Redis.
    Valkey,
    /// Conformance to RFC 6455.
    Autobahn,
    /// Stock JavaScript clients.
    Node,
    /// The same in a browser.
    Browser,
    /// The Python SDK.
    Python,
    /// PHP as Laravel uses it.
    Php,
    /// The unit of systemd, the image, and the manifests of Kubernetes.
    Packaging,
    /// A Laravel application, and proxies in front.
    Laravel,
}

impl Group {
    /// All, cheapest first.
    pub const ALL: [Self; 10] = [
        Self::Tidy,
        Self::Rust,
        Self::Valkey,
        Self::Autobahn,
        Self::Node,
        Self::Browser,
        Self::Python,
        Self::Php,
        Self::Packaging,
        Self::Laravel,
    ];

    /// The group with this name on the command line.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Tidy => "tidy",
            Self::Rust => "rust",
            Self::Valkey => "valkey",
            Self::Autobahn => "autobahn",
            Self::Node => "node",
            Self::Browser => "browser",
            Self::Python => "python",
            Self::Php => "php",
            Self::Packaging => "packaging",
            Self::Laravel => "laravel",
        }
    }

    const fn requirements(self) -> &'static [Requirement] {
        match self {
            Self::Tidy => &[],
            Self::Rust => &[POSTGRES, REDIS, OPENSSL, NGINX, HAPROXY, PROMTOOL, PEBBLE],
            Self::Valkey => &[VALKEY],
            Self::Autobahn => &[PYTHON],
            Self::Node => &[NODE, OPENSSL, REDIS],
            Self::Browser => &[NODE, OPENSSL, CHROMIUM],
            Self::Python => &[PYTHON],
            Self::Php => &[PHP],
            Self::Packaging => &[SYSTEMD, PYTHON, BUILDAH, OPENSSL],
            Self::Laravel => &[NODE, OPENSSL, LARAVEL, REDIS, NGINX, HAPROXY, CADDY, APACHE],
        }
    }

    const fn needs_binary(self) -> bool {
        !matches!(self, Self::Tidy | Self::Rust | Self::Valkey | Self::Autobahn)
    }
}

/// Runs the groups, one after the other, failures or not; true if all is well.
///
/// A group that needs what is missing, and may not or cannot be installed, is not run.
///
/// # Errors
/// In words: why the log cannot be written.
pub fn run(groups: &[Group], may_install: bool) -> Result<bool, String> {
    let mut steps = Steps::begin("test")?;
    let requirements: Vec<Requirement> =
        groups.iter().flat_map(|group| group.requirements()).copied().collect();
    steps.run("what the tests need", |log| packages::provide(log, &requirements, may_install));
    let (groups, unable): (Vec<Group>, Vec<Group>) =
        groups.iter().partition(|group| packages::missing_of(group.requirements()).is_empty());
    for group in unable {
        let missing: Vec<&str> =
            packages::missing_of(group.requirements()).iter().map(|one| one.what).collect();
        steps.skip(group.name(), &format!("needs {}", missing.join("; ")));
    }
    for &group in groups.iter().filter(|group| !group.needs_binary()) {
        match group {
            Group::Tidy => tidy(&mut steps, !groups.contains(&Group::Rust)),
            Group::Valkey => valkey(&mut steps),
            Group::Autobahn => autobahn::run(&mut steps, |log| cargo(log, building(&groups, ECHO))),
            _ => rust(&mut steps),
        }
    }
    let mut clients = groups.iter().filter(|group| group.needs_binary()).peekable();
    if clients.peek().is_some() && steps.run("the binary", |log| cargo(log, building(&groups, BINARY))) {
        for &group in clients {
            match group {
                Group::Node => node(&mut steps),
                Group::Browser => browser(&mut steps),
                Group::Python => python(&mut steps),
                Group::Packaging => packaging(&mut steps),
                Group::Laravel => laravel(&mut steps),
                _ => php(&mut steps),
            }
        }
    }
    Ok(steps.summarize())
}

/// What builds the development binary: it checks more than a release does.
pub const BINARY: &[&str] = &["build", "--package", "fanfare-server", "--bin", "fanfare"];

/// What builds the echo that the Autobahn suite is run against.
const ECHO: &[&str] = &["build", "--package", "fanfare-server", "--example", "echo"];

/// What builds all tests, and all programs with them.
const ALL_TESTS: &[&str] = &["test", "--workspace", "--no-run"];

/// How to have something built with the least new work: `alone` if nothing else has been built.
fn building(groups: &[Group], alone: &'static [&'static str]) -> &'static [&'static str] {
    if groups.contains(&Group::Rust) {
        // The tests have built it, with the features that all crates and tests together ask for.
        ALL_TESTS
    } else {
        alone
    }
}

fn tidy(steps: &mut Steps, with_rules: bool) {
    steps.run("rustfmt", |log| cargo(log, &["fmt", "--all", "--", "--check"]));
    let lints = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    steps.run("clippy", |log| cargo(log, &lints));
    clippy_of_traces(steps);
    steps.run("rustfmt of the fuzz targets", |log| {
        cargo(log, &["fmt", "--manifest-path", FUZZ, "--", "--check"])
    });
    steps.run("clippy of the fuzz targets", |log| {
        cargo(log, &["clippy", "--manifest-path", FUZZ, "--all-targets", "--", "-D", "warnings"])
    });
    steps.run("the rules of the protocol have tests", rules::report);
    if with_rules {
        steps.run("the rules of the code", |log| cargo(log, &["test", "--package", "xtask"]));
    }
}

fn clippy_of_traces(steps: &mut Steps) {
    let lints = ["clippy", "--workspace", "--all-targets", "--features", TRACES, "--", "-D", "warnings"];
    steps.run("clippy with traces by OTLP", |log| cargo(log, &lints));
}

/// The checks of what the feature of traces adds. `test` leaves all but clippy out: half of the workspace is built again for the
/// tests.
///
/// # Errors
/// In words: why the log cannot be written.
pub fn otlp() -> Result<bool, String> {
    let mut steps = Steps::begin("otlp")?;
    clippy_of_traces(&mut steps);
    let tests = ["test", "--workspace", "--features", TRACES];
    steps.run("Rust: spans", |log| cargo(log, &["test", "--package", "fanfare-spans", "--features", "otlp"]));
    steps.run("Rust: spans over the wire", |log| {
        cargo(log, &[&tests[..], &["--test", WIRE, "--", "spans"]].concat())
    });
    Ok(steps.summarize())
}

fn rust(steps: &mut Steps) {
    steps.run("Rust: build", |log| cargo(log, ALL_TESTS));
    steps.run("Rust: crate by crate", |log| {
        let mut tests = cargo_command(&["test", "--workspace", "--no-fail-fast"]);
        tests.args(["--lib", "--bins", "--examples"]);
        for name in test_programs()?.iter().filter(|name| *name != WIRE && !WAITING.contains(&name.as_str()))
        {
            tests.args(["--test", name]);
        }
        log.execute(&mut tests)
    });
    steps.run("Rust: several nodes, links and faults", |log| {
        let mut tests = cargo_command(&["test", "--workspace", "--no-fail-fast"]);
        tests.args(WAITING.iter().flat_map(|name| ["--test", name]));
        log.execute(tests.env("RUST_TEST_THREADS", waiting_threads()))
    });
    steps.run("Rust: over the wire", |log| {
        let mut tests = command(&test_program(WIRE)?, &[], root().join("crates/server"));
        log.execute(tests.env("RUST_TEST_THREADS", waiting_threads()))
    });
    steps.run("Rust: over the wire, with two nodes", |log| {
        let redis = PairsRedis::start()?;
        let mut tests = command(&test_program(WIRE)?, &pairs::WIRE, root().join("crates/server"));
        log.execute(tests.env("RUST_TEST_THREADS", waiting_threads()).env("WIRE_BUS", redis.url()))
    });
    steps.run("the corpora of the fuzz targets", |log| cargo(log, &["test", "--manifest-path", FUZZ]));
    steps.run("interleavings of the hub", interleavings);
}

fn valkey(steps: &mut Steps) {
    steps.run("Rust: links through a Valkey", |log| {
        let mut tests = command(&test_program(LINK)?, &[], root().join("crates/bus"));
        tests.env("RUST_TEST_THREADS", waiting_threads()).env("FANFARE_REDIS_SERVER", "valkey-server");
        log.execute(&mut tests)
    });
}

/// The names of the programs of tests that the workspace has.
fn test_programs() -> Result<BTreeSet<String>, String> {
    let metadata = cargo_command(&["metadata", "--no-deps", "--format-version=1", "--locked"])
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let metadata: Value =
        serde_json::from_slice(&metadata.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages.filter_map(|package| package["targets"].as_array()).flatten();
    let programs = targets.filter(|target| target["kind"][0] == "test");
    Ok(programs.filter_map(|target| target["name"].as_str().map(str::to_owned)).collect())
}

/// The path of a program of tests, which `cargo test --workspace` builds.
///
/// Cargo is not asked to run the program alone: for one crate, cargo would build half of the dependencies again, with
/// the features that this crate asks for.
fn test_program(name: &str) -> Result<String, String> {
    let built = cargo_command(ALL_TESTS)
        .arg("--message-format=json")
        .output()
        .map_err(|error| format!("cargo test --no-run: {error}"))?;
    let output = String::from_utf8_lossy(&built.stdout);
    let artifacts = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs =
        artifacts.filter(|one| one["target"]["name"] == name && one["target"]["kind"][0] == "test");
    let program = programs.find_map(|one| one["executable"].as_str().map(str::to_owned));
    program.ok_or_else(|| format!("cargo has not built the tests called {name}"))
}

/// How many tests that wait run at once, unless the environment says how many.
///
/// The tests over the wire wait for other processes more than they compute: with four for each core they take about a third of
/// the time that they take with one. Eight for each core, and cargo-nextest, are no faster. The other tests compute.
fn waiting_threads() -> OsString {
    env::var_os("RUST_TEST_THREADS").unwrap_or_else(|| {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        (4 * cores).to_string().into()
    })
}

/// The hub's tests that try many orders of events, built with locks that a scheduler holds in its hand.
///
/// # Errors
/// In words: how the tests ended.
pub fn interleavings(log: &Log) -> Result<(), String> {
    let tests = ["waking", "any_script", "in_cluster", "resume"].map(|test| ["--test", test]).concat();
    let tests = [&["--package", "fanfare-hub"][..], &tests].concat();
    let mut cargo = cargo_command(&[&["test", "--profile", "interleavings"][..], &tests].concat());
    // A place of its own, so that neither build makes the other start anew.
    cargo.env("CARGO_TARGET_DIR", target().join("shuttle")).env("RUSTFLAGS", "--cfg shuttle");
    log.execute(&mut cargo)
}

/// Arguments of Node for tests of which so many files run at once, whatever the number of processors: the tests wait for
/// processes more than they compute.
fn node_arguments(at_once: u8) -> [String; 3] {
    ["--test".to_owned(), "--test-reporter=spec".to_owned(), format!("--test-concurrency={at_once}")]
}

fn node(steps: &mut Steps) {
    node_tests(steps, "Node: pusher-js, Laravel Echo, Node SDK", "tests/e2e", 4);
    steps.run("Node: the same with two nodes behind a balancer", |log| {
        let redis = PairsRedis::start()?;
        let mut tests = with_binary(command("node", &[], root().join("tests/e2e")));
        log.execute(tests.args(node_arguments(4)).args(pairs::NODE).env("E2E_BUS", redis.url()))
    });
}

fn browser(steps: &mut Steps) {
    node_tests(steps, "Browser: pusher-js, Laravel Echo and the console in Chromium", "tests/browser", 1);
}

fn laravel(steps: &mut Steps) {
    node_tests(steps, "Laravel: an application, Echo, and proxies in front", "tests/laravel", 1);
}

/// The tests of Node in `folder`, with the packages that all of them share.
fn node_tests(steps: &mut Steps, name: &str, folder: &str, at_once: u8) {
    let packages = root().join("tests/e2e");
    let installed = steps.run("npm packages", |log| {
        once_for(log, &packages.join("package-lock.json"), &packages.join("node_modules"), || {
            log.execute(&mut command("npm", &["ci"], packages.clone()))
        })
    });
    if installed {
        let mut tests = with_binary(command("node", &[], root().join(folder)));
        steps.run(name, |log| log.execute(tests.args(node_arguments(at_once))));
    }
}

fn python(steps: &mut Steps) {
    python_tests(steps, "Python: SDK", Environment::of("tests/e2e-python", "e2e-venv"));
}

fn packaging(steps: &mut Steps) {
    steps.run("Packaging: the unit of systemd", unit::check);
    let environment = Environment::of("tests/packaging", "packaging-venv");
    python_tests(steps, "Packaging: the image, the manifests of Kubernetes", environment);
}

/// The tests of Python in the environment's folder.
fn python_tests(steps: &mut Steps, name: &str, environment: Environment) {
    if steps.run("Python packages", |log| environment.fill(log)) {
        let arguments = ["-m", "unittest", "--verbose"];
        let tests = command(&environment.program("python"), &arguments, environment.tests);
        steps.run(name, |log| log.execute(&mut with_binary(tests)));
    }
}

fn php(steps: &mut Steps) {
    steps.run("PHP: as Laravel's broadcaster speaks", |log| {
        log.execute(&mut with_binary(command("php", &["broadcast.php"], root().join("tests/e2e-php"))))
    });
}

/// Runs cargo for the workspace.
///
/// # Errors
/// In words: how it ended.
pub fn cargo(log: &Log, arguments: &[&str]) -> Result<(), String> {
    log.execute(&mut cargo_command(arguments))
}

/// A run of cargo for the workspace, to which a caller may add.
pub fn cargo_command(arguments: &[&str]) -> Command {
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
