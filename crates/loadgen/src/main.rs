//! `loadgen`: load for a server of the Pusher protocol on this machine, and `loadgen rawlimit`, the yardstick.
//!
//! Parses the command line and prints the figures; the load is the library's.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

use std::process::ExitCode;

use clap::Parser;
use loadgen::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match loadgen::measure(&arguments.target, &arguments.scenario) {
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
