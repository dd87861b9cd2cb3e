//! The Autobahn suite, which tests WebSocket servers for conformance, against the echo example.
//!
//! Installs the suite, starts the echo on a free port, runs the cases and judges them. A case that did
//! not run counts as a failure; compression (12 and 13) is not spoken, and never run.

mod report;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::log::Log;
use crate::python::Environment;
use crate::step::{Steps, command};
use crate::workspace::target;

/// What the echo prints before its address.
const READY: &str = "Echo is ready: ";

/// What is not spoken.
const EXCLUDED: [&str; 2] = ["12.*", "13.*"];

/// How many cases remain: a run that was cut short must not pass.
const CASES: usize = 301;

/// Cases at the same time: most of them wait.
const AT_ONCE: &str = "4";

/// Runs the suite against the echo, which `build` builds.
pub fn run(steps: &mut Steps, build: impl FnOnce(&Log) -> Result<(), String>) {
    let suite = Environment::of("tests/autobahn", "autobahn-venv");
    if steps.run("the Autobahn suite", |log| suite.fill(log)) && steps.run("the echo", build) {
        steps.run("Autobahn: conformance to RFC 6455", |log| conformance(log, &suite));
    }
}

fn conformance(log: &Log, suite: &Environment) -> Result<(), String> {
    let folder = target().join("autobahn");
    let _ = fs::remove_dir_all(&folder);
    // The debugging build: it checks more than a release does.
    let echo = Echo::start(&target().join("debug/examples/echo"))?;
    let mut cases = command(&suite.program("kosoku"), &["--parallelism", AT_ONCE], suite.tests.clone());
    for excluded in EXCLUDED {
        cases.args(["--exclude", excluded]);
    }
    let ended = log.execute(cases.arg("--outdir").arg(&folder).arg(&echo.address));
    drop(echo);

    let index = folder.join("index.json");
    let Ok(json) = fs::read_to_string(&index) else {
        return ended.and(Err(format!("there is no {}", index.display())));
    };
    let cases = report::parse(&json)?;
    log.say(report::table(&cases));
    report::judge(&cases, CASES)?;
    ended
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
