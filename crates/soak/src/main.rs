//! `soak`: nodes of Fanfare under load and faults, and whether everybody is told the truth. `cargo xtask cluster` runs it.
//!
//! Starts all that it needs on loopback, and shares no code with the server: a fault of both would not be seen.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

mod arguments;
mod chance;
mod compare;
mod database;
mod durable;
mod ending;
mod fault;
mod http;
mod ledger;
mod liar;
mod mishap;
mod operator;
mod picture;
mod process;
mod publisher;
mod receiver;
mod report;
mod run;
mod samples;
mod seat;
mod signing;
mod stillness;
mod store;
mod terminator;
mod told;
mod usage;
mod view;
mod websocket;
mod world;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match soak(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::from(2)
        }
    }
}

/// True if there was no violation.
fn soak(arguments: &Arguments) -> io::Result<bool> {
    // Liars carry what passes on a thread of their own, so that the load is not in their way.
    let carrier = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut own = None;
    let logs: PathBuf = match &arguments.logs {
        Some(directory) => directory.clone(),
        None => own.insert(tempfile::tempdir()?).path().to_owned(),
    };
    std::fs::create_dir_all(&logs)?;
    println!("seed {}, {} minutes, logs in {}", arguments.seed, arguments.minutes, logs.display());
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    let report = local.block_on(&runtime, run::run(arguments, carrier.handle(), &logs));
    let passed = matches!(&report, Ok(report) if report.violations.is_empty());
    if let Some(directory) = own.filter(|_| !passed) {
        println!("logs are kept in {}", directory.keep().display());
    }
    println!("seed: {}", arguments.seed);
    println!("{}", report?);
    carrier.shutdown_background();
    Ok(passed)
}
