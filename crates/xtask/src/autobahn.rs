//! The Autobahn suite, which tests WebSocket servers for conformance, against the echo example.
//!
//! Installs the suite, starts the echo on a free port, runs the cases and judges them. A case that did
//! not run counts as a failure; compression (12 and 13) is not spoken, and never run.

mod report;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::checks::once_for;
use crate::packages::{PYTHON2, python2};
use crate::step::{Steps, command, execute};
use crate::workspace::{root, target};

/// Makes environments for Python 2.7, which has no `venv`; needs nothing else itself.
const VIRTUALENV: &str = "virtualenv==16.7.12";

/// What the echo prints before its address.
const READY: &str = "Echo is ready: ";

/// Which cases are run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every case.
    Full,
    /// Without those that send megabytes, or wait.
    Reduced,
}

impl Extent {
    /// As the suite's specification has it.
    const fn excluded(self) -> &'static [&'static str] {
        match self {
            Self::Full => &["12.*", "13.*"],
            Self::Reduced => &["9.*", "12.*", "13.*"],
        }
    }

    /// How many cases remain: a run that was cut short must not pass.
    const fn cases(self) -> usize {
        match self {
            Self::Full => 301,
            Self::Reduced => 247,
        }
    }

    /// The folder of a profile below the target directory. Where time counts the debugging build runs,
    /// which checks more than a release does; megabytes are for the release.
    const fn profile(self) -> &'static str {
        match self {
            Self::Full => "release",
            Self::Reduced => "debug",
        }
    }
}

/// Runs the suite against the echo, which `build` builds in the profile of `extent`.
pub fn run(steps: &mut Steps, extent: Extent, build: impl FnOnce() -> Result<(), String>) {
    if steps.run("the Autobahn suite", install) && steps.run("the echo", build) {
        steps.run("Autobahn: conformance to RFC 6455", || conformance(extent));
    }
}

fn environment() -> PathBuf {
    target().join("autobahn-venv")
}

fn install() -> Result<(), String> {
    let directory = root().join("tests/autobahn");
    let environment = environment();
    once_for(&directory.join("requirements.txt"), &environment, || {
        let python2 = python2().ok_or_else(|| format!("please install {}", PYTHON2.what))?;
        let _ = fs::remove_dir_all(&environment);
        let maker = target().join("autobahn-virtualenv");
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
        let python2 = python2.to_string_lossy();
        let mut get_maker = command(&python2, &pip, directory.clone());
        execute(get_maker.args(["--upgrade", VIRTUALENV, "--target"]).arg(&maker))?;
        let mut make = command(&python2, &["-m", "virtualenv", "--no-download"], directory.clone());
        execute(make.env("PYTHONPATH", &maker).arg(&environment))?;
        let python = environment.join("bin/python");
        let mut fill = command(&python.to_string_lossy(), &pip, directory.clone());
        execute(fill.args(["--requirement", "requirements.txt"]))
    })
}

fn conformance(extent: Extent) -> Result<(), String> {
    let folder = target().join("autobahn");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let echo = Echo::start(&target().join(extent.profile()).join("examples/echo"))?;

    let said = folder.join("wstest.log");
    let output = File::create(&said).map_err(|error| format!("{}: {error}", said.display()))?;
    fs::write(folder.join("spec.json"), specification(&echo.address, extent))
        .map_err(|error| format!("the specification for the suite: {error}"))?;
    println!("what the suite says goes to {}, its report to {}", said.display(), folder.display());
    let suite = environment().join("bin/wstest");
    let arguments = ["--mode", "fuzzingclient", "--spec", "spec.json"];
    execute(command(&suite.to_string_lossy(), &arguments, folder.clone()).stdout(output))?;
    drop(echo);

    let index = folder.join("index.json");
    let json = fs::read_to_string(&index).map_err(|error| format!("{}: {error}", index.display()))?;
    let cases = report::parse(&json)?;
    println!("{}", report::table(&cases));
    report::judge(&cases, extent.cases())
}

fn specification(address: &str, extent: Extent) -> String {
    let specification = serde_json::json!({
        "outdir": ".",
        "servers": [{ "agent": report::AGENT, "url": address }],
        "cases": ["*"],
        "exclude-cases": extent.excluded(),
        "exclude-agent-cases": {},
    });
    specification.to_string()
}

/// The echo, until it is dropped.
struct Echo {
    process: Child,
    address: String,
}

impl Echo {
    fn start(program: &Path) -> Result<Self, String> {
        let mut process = Command::new(program)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut line = String::new();
        let output = process.stdout.take();
        let mut echo = Self { process, address: String::new() };
        if let Some(output) = output {
            BufReader::new(output).read_line(&mut line).map_err(|error| format!("the echo: {error}"))?;
        }
        let address = line.trim_end().strip_prefix(READY).ok_or("the echo did not start")?;
        address.clone_into(&mut echo.address);
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It holds nothing that could be lost, and may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
