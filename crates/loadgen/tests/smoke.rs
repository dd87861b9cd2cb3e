//! Every scenario, briefly, against the yardstick: the figures are there, and faults are reported.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

/// The yardstick, stopped at the end of a test.
struct Rawlimit {
    process: Child,
    port: String,
    // Kept open, so that the process can keep printing.
    _output: BufReader<ChildStdout>,
}

impl Rawlimit {
    fn start() -> Self {
        let mut process = loadgen().args(["rawlimit", "--port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap().to_owned();
        Self { process, port, _output: output }
    }

    fn run(&self, scenario: &[&str]) -> Output {
        let pid = self.process.id().to_string();
        loadgen().args(scenario).args(["--port", &self.port, "--pid", &pid]).output().unwrap()
    }

    /// The figures of a run without faults.
    fn figures(&self, scenario: &[&str]) -> Value {
        let done = self.run(scenario);
        let text = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success(), "{scenario:?}: {text} {}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Rawlimit {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn loadgen() -> Command {
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
}

fn assert_positive(figures: &Value, names: &[&str]) {
    for name in names {
        assert!(figures[name].as_f64().is_some_and(|figure| figure > 0.0), "{name} of {figures:#}");
    }
}

const SHORT: [&str; 4] = ["--seconds", "1", "--warmup", "0.2"];

#[test]
fn events_at_a_rate_reach_every_subscriber_and_are_timed() {
    let figures = Rawlimit::start().figures(&[&["fanout", "--n", "50", "--rate", "50"][..], &SHORT].concat());
    assert_positive(&figures, &["server_cpu_us_per_delivery", "latency_p99_us", "generator_late_p99_us"]);
    assert_eq!(figures["deliveries"].as_u64().unwrap(), 50 * figures["events"].as_u64().unwrap());
    assert_positive(&figures, &["latencies_measured"]);
}

#[test]
fn a_saturated_server_is_asked_for_the_next_event_when_one_has_reached_everybody() {
    let rawlimit = Rawlimit::start();
    for channels in ["1", "10"] {
        let options = ["fanout", "--saturate", "--n", "50", "--channels", channels];
        let figures = rawlimit.figures(&[&options[..], &SHORT].concat());
        assert_positive(&figures, &["deliveries_per_second", "server_cpu_us_per_delivery"]);
    }
}

#[test]
fn subscribers_that_do_not_read_are_not_waited_for() {
    let options = ["fanout", "--n", "20", "--slow", "5", "--rate", "50", "--bytes", "4000"];
    let figures = Rawlimit::start().figures(&[&options[..], &SHORT].concat());
    assert_eq!(figures["deliveries"].as_u64().unwrap(), 15 * figures["events"].as_u64().unwrap());
}

#[test]
fn connections_and_publishes_are_counted() {
    let rawlimit = Rawlimit::start();
    rawlimit.figures(&["ready"]);
    assert_positive(&rawlimit.figures(&["idle", "--n", "200", "--settle", "0"]), &["connections_per_second"]);
    let figures = rawlimit.figures(&[&["http"][..], &SHORT].concat());
    assert_positive(&figures, &["requests_per_second", "server_cpu_us_per_request", "publish_p99_us"]);
    let figures = rawlimit.figures(&[&["churn"][..], &SHORT].concat());
    assert_positive(&figures, &["cycles_per_second", "server_cpu_us_per_cycle"]);
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let gone = Rawlimit::start().port.clone();
    for scenario in [&["ready", "--timeout", "0"][..], &["fanout", "--n", "1"]] {
        let done = loadgen().args(scenario).args(["--port", &gone]).output().unwrap();
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        assert!(done.stdout.is_empty() && !done.stderr.is_empty(), "{done:?}");
    }
}
