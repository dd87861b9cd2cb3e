//! `loadgen`: load for a server of the Pusher protocol on this machine, and `loadgen rawlimit`, the yardstick.
//!
//! One thread and no JSON parser while receiving deliveries, so that the generator can share a small machine
//! with the server. Never sends anything to another machine.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

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
mod rawlimit;
mod report;
mod scenarios;
mod socket;
mod tally;

use std::process::ExitCode;

use arguments::{Arguments, Scenario};
use clap::Parser;

/// An error of a run, worded for people.
pub(crate) type Outcome<T> = Result<T, String>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let target = &arguments.target;
    let figures = match &arguments.scenario {
        Scenario::Ready(options) => scenarios::ready(target, options),
        Scenario::Idle(options) => scenarios::idle(target, options),
        Scenario::Fanout(options) => fanout::run(target, options),
        Scenario::Http(options) => scenarios::http(target, options),
        Scenario::Churn(options) => scenarios::churn(target, options),
        Scenario::Rawlimit => match rawlimit::run(target.port) {
            Ok(never) => match never {},
            Err(reason) => Err(format!("rawlimit: {reason}")),
        },
    };
    match figures {
        Ok(report) => {
            println!("{report}");
            if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(reason) => {
            eprintln!("loadgen: {reason}");
            ExitCode::FAILURE
        }
    }
}
