//! Load for a server of the Pusher protocol on this machine, and what came of it: of the program `loadgen` and of `fanfare bench`.
//!
//! One thread and no JSON parser while receiving deliveries, so that the generator can share a small machine
//! with the server. Never sends anything to another machine.

mod api;
mod arguments;
mod clients;
mod engine;
mod fanout;
mod frame;
mod histogram;
mod payload;
mod process;
mod publishers;
#[allow(clippy::print_stdout, reason = "a program of its own, whose output is what it is for")]
mod rawlimit;
mod report;
mod scenarios;
mod seconds;
mod socket;
mod tally;

pub use arguments::{Arguments, Fanout, Http, Idle, Scenario, Span, Spin, Target};
pub use report::{LatencySlice, Outcome, Report};

/// Runs a scenario against the server.
///
/// # Errors
/// The load could not be made: no connections, no answers, options that contradict each other.
pub fn measure(target: &Target, scenario: &Scenario) -> Outcome<Report> {
    match scenario {
        Scenario::Ready(options) => scenarios::ready(target, options),
        Scenario::Idle(options) => scenarios::idle(target, options),
        Scenario::Fanout(options) => fanout::run(target, options),
        Scenario::Http(options) => scenarios::http(target, options),
        Scenario::Churn(options) => scenarios::churn(target, options),
        Scenario::Rawlimit => match rawlimit::run(target.port) {
            Ok(never) => match never {},
            Err(reason) => Err(format!("rawlimit: {reason}")),
        },
    }
}
